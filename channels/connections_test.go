package channels_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"hark/authz"
	"hark/channels"
	"hark/channels/hubtest"
	"hark/protocol"
)

// A linked is the broker of one node among several that ask each other.
type linked struct {
	*channels.Memory
	name string
	all  *[]*linked
	sink channels.Sink
	down bool   // it cannot ask
	mute bool   // it does not answer
	says string // what it answers; "": the truth
}

func (l *linked) Run(ctx context.Context, s channels.Sink) error {
	l.sink = s
	return l.Memory.Run(ctx, s)
}

func (l *linked) Ask(ctx context.Context, question string) (answers []channels.Answer, err error) {
	if l.down {
		return nil, channels.ErrUnavailable
	}
	silent := &channels.SilentError{}
	for _, node := range *l.all {
		text, err := node.says, error(nil)
		switch {
		case node.mute:
			<-ctx.Done()
			err = context.Cause(ctx)
		case text == "":
			text, err = node.sink.Answer(ctx, question)
		}
		if err != nil {
			silent.Nodes, silent.Err = append(silent.Nodes, node.name), err
			continue
		}
		answers = append(answers, channels.Answer{Node: node.name, Text: text})
	}
	if len(silent.Nodes) > 0 {
		return answers, silent
	}
	return answers, nil
}

// startLinked starts n nodes, named a, b, …
func startLinked(t *testing.T, n int, users hubtest.Users) ([]*channels.Hub, []*linked) {
	var hubs []*channels.Hub
	var all []*linked
	for i := range n {
		l := &linked{Memory: channels.NewMemory(), name: string(rune('a' + i)), all: &all}
		config := twoApps()
		config.Broker = l
		for i := range config.Apps {
			config.Apps[i].Authenticator = users
		}
		hubs, all = append(hubs, hubtest.Start(t, config)), append(all, l)
	}
	return hubs, all
}

// connections returns the pages of Connections, joined.
func connections(t testing.TB, a *channels.App, to channels.Selector, limit int) []channels.ConnInfo {
	t.Helper()
	var all []channels.ConnInfo
	p := channels.Page{Limit: limit}
	for {
		list, next, err := a.Connections(t.Context(), to, p)
		if err != nil {
			t.Fatal(err)
		}
		if all = append(all, list...); next == "" {
			return all
		}
		if len(list) == 0 || len(list) > max(limit, 1) && limit > 0 {
			t.Fatalf("a page of %d has %d entries, and is not the last", limit, len(list))
		}
		p.Cursor = next
	}
}

// users is connections for Users.
func users(t testing.TB, a *channels.App, to channels.Selector, limit int) []channels.UserInfo {
	t.Helper()
	var all []channels.UserInfo
	p := channels.Page{Limit: limit}
	for {
		list, next, err := a.Users(t.Context(), to, p)
		if err != nil {
			t.Fatal(err)
		}
		if all = append(all, list...); next == "" {
			return all
		}
		if len(list) == 0 {
			t.Fatalf("a page of %d is empty, and is not the last", limit)
		}
		p.Cursor = next
	}
}

// What is told of a connection, on whichever node it is.
func TestConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hubs, _ := startLinked(t, 2, staff)
		began := time.Now()
		on7 := hubtest.As(t, hubs[1], "7")
		time.Sleep(time.Minute)
		guest := hubtest.Connect(t, hubs[0])
		dial(t, hubs[0], theirKey)
		closed := hubtest.As(t, hubs[0], "9")
		closed.Hangup()
		for _, name := range []string{"private-b", "a"} {
			on7.Subscribe(name)
		}
		on7.Signin(`{"id":"7"}`)
		on7.Subscribe("#server-to-user-7")
		on7.Take()

		want := map[protocol.SocketID]channels.ConnInfo{
			on7.ID():   {Node: "b", Identity: staff["7"], Channels: []string{"a", "private-b"}, Subscriptions: 2, Since: began},
			guest.ID(): {Node: "a", Channels: []string{}, Since: began.Add(time.Minute)},
		}
		for _, h := range hubs {
			all := connections(t, mine(h), channels.Everyone(), 0)
			if len(all) != 2 || all[0].Socket > all[1].Socket {
				t.Fatalf("listed %+v, want two connections in order", all)
			}
			for _, got := range all {
				w := want[got.Socket]
				w.Socket, w.Since = got.Socket, w.Since.UTC().Truncate(time.Millisecond)
				if !reflect.DeepEqual(got, w) {
					t.Errorf("listed\n%+v, want\n%+v", got, w)
				}
			}
		}
		for _, tt := range []struct {
			to   channels.Selector
			want []protocol.SocketID
		}{
			{channels.Guests(), []protocol.SocketID{guest.ID()}},
			{channels.Users("7"), []protocol.SocketID{on7.ID()}},
			{channels.On("private-{x}"), []protocol.SocketID{on7.ID()}},
			{channels.Sockets(string(guest.ID())), []protocol.SocketID{guest.ID()}},
			{channels.Users("9"), nil},
		} {
			var got []protocol.SocketID
			for _, c := range connections(t, mine(hubs[0]), tt.to, 1) {
				got = append(got, c.Socket)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%+v: listed %v, want %v", tt.to, got, tt.want)
			}
		}
	})
}

// A user is listed once, with the connections on all nodes.
func TestUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hubs, _ := startLinked(t, 2, staff)
		hubtest.Connect(t, hubs[0])
		hubtest.As(t, hubs[0], "9")
		for _, h := range []*channels.Hub{hubs[0], hubs[0], hubs[1]} {
			hubtest.As(t, h, "7").Subscribe("news")
		}
		for limit := range 4 {
			want := []channels.UserInfo{{Identity: staff["7"], Connections: 3}, {Identity: staff["9"], Connections: 1}}
			if got := users(t, mine(hubs[1]), channels.Everyone(), limit); !reflect.DeepEqual(got, want) {
				t.Errorf("in pages of %d listed %+v, want %+v", limit, got, want)
			}
		}
		if got := users(t, mine(hubs[0]), channels.On("news"), 0); len(got) != 1 || got[0].Connections != 3 {
			t.Errorf("listed %+v, want one user", got)
		}
		if got := users(t, mine(hubs[0]), channels.Guests(), 0); len(got) != 0 {
			t.Errorf("listed %+v, want no guests", got)
		}
	})
}

// In whatever pages, and however short the nodes' parts are, every connection is listed
// once and every user with all of theirs.
func TestPages(t *testing.T) {
	names := hubtest.Users{}
	for i := range 12 {
		id := fmt.Sprint("user-", i)
		names[id] = authz.Identity{ID: id, Roles: []string{strings.Repeat("r", 1000*i)}}
	}
	type connection struct{ Node, User int }
	rapid.Check(t, func(r *rapid.T) {
		nodes, limit := rapid.IntRange(1, 3).Draw(r, "nodes"), rapid.IntRange(1, 80).Draw(r, "limit")
		there := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) connection {
			return connection{rapid.IntRange(0, nodes-1).Draw(r, "node"), rapid.IntRange(0, len(names)).Draw(r, "user")}
		}), 0, 60).Draw(r, "connections")
		synctest.Test(t, func(t *testing.T) {
			hubs, _ := startLinked(t, nodes, names)
			var ids []string
			count := map[string]int{}
			for _, c := range there {
				if c.User == len(names) { // a guest
					ids = append(ids, string(hubtest.Connect(t, hubs[c.Node]).ID()))
					continue
				}
				who := fmt.Sprint("user-", c.User)
				ids = append(ids, string(hubtest.As(t, hubs[c.Node], who).ID()))
				count[who]++
			}
			slices.Sort(ids)
			var got []string
			for _, c := range connections(t, mine(hubs[0]), channels.Everyone(), limit) {
				got = append(got, string(c.Socket))
			}
			if !slices.Equal(got, ids) {
				t.Fatalf("listed %d connections %v, want %d %v", len(got), got, len(ids), ids)
			}
			var who []string
			for _, u := range users(t, mine(hubs[0]), channels.Everyone(), limit) {
				who = append(who, u.Identity.ID)
				if u.Connections != count[u.Identity.ID] {
					t.Errorf("%s has %d connections, want %d", u.Identity.ID, u.Connections, count[u.Identity.ID])
				}
			}
			if want := slices.Sorted(maps.Keys(count)); !slices.Equal(who, want) {
				t.Fatalf("listed %v, want %v", who, want)
			}
		})
	})
}

// A part has a bound in bytes; what is beyond it is on the next page.
func TestLongParts(t *testing.T) {
	const n = 80
	names := hubtest.Users{}
	for i := range n {
		id := fmt.Sprint(i)
		names[id] = authz.Identity{ID: id, Attrs: map[string]string{"long": strings.Repeat("a", 16_000)}}
	}
	names["0"] = authz.Identity{ID: "0", Tenant: "acme", Attrs: map[string]string{"long": strings.Repeat("a", 17_000)}}
	synctest.Test(t, func(t *testing.T) {
		hubs, _ := startLinked(t, 2, names)
		for i := range n {
			hubtest.As(t, hubs[i%2], fmt.Sprint(i))
		}
		list, next, err := mine(hubs[0]).Connections(t.Context(), channels.Everyone(), channels.Page{Limit: n})
		check(t, err)
		if len(list) >= n || next == "" {
			t.Errorf("a page has %d connections of 16 kB, and is the last: %v", len(list), next == "")
		}
		if got := connections(t, mine(hubs[0]), channels.Everyone(), n); len(got) != n {
			t.Errorf("listed %d connections in all, want %d", len(got), n)
		}
		got := users(t, mine(hubs[0]), channels.Everyone(), n)
		if len(got) != n || !reflect.DeepEqual(got[0].Identity, authz.Identity{ID: "0", Tenant: "acme"}) {
			t.Errorf("listed %d users, the first %+v; want %d, the first without what is too long", len(got), got[0].Identity.ID, n)
		}
	})
}

// Of many channels the first are listed, and all are counted.
func TestManyChannels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hubtest.Start(t, hubtest.Config())
		c := hubtest.Connect(t, h)
		for i := range 150 {
			c.Subscribe(fmt.Sprintf("c%03d", i))
		}
		c.Take()
		got := connections(t, mine(h), channels.Everyone(), 0)[0]
		if got.Subscriptions != 150 || len(got.Channels) != 100 || got.Channels[99] != "c099" {
			t.Errorf("listed %d of %d channels", len(got.Channels), got.Subscriptions)
		}
		if got.Node == "" {
			t.Error("the only node has no name")
		}
	})
}

// What the others have is listed beside the names of the nodes that did not answer.
func TestSilentNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hubs, nodes := startLinked(t, 4, staff)
		for _, h := range hubs {
			hubtest.As(t, h, "7")
		}
		nodes[2].mute, nodes[3].says = true, "something else"
		began := time.Now()
		list, next, err := mine(hubs[0]).Connections(t.Context(), channels.Everyone(), channels.Page{})
		silent, ok := errors.AsType[*channels.SilentError](err)
		if !ok || !slices.Equal(silent.Nodes, []string{"c", "d"}) || len(list) != 2 || next != "" {
			t.Errorf("listed %+v, %q, %v; want the connections of a and b, and that c and d are silent", list, next, err)
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("it took %v, want the 2s that the broker has", took)
		}
		all, _, err := mine(hubs[0]).Users(t.Context(), channels.Everyone(), channels.Page{})
		if silent, ok = errors.AsType[*channels.SilentError](err); !ok || len(silent.Nodes) != 2 || len(all) != 1 || all[0].Connections != 2 {
			t.Errorf("listed %+v, %v; want one user with two connections, and that c and d are silent", all, err)
		}
	})
}

func TestListRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hubs, nodes := startLinked(t, 1, staff)
		a := mine(hubs[0])
		for _, tt := range []struct {
			to   channels.Selector
			page channels.Page
			want string
		}{
			{channels.Selector{}, channels.Page{}, "names nobody"},
			{channels.On("{"), channels.Page{}, "pattern"},
			{channels.Everyone(), channels.Page{Limit: -1}, "from 1 to 1000 entries, not -1"},
			{channels.Everyone(), channels.Page{Limit: 1001}, "from 1 to 1000 entries, not 1001"},
		} {
			if _, _, err := a.Connections(t.Context(), tt.to, tt.page); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Connections(%+v, %+v): %v, want %q", tt.to, tt.page, err, tt.want)
			}
			if _, _, err := a.Users(t.Context(), tt.to, tt.page); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Users(%+v, %+v): %v, want %q", tt.to, tt.page, err, tt.want)
			}
		}
		nodes[0].down = true
		if _, _, err := a.Connections(t.Context(), channels.Everyone(), channels.Page{}); !errors.Is(err, channels.ErrUnavailable) {
			t.Errorf("while the broker is away: %v, want ErrUnavailable", err)
		}
	})
}

// apps is a configuration with n apps: app-0, app-1, …
func apps(n int) channels.Config {
	config := hubtest.Config()
	one := config.Apps[0]
	config.Apps = nil
	for i := range n {
		one.ID, one.Keys = fmt.Sprint("app-", i), authz.Keys{{Key: fmt.Sprint("key-", i), Secret: hubtest.Secret}}
		config.Apps = append(config.Apps, one)
	}
	return config
}

// Two pages of an app are asked for at a time, four of all; others have their turn, and
// then the nodes have all of their time. What is too much is refused at once.
func TestListTooMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &linked{Memory: channels.NewMemory(), name: "a", mute: true}
		l.all = &[]*linked{l}
		config, counted := apps(4), &drops{n: map[channels.DropReason]int{}}
		config.Broker, config.Counters = l, counted
		hub := hubtest.Start(t, config)
		began := time.Now()
		var mu sync.Mutex
		ended := map[string]map[time.Duration]int{} // by app and how: after what time, how often
		ask := func(id string) {
			a, _ := hub.App(id)
			_, _, err := a.Connections(t.Context(), channels.Everyone(), channels.Page{})
			how := "?"
			if _, ok := errors.AsType[*channels.SilentError](err); ok {
				how = "silent"
			} else if errors.Is(err, channels.ErrBusy) {
				how = "busy"
			}
			mu.Lock()
			defer mu.Unlock()
			if ended[id+" "+how] == nil {
				ended[id+" "+how] = map[time.Duration]int{}
			}
			ended[id+" "+how][time.Since(began)]++
		}
		var wg sync.WaitGroup
		for i := range 4 {
			for range 100 {
				wg.Go(func() { ask(fmt.Sprint("app-", i)) })
			}
			time.Sleep(time.Millisecond)
		}
		wg.Wait()
		const ms = time.Millisecond
		want := map[string]map[time.Duration]int{
			"app-0 silent": {2000 * ms: 2}, "app-0 busy": {0: 98},
			"app-1 silent": {2001 * ms: 2}, "app-1 busy": {ms: 98},
			"app-2 silent": {4000 * ms: 2}, "app-2 busy": {2 * ms: 98},
			"app-3 silent": {4001 * ms: 2}, "app-3 busy": {3 * ms: 98},
		}
		if !reflect.DeepEqual(ended, want) {
			t.Errorf("questions ended %v, want %v", ended, want)
		}
		if got := counted.n[channels.DropQuestion]; got != 4*98 {
			t.Errorf("%d were counted, want %d", got, 4*98)
		}
	})
}

// Who waits too long for others is refused, and may ask again.
func TestListWaitsInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		config := apps(3)
		config.Broker = stuck{channels.NewMemory(), release}
		hub := hubtest.Start(t, config)
		a, _ := hub.App("app-2")
		list := func(ctx context.Context) error {
			_, _, err := a.Users(ctx, channels.Everyone(), channels.Page{})
			return err
		}
		var wg sync.WaitGroup
		for range 2 {
			for _, id := range []string{"app-0", "app-1"} {
				a, _ := hub.App(id)
				wg.Go(func() { _, _, _ = a.Users(t.Context(), channels.Everyone(), channels.Page{}) })
			}
		}
		synctest.Wait()
		began := time.Now()
		err := list(t.Context())
		if took := time.Since(began); !errors.Is(err, channels.ErrBusy) || took != 2*time.Second {
			t.Errorf("after %v: %v, want ErrBusy after 2s", took, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := list(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("of one who has gone: %v, want that it was canceled", err)
		}
		close(release)
		wg.Wait()
		if err := list(t.Context()); err != nil {
			t.Errorf("when it is over: %v", err)
		}
	})
}

// A stuck is a broker whose questions take until release is closed, or a minute, whatever
// their time.
type stuck struct {
	*channels.Memory
	release chan struct{}
}

func (s stuck) Ask(ctx context.Context, question string) ([]channels.Answer, error) {
	select {
	case <-s.release:
	case <-time.After(time.Minute):
		return nil, errors.New("it took a minute")
	}
	return s.Memory.Ask(ctx, question)
}

// However much an app is asked about, this node answers questions about another one.
func TestAnswersOfOtherApps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := hubtest.Start(t, apps(2))
		a, _ := hub.App("app-0")
		defer a.HoldAnswers()()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		about := func(id string) error {
			_, err := hub.Answer(ctx, `{"app":"`+id+`","about":"users","to":{"everyone":true},"limit":1}`)
			return err
		}
		if err := about("app-1"); err != nil {
			t.Errorf("the question about the other app: %v", err)
		}
		if err := about("app-0"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the question behind others of its app: %v, want that its time is over", err)
		}
	})
}

// A node that is asked what it does not know says nothing, rather than too much.
func TestQuestionNotUnderstood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hubtest.Start(t, hubtest.Config())
		hubtest.Connect(t, h)
		for question, want := range map[string]string{
			`{"app":"1001","about":"connections","to":{"everyone":true},"limit":10}`:             "",
			`{"app":"nobody's","about":"connections","to":{"everyone":true},"limit":10}`:         "",
			`{"app":"1001","about":"connections","to":{"everyone":true},"limit":10,"younger":5}`: "not understood",
			`{"app":"1001","about":"connections","to":{"everyone":true,"new":1},"limit":10}`:     "not understood",
			`{"app":"1001","about":"connections","to":{},"limit":10}`:                            "names nobody",
			`{"app":"1001","about":"weather","to":{"everyone":true},"limit":10}`:                 "weather",
			`{"app":"1001","about":"users","to":{"everyone":true},"limit":1001}`:                 "1001",
			`{"app":"1001","about":"users","to":{"everyone":true}}`:                              "0 entries",
			`x`: "not understood",
		} {
			text, err := h.Answer(t.Context(), question)
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%s was answered with %q, %v; want %q", question, text, err, want)
			}
		}
	})
}

func FuzzQuestion(f *testing.F) {
	f.Add(`{"app":"1001","about":"connections","to":{"everyone":true},"after":"1","limit":10}`)
	f.Add(`{"app":"1001","about":"users","to":{"all":[{"roles":["admin"]}],"except":{"on":"private-{x}"}},"limit":1}`)
	h, err := channels.New(hubtest.Config())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, question string) {
		if text, err := h.Answer(t.Context(), question); err == nil && text != `{"entries":[]}` {
			t.Errorf("%q was answered with %q, where nobody is connected", question, text)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	f.Add(`{"entries":[{"socket_id":"1.2","user":{"id":"7"},"channels":["a"],"subscriptions":1,"since":"2026-01-02T03:04:05.006Z"}],"more":true}`)
	f.Add(`{"entries":[{"user":{"id":"7"},"connections":2}]}`)
	f.Add(`{"entries":[],"more":true}`)
	f.Fuzz(func(t *testing.T, text string) {
		synctest.Test(t, func(t *testing.T) {
			hubs, nodes := startLinked(t, 1, staff)
			nodes[0].says = text
			list, next, err := mine(hubs[0]).Connections(t.Context(), channels.Everyone(), channels.Page{Limit: 5})
			if len(list) > 5 || next != "" && (len(list) == 0 || next != string(list[len(list)-1].Socket)) {
				t.Errorf("%q: %d entries, and the next page begins at %q", text, len(list), next)
			}
			if _, ok := errors.AsType[*channels.SilentError](err); err != nil && !ok {
				t.Errorf("%q: %v, want that the node is silent", text, err)
			}
			_, _, _ = mine(hubs[0]).Users(t.Context(), channels.Everyone(), channels.Page{})
		})
	})
}
