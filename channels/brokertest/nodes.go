package brokertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"hark/channels"
)

// RunNodes runs what several nodes have to do together. open returns n new brokers,
// before their Run, that share what nobody else uses.
func RunNodes(t *testing.T, open func(t *testing.T, n int) []channels.Broker) {
	tests := []struct {
		name string
		n    int
		test func(t *testing.T, b []channels.Broker)
	}{
		{"all nodes are given one order", 3, sharedOrder},
		{"who joins while events are published misses none", 2, joinsAmongEvents},
		{"a user is announced once, whatever nodes the sockets are on", 2, sharedUsers},
		{"a channel is full for all nodes", 2, sharedBound},
		{"sockets are counted over all nodes", 2, sharedCounts},
		{"the cached event is that of all nodes", 2, sharedCache},
		{"questions are answered alike on all nodes", 3, sharedQuestions},
		{"a node hears nothing of places that it does not hold", 2, heldOnly},
		{"commands have one order on all nodes", 3, sharedCommands},
		{"a node that ends hands over, and takes away who does not come back", 2, endOfNode},
		{"all nodes answer a question", 3, allAnswer},
		{"what others answer is there beside the name of a silent node", 3, silentNode},
		{"a node that has ended is not asked", 2, endedNode},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, open(t, tt.n)) })
	}
}

// startAll runs all of b.
func startAll(t *testing.T, b []channels.Broker) []*recorder {
	t.Helper()
	var all []*recorder
	for _, one := range b {
		all = append(all, start(t, one))
	}
	return all
}

// startStopping runs b until stop is called, which waits for its end.
func startStopping(t *testing.T, b channels.Broker) (stop func()) {
	t.Helper()
	r := &recorder{changed: make(chan struct{}), up: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx, r) }()
	<-r.up
	return func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Fatalf("Run: %v", err)
		}
	}
}

// await returns what was delivered on p before the event of that name, once it is there.
func (r *recorder) await(p channels.Place, name string) []channels.Envelope {
	for {
		got, changed := r.all(p)
		if i := slices.IndexFunc(got, func(e channels.Envelope) bool { return e.Name == name }); i >= 0 {
			return got[:i]
		}
		<-changed
	}
}

func sharedOrder(t *testing.T, b []channels.Broker) {
	recorders := startAll(t, b)
	p := place("presence-a")
	for i, one := range b {
		enter(t, one, p, user(fmt.Sprintf("%d.1", i), fmt.Sprintf("node-%d", i)))
	}
	publish(t, b[0], p, "begin")
	const publishers, each = 4, 50
	var wg sync.WaitGroup
	for n, one := range b {
		for i := range publishers {
			wg.Go(func() {
				o := user(fmt.Sprintf("%d.%d", n+10, i), fmt.Sprintf("%d-%d", n, i))
				for j := range each {
					switch {
					case j%10 == 3:
						enter(t, one, p, o)
					case j%10 == 7:
						leave(t, one, p, o)
					default:
						publish(t, one, p, fmt.Sprintf("%d-%d-%d", n, i, j))
					}
				}
			})
		}
	}
	wg.Wait()
	publish(t, b[0], p, "end")
	type told struct {
		at   channels.Position
		what string
	}
	var first []told
	for n, r := range recorders {
		got := r.await(p, "end")
		got = got[slices.IndexFunc(got, func(e channels.Envelope) bool { return e.Name == "begin" })+1:]
		var list []told
		for i, what := range story(got) {
			list = append(list, told{got[i].Position, what})
		}
		if want := len(b) * publishers * each; len(list) != want {
			t.Errorf("node %d was told %d things, want %d", n, len(list), want)
		}
		if n == 0 {
			first = list
		} else if !slices.Equal(list, first) {
			t.Errorf("node %d was told something else than node 0, or in another order", n)
		}
	}
}

func joinsAmongEvents(t *testing.T, b []channels.Broker) {
	recorders := startAll(t, b)
	for round := range 10 {
		p := place(fmt.Sprintf("presence-%d", round))
		enter(t, b[0], p, user("1.1", "ada"))
		var wg sync.WaitGroup
		stop := make(chan struct{})
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					publish(t, b[0], p, "end")
					return
				default:
					publish(t, b[0], p, fmt.Sprint(i))
				}
			}
		})
		s := enter(t, b[1], p, user("2.1", "bob"))
		publish(t, b[1], p, "behind")
		close(stop)
		wg.Wait()
		next := s.Position.Seq + 1
		for _, e := range recorders[1].await(p, "end") {
			if e.Position.Seq <= s.Position.Seq {
				continue
			}
			if e.Position.Seq != next {
				t.Fatalf("position %d follows %d", e.Position.Seq, next-1)
			}
			next++
		}
		if len(s.Members) != 2 {
			t.Errorf("the snapshot has %v, want ada and bob", s.Members)
		}
	}
}

func sharedUsers(t *testing.T, b []channels.Broker) {
	recorders := startAll(t, b)
	p := place("presence-a")
	enter(t, b[0], p, user("1.1", "watcher"))
	enter(t, b[1], p, user("2.1", "other"))
	publish(t, b[0], p, "begin")
	enter(t, b[0], p, user("1.2", "ada"))
	enter(t, b[1], p, user("2.2", "ada"))
	leave(t, b[0], p, user("1.2", "ada"))
	publish(t, b[0], p, "still there")
	leave(t, b[1], p, user("2.2", "ada"))
	publish(t, b[1], p, "end")
	for _, r := range recorders {
		got := r.await(p, "end")
		got = got[slices.IndexFunc(got, func(e channels.Envelope) bool { return e.Name == "begin" })+1:]
		expect(t, "told", story(got), []string{"+ada", "still there", "-ada"})
	}
}

func sharedBound(t *testing.T, b []channels.Broker) {
	startAll(t, b)
	p := place("presence-a")
	bounded := func(s, u string) channels.Occupant {
		o := user(s, u)
		o.MaxMembers = 2
		return o
	}
	enter(t, b[0], p, bounded("1.1", "ada"))
	enter(t, b[1], p, bounded("2.1", "bob"))
	for _, one := range b {
		if _, err := one.Enter(t.Context(), p, bounded("3.1", "eve")); !errors.Is(err, channels.ErrFull) {
			t.Errorf("Enter of a third user: %v, want ErrFull", err)
		}
		enter(t, one, p, bounded("4.1", "ada"))
		leave(t, one, p, bounded("4.1", "ada"))
	}
}

func sharedCounts(t *testing.T, b []channels.Broker) {
	recorders := startAll(t, b)
	p := place("news")
	counted := func(s string) channels.Occupant {
		o := socket(s)
		o.Counted = true
		return o
	}
	enter(t, b[0], p, counted("1.1"))
	s := enter(t, b[1], p, counted("2.1"))
	expect(t, "sockets in the snapshot", s.Sockets, 2)
	publish(t, b[1], p, "begin")
	enter(t, b[1], p, counted("2.2"))
	leave(t, b[0], p, counted("1.1"))
	enter(t, b[0], p, counted("1.2"))
	leave(t, b[1], p, counted("2.1"), counted("2.2"))
	publish(t, b[0], p, "end")
	got := recorders[0].await(p, "end")
	if len(got) == 0 || got[len(got)-1].Kind != channels.KindCount || got[len(got)-1].Sockets != 1 {
		t.Errorf("node 0 was told %+v, want a count of 1 at the end", got)
	}
}

func sharedCache(t *testing.T, b []channels.Broker) {
	startAll(t, b)
	p := place("cache-a")
	e := channels.Envelope{Place: p, Name: "price", Data: "{}", Cache: 1 << 40}
	if _, err := b[0].Publish(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	s := enter(t, b[1], p, socket("2.1"))
	expect(t, "cached", s.Cached.Name+" "+s.Cached.Data, "price {}")
	info, err := b[0].(channels.Questions).Info(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "cached, asked", info.Cached.Name, "price")
}

func sharedQuestions(t *testing.T, b []channels.Broker) {
	startAll(t, b)
	enter(t, b[0], place("presence-a"), user("1.1", "ada"), user("1.2", "bob"))
	enter(t, b[1], place("presence-a"), user("2.1", "ada"))
	enter(t, b[1], place("news"), socket("2.1"))
	for _, one := range b {
		q := one.(channels.Questions)
		info, err := q.Info(t.Context(), place("presence-a"))
		if err != nil {
			t.Fatal(err)
		}
		expect(t, "Info", info, channels.ChannelInfo{Name: "presence-a", Sockets: 3, Users: 2})
		members, err := q.Members(t.Context(), place("presence-a"))
		if err != nil {
			t.Fatal(err)
		}
		expect(t, "Members", len(members), 2)
		infos, err := q.Occupied(t.Context(), "1", "")
		if err != nil {
			t.Fatal(err)
		}
		expect(t, "Occupied", len(infos), 2)
	}
}

func heldOnly(t *testing.T, b []channels.Broker) {
	recorders := startAll(t, b)
	enter(t, b[0], place("a"), socket("1.1"))
	enter(t, b[1], place("b"), socket("2.1"))
	publish(t, b[1], place("a"), "for node 0")
	recorders[1].until(t, b[1], place("b"))
	recorders[0].until(t, b[0], place("a"))
	got, _ := recorders[1].all(place("a"))
	expect(t, "delivered on node 1", story(got), []string{})
}

func sharedCommands(t *testing.T, b []channels.Broker) {
	recorders := startAll(t, b)
	p := channels.Place{App: "1", Channel: channels.ControlChannel}
	const each = 20
	var wg sync.WaitGroup
	for n, one := range b {
		wg.Go(func() {
			for i := range each {
				c := channels.Control{Version: channels.ControlVersion, ID: uint64(n*each + i), Do: "invalidate"}
				if _, err := one.Publish(t.Context(), channels.Envelope{Kind: channels.KindControl, Place: p, Control: &c}); err != nil {
					t.Errorf("Publish: %v", err)
				}
			}
		})
	}
	wg.Wait()
	var first []channels.Position
	for n, r := range recorders {
		got, changed := r.all(p)
		for len(got) < len(b)*each {
			<-changed
			got, changed = r.all(p)
		}
		var at []channels.Position
		for _, e := range got {
			at = append(at, e.Position)
		}
		if n == 0 {
			first = at
		}
		expect(t, fmt.Sprintf("positions on node %d", n), at, first)
	}
}

func endOfNode(t *testing.T, b []channels.Broker) {
	r := start(t, b[0])
	p := place("presence-a")
	enter(t, b[0], p, user("1.1", "watcher"))
	stop := startStopping(t, b[1])
	enter(t, b[1], p, user("2.1", "ada"), user("2.2", "bob"), user("2.3", "cy"), user("2.4", "eve"), user("2.5", "eve"))
	leave(t, b[1], p, returning(user("2.1", "ada")), returning(user("2.2", "bob")), returning(user("2.4", "eve")))
	leave(t, b[1], p, user("2.5", "eve"))
	enter(t, b[0], p, user("1.2", "ada"))
	leave(t, b[0], p, user("1.2", "ada"))
	enter(t, b[0], p, user("1.3", "ada"))
	for _, one := range b {
		info, err := one.(channels.Questions).Info(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, "Info before the end", info, channels.ChannelInfo{Name: "presence-a", Sockets: 3, Users: 5})
	}
	stop()
	r.told(p, "-bob", "-cy", "-eve")
	got := story(r.until(t, b[0], p))
	slices.Sort(got)
	expect(t, "told", got, []string{"+ada", "+bob", "+cy", "+eve", "+watcher", "-bob", "-cy", "-eve"})
	info, err := b[0].(channels.Questions).Info(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "Info at the end", info, channels.ChannelInfo{Name: "presence-a", Sockets: 2, Users: 2})
}

// returning is one who is sent away, and expected on another node.
func returning(o channels.Occupant) channels.Occupant {
	o.Returning = true
	return o
}

// told waits until all of that was told on p.
func (r *recorder) told(p channels.Place, what ...string) {
	for {
		got, changed := r.all(p)
		told := story(got)
		if !slices.ContainsFunc(what, func(w string) bool { return !slices.Contains(told, w) }) {
			return
		}
		<-changed
	}
}
