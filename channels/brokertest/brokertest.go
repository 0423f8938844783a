// Package brokertest holds a Broker to its contract, one test for each sentence
// of it. Every implementation runs the suite.
package brokertest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sort"
	"sync"
	"testing"

	"hark/channels"
	"hark/protocol"
)

// Run runs the suite. open returns a new broker that nobody else uses, before
// its Run; it must answer channels.Questions.
func Run(t *testing.T, open func(t *testing.T) channels.Broker) {
	tests := []struct {
		name string
		test func(t *testing.T, b channels.Broker)
	}{
		{"before Run everything is unavailable", beforeRun},
		{"an event reaches a node that holds the place", eventArrives},
		{"a place that nobody holds takes the event and gives it to nobody", nobodyHolds},
		{"concurrent publishers are given one order without holes", oneOrder},
		{"places of different apps are apart", appsApart},
		{"a user is announced with the first socket and the last", firstAndLast},
		{"a snapshot includes the occupants and everything before it", snapshots},
		{"all occupants enter or none", allOrNone},
		{"a full channel takes further sockets of its users", full},
		{"entering twice counts once", enterTwice},
		{"leaving where one is not does nothing", leaveNothing},
		{"an empty place is forgotten", forgotten},
		{"questions are answered for all nodes", questions},
		{"joins, leaves and events of a place share one order", mixedOrder},
		{"commands reach every node, in order, whoever is there", commands},
		{"a question is answered by the node that asks, too", asksItself},
		{"a node that cannot answer is named", cannotAnswer},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

// A recorder is a Sink that writes down what it is told.
type recorder struct {
	mu        sync.Mutex
	envelopes []channels.Envelope
	changed   chan struct{} // closed when envelopes has grown
	up        chan struct{} // closed when the broker is reachable
	once      sync.Once

	// answer is what the node answers, static from Run's beginning; nil: "to " and the
	// question.
	answer func(ctx context.Context, question string) (string, error)
}

func (r *recorder) Deliver(e channels.Envelope) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.envelopes = append(r.envelopes, e)
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *recorder) Gap(channels.Place, channels.Snapshot)     {}
func (r *recorder) Correct(channels.Place, channels.Snapshot) {}

func (r *recorder) State(err error) {
	if err == nil {
		r.once.Do(func() { close(r.up) })
	}
}

func (r *recorder) Answer(ctx context.Context, question string) (string, error) {
	if r.answer != nil {
		return r.answer(ctx, question)
	}
	return "to " + question, nil
}

// all returns what was delivered on p, and a channel that is closed when there
// is more.
func (r *recorder) all(p channels.Place) ([]channels.Envelope, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var here []channels.Envelope
	for _, e := range r.envelopes {
		if e.Place == p {
			here = append(here, e)
		}
	}
	return here, r.changed
}

// until returns what was delivered on p, once the event named last is among it.
// The sentinel is published by the caller after what it waits for.
func (r *recorder) until(t *testing.T, b channels.Broker, p channels.Place) []channels.Envelope {
	t.Helper()
	if _, err := b.Publish(t.Context(), channels.Envelope{Place: p, Name: "sentinel"}); err != nil {
		t.Fatal(err)
	}
	for {
		got, changed := r.all(p)
		if i := slices.IndexFunc(got, func(e channels.Envelope) bool { return e.Name == "sentinel" }); i >= 0 {
			return got[:i]
		}
		<-changed
	}
}

// start runs b into a recorder until the test ends.
func start(t *testing.T, b channels.Broker) *recorder {
	t.Helper()
	return startAnswering(t, b, nil)
}

// startAnswering is start with a recorder that answers questions.
func startAnswering(t *testing.T, b channels.Broker, answer func(context.Context, string) (string, error)) *recorder {
	t.Helper()
	r := &recorder{changed: make(chan struct{}), up: make(chan struct{}), answer: answer}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx, r) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	<-r.up
	return r
}

func place(channel string) channels.Place {
	return channels.Place{App: "1", Channel: channel}
}

func socket(id string) channels.Occupant {
	return channels.Occupant{Socket: protocol.SocketID(id)}
}

func user(id, user string) channels.Occupant {
	return channels.Occupant{Socket: protocol.SocketID(id), Member: protocol.Member{UserID: user}}
}

func enter(t *testing.T, b channels.Broker, p channels.Place, o ...channels.Occupant) channels.Snapshot {
	t.Helper()
	s, err := b.Enter(t.Context(), p, o...)
	if err != nil {
		t.Fatalf("Enter: %v", err)
	}
	return s
}

func leave(t *testing.T, b channels.Broker, p channels.Place, o ...channels.Occupant) {
	t.Helper()
	if err := b.Leave(t.Context(), p, o...); err != nil {
		t.Fatalf("Leave: %v", err)
	}
}

func publish(t *testing.T, b channels.Broker, p channels.Place, name string) channels.Position {
	t.Helper()
	at, err := b.Publish(t.Context(), channels.Envelope{Place: p, Name: name})
	if err != nil {
		t.Fatalf("Publish: %v", err)
	}
	return at
}

// story says in words what envelopes tell.
func story(envelopes []channels.Envelope) []string {
	told := []string{}
	for _, e := range envelopes {
		if m, ok := e.Diff.Added(); ok {
			told = append(told, "+"+m.UserID)
		} else if id, ok := e.Diff.Removed(); ok {
			told = append(told, "-"+id)
		} else {
			told = append(told, e.Name)
		}
	}
	return told
}

func expect(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func beforeRun(t *testing.T, b channels.Broker) {
	p := place("a")
	if _, err := b.Publish(t.Context(), channels.Envelope{Place: p}); !errors.Is(err, channels.ErrUnavailable) {
		t.Errorf("Publish: %v, want ErrUnavailable", err)
	}
	if _, err := b.Enter(t.Context(), p, socket("1.1")); !errors.Is(err, channels.ErrUnavailable) {
		t.Errorf("Enter: %v, want ErrUnavailable", err)
	}
	if err := b.Leave(t.Context(), p, socket("1.1")); !errors.Is(err, channels.ErrUnavailable) {
		t.Errorf("Leave: %v, want ErrUnavailable", err)
	}
	if _, err := b.(channels.Questions).Ask(t.Context(), "?"); !errors.Is(err, channels.ErrUnavailable) {
		t.Errorf("Ask: %v, want ErrUnavailable", err)
	}
}

func eventArrives(t *testing.T, b channels.Broker) {
	r := start(t, b)
	p := place("a")
	enter(t, b, p, socket("1.1"))
	sent := channels.Envelope{Place: p, Name: "e", Data: `{"x":1}`, UserID: "7", Except: "1.1", To: new(channels.Roles("admin"))}
	at, err := b.Publish(t.Context(), sent)
	if err != nil {
		t.Fatal(err)
	}
	got := r.until(t, b, p)
	if len(got) != 1 {
		t.Fatalf("delivered %v, want one envelope", got)
	}
	e := got[0]
	expect(t, "position", e.Position, at)
	expect(t, "event", []string{e.Name, e.Data, e.UserID, string(e.Except)}, []string{"e", `{"x":1}`, "7", "1.1"})
	expect(t, "who gets it", e.To, sent.To)
}

func nobodyHolds(t *testing.T, b channels.Broker) {
	r := start(t, b)
	publish(t, b, place("empty"), "e")
	enter(t, b, place("held"), socket("1.1"))
	r.until(t, b, place("held"))
	got, _ := r.all(place("empty"))
	expect(t, "delivered", story(got), []string{})
}

func oneOrder(t *testing.T, b channels.Broker) {
	r := start(t, b)
	p := place("a")
	enter(t, b, p, socket("1.1"))
	const publishers, each = 8, 50
	var mu sync.Mutex
	positions := map[string]channels.Position{}
	var wg sync.WaitGroup
	for i := range publishers {
		wg.Go(func() {
			for j := range each {
				name := fmt.Sprintf("%d-%d", i, j)
				at := publish(t, b, p, name)
				mu.Lock()
				positions[name] = at
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	got := r.until(t, b, p)
	expect(t, "delivered", len(got), publishers*each)
	next := map[string]int{}
	for i, e := range got {
		expect(t, "position of "+e.Name, e.Position, positions[e.Name])
		if i > 0 && (e.Position.Epoch != got[i-1].Position.Epoch || e.Position.Seq != got[i-1].Position.Seq+1) {
			t.Fatalf("position %v follows %v", e.Position, got[i-1].Position)
		}
		var publisher string
		var n int
		if _, err := fmt.Sscanf(e.Name, "%1s-%d", &publisher, &n); err != nil {
			t.Fatal(err)
		}
		expect(t, "order of publisher "+publisher, n, next[publisher])
		next[publisher]++
	}
}

func appsApart(t *testing.T, b channels.Broker) {
	r := start(t, b)
	mine, theirs := place("presence-a"), channels.Place{App: "2", Channel: "presence-a"}
	enter(t, b, mine, user("1.1", "ada"))
	s := enter(t, b, theirs, user("1.2", "bob"))
	expect(t, "members", len(s.Members), 1)
	publish(t, b, theirs, "secret")
	r.until(t, b, theirs)
	expect(t, "mine", story(r.until(t, b, mine)), []string{"+ada"})
	q := b.(channels.Questions)
	infos, err := q.Occupied(t.Context(), "1", "")
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "occupied", infos, []channels.ChannelInfo{{Name: "presence-a", Sockets: 1, Users: 1}})
}

func firstAndLast(t *testing.T, b channels.Broker) {
	r := start(t, b)
	p := place("presence-a")
	enter(t, b, p, user("1.1", "watcher"))
	enter(t, b, p, user("2.1", "ada"))
	enter(t, b, p, user("2.2", "ada"))
	leave(t, b, p, user("2.1", "ada"))
	publish(t, b, p, "still there")
	leave(t, b, p, user("2.2", "ada"))
	expect(t, "told", story(r.until(t, b, p)), []string{"+watcher", "+ada", "still there", "-ada"})
}

func snapshots(t *testing.T, b channels.Broker) {
	r := start(t, b)
	p := place("presence-a")
	s := enter(t, b, p, user("1.1", "ada"))
	expect(t, "members of the first", len(s.Members), 1)
	at := publish(t, b, p, "e")
	s = enter(t, b, p, user("2.1", "bob"))
	if s.Position.Epoch != at.Epoch || s.Position.Seq <= at.Seq {
		t.Errorf("the snapshot's position %v is not behind the event at %v", s.Position, at)
	}
	ids := []string{}
	for _, m := range s.Members {
		ids = append(ids, m.UserID)
	}
	expect(t, "members in order of joining", ids, []string{"ada", "bob"})
	got := r.until(t, b, p)
	expect(t, "position of bob's coming", got[len(got)-1].Position, s.Position)
}

func allOrNone(t *testing.T, b channels.Broker) {
	start(t, b)
	p := place("presence-a")
	ada, bob := user("1.1", "ada"), user("1.2", "bob")
	ada.MaxMembers, bob.MaxMembers = 1, 1
	if _, err := b.Enter(t.Context(), p, ada, bob); !errors.Is(err, channels.ErrFull) {
		t.Fatalf("Enter: %v, want ErrFull", err)
	}
	info, err := b.(channels.Questions).Info(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "after a refusal", info, channels.ChannelInfo{Name: "presence-a"})
}

func full(t *testing.T, b channels.Broker) {
	start(t, b)
	p := place("presence-a")
	for i, id := range []string{"ada", "bob"} {
		o := user(fmt.Sprintf("1.%d", i), id)
		o.MaxMembers = 2
		enter(t, b, p, o)
	}
	second := user("2.1", "ada")
	second.MaxMembers = 2
	enter(t, b, p, second)
	third := user("3.1", "eve")
	third.MaxMembers = 2
	if _, err := b.Enter(t.Context(), p, third); !errors.Is(err, channels.ErrFull) {
		t.Errorf("Enter of a third user: %v, want ErrFull", err)
	}
	leave(t, b, p, user("1.1", "bob"))
	enter(t, b, p, third)
}

func enterTwice(t *testing.T, b channels.Broker) {
	r := start(t, b)
	p := place("presence-a")
	enter(t, b, p, user("1.1", "watcher"))
	enter(t, b, p, user("2.1", "ada"))
	enter(t, b, p, user("2.1", "ada"))
	leave(t, b, p, user("2.1", "ada"))
	expect(t, "told", story(r.until(t, b, p)), []string{"+watcher", "+ada", "-ada"})
}

func leaveNothing(t *testing.T, b channels.Broker) {
	r := start(t, b)
	p := place("presence-a")
	leave(t, b, p, user("9.9", "nobody"))
	enter(t, b, p, user("1.1", "ada"))
	leave(t, b, p, user("2.1", "ada"))
	leave(t, b, p, socket("3.1"))
	expect(t, "told", story(r.until(t, b, p)), []string{"+ada"})
}

func forgotten(t *testing.T, b channels.Broker) {
	r := start(t, b)
	p := place("presence-a")
	enter(t, b, p, user("1.1", "ada"))
	leave(t, b, p, user("1.1", "ada"))
	publish(t, b, p, "lost")
	s := enter(t, b, p, user("2.1", "bob"))
	expect(t, "members", len(s.Members), 1)
	if got := story(r.until(t, b, p)); slices.Contains(got, "lost") {
		t.Errorf("delivered %v: the place was empty when it was published", got)
	}
}

func questions(t *testing.T, b channels.Broker) {
	start(t, b)
	q := b.(channels.Questions)
	enter(t, b, place("presence-a"), user("1.1", "ada"), user("1.2", "ada"), user("2.1", "bob"))
	enter(t, b, place("orders"), socket("1.1"))

	info, err := q.Info(t.Context(), place("presence-a"))
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "Info", info, channels.ChannelInfo{Name: "presence-a", Sockets: 3, Users: 2})
	info, err = q.Info(t.Context(), place("nowhere"))
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "Info of an empty place", info, channels.ChannelInfo{Name: "nowhere"})

	members, err := q.Members(t.Context(), place("presence-a"))
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "Members", members, []protocol.Member{{UserID: "ada"}, {UserID: "bob"}})

	for prefix, want := range map[string][]string{"": {"orders", "presence-a"}, "presence-": {"presence-a"}, "x": {}} {
		infos, err := q.Occupied(t.Context(), "1", prefix)
		if err != nil {
			t.Fatal(err)
		}
		names := []string{}
		for _, i := range infos {
			names = append(names, i.Name)
		}
		sort.Strings(names)
		expect(t, fmt.Sprintf("Occupied(%q)", prefix), names, want)
	}
}

func mixedOrder(t *testing.T, b channels.Broker) {
	r := start(t, b)
	p := place("presence-a")
	enter(t, b, p, user("0.1", "watcher"))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			o := user(fmt.Sprintf("1.%d", i), fmt.Sprintf("u%d", i))
			for range 20 {
				enter(t, b, p, o)
				publish(t, b, p, "from "+o.Member.UserID)
				leave(t, b, p, o)
			}
		})
	}
	wg.Wait()
	here := map[string]bool{}
	for i, e := range r.until(t, b, p) {
		expect(t, "sequence", e.Position.Seq, uint64(i+1))
		if m, ok := e.Diff.Added(); ok {
			here[m.UserID] = true
		} else if id, ok := e.Diff.Removed(); ok {
			delete(here, id)
		} else if id := e.Name[len("from "):]; !here[id] {
			t.Fatalf("%s published while not there", id)
		}
	}
	expect(t, "left at the end", here, map[string]bool{"watcher": true})
}

func commands(t *testing.T, b channels.Broker) {
	r := start(t, b)
	place := func(app string) channels.Place { return channels.Place{App: app, Channel: channels.ControlChannel} }
	command := func(app string, id uint64) channels.Position {
		c := channels.Control{
			Version: channels.ControlVersion, ID: id, Do: "revoke", Channels: "private-{x...}", Reason: "because",
			To: channels.Users("7").But(channels.On("news")), SpreadMS: -1500,
			Name: "e", Data: `{"x":1}`, Except: []protocol.SocketID{"1.1"}, User: "7",
		}
		at, err := b.Publish(t.Context(), channels.Envelope{Kind: channels.KindControl, Place: place(app), Control: &c})
		if err != nil {
			t.Fatalf("Publish: %v", err)
		}
		return at
	}
	// Somebody comes and goes between them, which changes nothing.
	const huge = 1<<64 - 1
	first := command("1", huge)
	enter(t, b, channels.Place{App: "1", Channel: "news"}, socket("1.1"))
	second := command("1", 2)
	leave(t, b, channels.Place{App: "1", Channel: "news"}, socket("1.1"))
	other := command("2", 3)
	third := command("1", 4)
	if second.Epoch != first.Epoch || second.Seq <= first.Seq || third.Epoch != first.Epoch || third.Seq <= second.Seq {
		t.Errorf("positions %v, %v, %v do not increase", first, second, third)
	}
	for app, want := range map[string][]channels.Position{"1": {first, second, third}, "2": {other}} {
		got, changed := r.all(place(app))
		for len(got) < len(want) {
			<-changed
			got, changed = r.all(place(app))
		}
		at := []channels.Position{}
		for _, e := range got {
			at = append(at, e.Position)
			if e.Kind != channels.KindControl || e.Control == nil || e.Control.Do != "revoke" {
				t.Errorf("delivered %+v, want a command", e)
			}
		}
		expect(t, "positions in app "+app, at, want)
	}
	got, _ := r.all(place("1"))
	expect(t, "the command", *got[0].Control, channels.Control{
		Version: channels.ControlVersion, ID: huge, Do: "revoke", Channels: "private-{x...}", Reason: "because",
		To: channels.Users("7").But(channels.On("news")), SpreadMS: -1500,
		Name: "e", Data: `{"x":1}`, Except: []protocol.SocketID{"1.1"}, User: "7",
	})
}
