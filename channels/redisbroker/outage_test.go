package redisbroker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hark/channels"
	"hark/channels/redisbroker/redistest"
)

// A node that loses its connections hears everything, once and in order.
func TestReset(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	proxies := []*redistest.Proxy{redistest.NewProxy(t, s.Addr()), redistest.NewProxy(t, s.Addr())}
	own := prefix()
	a, b := run(t, through(proxies[0], own)), run(t, through(proxies[1], own))
	p := place("presence-a")
	a.enter(p, user("1.1", "ada"))
	b.enter(p, user("2.1", "bob"))
	const events = 600
	for i := range events {
		if i%60 == 30 {
			proxies[i/60%2].Reset()
		}
		a.publish(p, fmt.Sprint(i))
	}
	a.publish(p, "end")
	for name, n := range map[string]*node{"a": a, "b": b} {
		got := n.heard(p, "end")
		next := 0
		for _, what := range got {
			if what == fmt.Sprint(next) {
				next++
			}
		}
		if next != events || slices.Contains(got, "gap") {
			t.Errorf("node %s heard %d of %d events in order", name, next, events)
		}
	}
	t.Logf("caught up: a %s, b %s", &a.counts, &b.counts)
}

// A publish whose answer is lost is repeated, and is there once.
func TestLostAnswers(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	proxy := redistest.NewProxy(t, s.Addr())
	own := prefix()
	a, b := run(t, through(proxy, own)), run(t, through(redistest.NewProxy(t, s.Addr()), own))
	p := place("presence-a")
	a.enter(p, user("1.1", "ada"))
	b.enter(p, user("2.1", "bob"))
	refused := 0
	for i := range 100 {
		if i%5 == 0 {
			proxy.CutReplies(0)
		}
		refused += a.publish(p, fmt.Sprint(i))
	}
	b.publish(p, "end")
	got := b.heard(p, "end")
	twice := 0
	for i := range 100 {
		n := 0
		for _, what := range got {
			if what == fmt.Sprint(i) {
				n++
			}
		}
		if n == 0 {
			t.Errorf("event %d was accepted and is not there", i)
		}
		twice += max(n-1, 0)
	}
	if twice > refused {
		t.Errorf("%d events are there twice, and only %d were refused", twice, refused)
	}
	t.Logf("refused %d, twice %d", refused, twice)
	// Enter is counted once, however often it was sent.
	for i := range 20 {
		proxy.CutReplies(0)
		a.enter(p, user(fmt.Sprintf("1.%d", i+2), "ada"))
	}
	if info := b.info(p); info.Sockets != 22 || info.Users != 2 {
		t.Errorf("counted %+v, want 22 sockets of 2 users", info)
	}
}

// Who sends a call waits for its answer no longer than its context lasts, and whoever
// comes after it is not concerned.
func TestSenderGivesUp(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	proxy := redistest.NewProxy(t, s.Addr())
	config := through(proxy, prefix())
	config.Timeout = patience
	n := run(t, config)
	p := place("a")
	n.enter(p, user("1.1", ""))
	proxy.Stall(redistest.FromRedis)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	publish := func(ctx context.Context, name string) error {
		_, err := n.Publish(ctx, channels.Envelope{Place: p, Name: name})
		return err
	}
	second := make(chan error, 1)
	go func() { second <- publish(t.Context(), "second") }()
	if err := publish(ctx, "first"); !errors.Is(err, channels.ErrUnavailable) {
		t.Errorf("Publish without an answer: %v, want ErrUnavailable", err)
	}
	proxy.Heal()
	if err := <-second; err != nil {
		t.Errorf("Publish beside it: %v", err)
	}
	n.heard(p, "second")
}

// A user whose Enter is made again, since its answer was lost, has come once.
func TestLostEnter(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	proxy := redistest.NewProxy(t, s.Addr())
	own := prefix()
	a, b := run(t, through(proxy, own)), run(t, through(redistest.NewProxy(t, s.Addr()), own))
	p := place("presence-a")
	b.enter(p, user("2.1", "bob"))
	want := []string{"+bob"}
	for i := range 10 {
		who := fmt.Sprint("u", i)
		proxy.CutReplies(0)
		a.enter(p, user(fmt.Sprint("1.", i), who))
		want = append(want, "+"+who)
	}
	b.publish(p, "end")
	b.heard(p, "end")
	expectTold(t, b, p, append(want, "end")...)
}

// A node that leaves a place on which a call of it was lost is remembered there only as long as that call may arrive.
func TestLostCallIsForgotten(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	proxy := redistest.NewProxy(t, s.Addr())
	own := prefix()
	config := through(proxy, own)
	config.Partitions, config.Timeout = 1, 500*time.Millisecond
	a, b := run(t, config), run(t, config)
	p := place("presence-a")
	b.enter(p, user("2.1", "bob"))
	var sockets []channels.Occupant
	for i := range 10 {
		proxy.CutReplies(0)
		sockets = append(sockets, user(fmt.Sprint("1.", i), fmt.Sprint("u", i)))
		a.enter(p, sockets[i])
	}
	<-time.After(config.Timeout)
	a.leave(p, sockets...)
	names, err := s.Do("HKEYS", own+":{p0}:n:1:presence-a")
	if got := strings.Fields(names); err != nil || len(got) != 1 {
		t.Errorf("on the place are %q, %v, want b alone", got, err)
	}
}

// A user whose Enter was carried out, which was not heard, and who is then refused with others is gone.
func TestLostEnterIsRefused(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	proxy := redistest.NewProxy(t, s.Addr())
	own := prefix()
	a, b := run(t, through(proxy, own)), run(t, through(redistest.NewProxy(t, s.Addr()), own))
	p := place("presence-a")
	b.enter(p, user("2.1", "bob"))
	a.enter(p, user("1.0", "ada"))
	proxy.Stall(redistest.FromRedis)
	lost := make(chan error, 1)
	go func() {
		_, err := a.Enter(t.Context(), p, user("1.1", "cy"))
		lost <- err
	}()
	b.heard(p, "+cy")
	refused := make(chan error, 1)
	go func() {
		cy, eve := user("1.1", "cy"), user("1.2", "eve")
		cy.MaxMembers, eve.MaxMembers = 3, 3
		_, err := a.Enter(t.Context(), p, cy, eve)
		refused <- err
	}()
	proxy.Reset()
	proxy.Heal()
	if err := <-lost; !errors.Is(err, channels.ErrUnavailable) {
		t.Errorf("Enter whose answer does not come: %v, want ErrUnavailable", err)
	}
	if err := <-refused; !errors.Is(err, channels.ErrFull) {
		t.Errorf("Enter of two where there is room for one: %v, want ErrFull", err)
	}
	b.until("cy is gone", func() bool { return !b.rosters[p]["cy"] })
}

// While Redis is away nothing is accepted; when it is back with its data nothing that
// was accepted is missing, and nobody seems to have come or gone.
func TestRestartWithData(t *testing.T) {
	s := redistest.Start(t, redistest.Options{AppendOnly: true})
	own := prefix()
	a := run(t, through(redistest.NewProxy(t, s.Addr()), own))
	b := run(t, through(redistest.NewProxy(t, s.Addr()), own))
	p := place("presence-a")
	a.enter(p, user("1.1", "ada"))
	b.enter(p, user("2.1", "bob"))
	for i := range 50 {
		a.publish(p, fmt.Sprint(i))
	}
	s.Kill()
	if _, err := a.Publish(t.Context(), channels.Envelope{Place: p, Name: "x"}); !errors.Is(err, channels.ErrUnavailable) {
		t.Errorf("Publish while Redis is away: %v, want ErrUnavailable", err)
	}
	a.until("it is down", func() bool { return !a.up })
	if err := a.Leave(t.Context(), p, user("1.9", "nobody")); err != nil {
		t.Errorf("Leave while Redis is away: %v", err)
	}
	if _, err := a.Info(t.Context(), p); !errors.Is(err, channels.ErrUnavailable) {
		t.Errorf("Info while Redis is away: %v, want ErrUnavailable", err)
	}
	s.Restart()
	b.publish(p, "end")
	for _, n := range []*node{a, b} {
		got := n.heard(p, "end")
		var events []string
		for _, what := range got {
			if what != "+ada" && what != "+bob" && what != "x" {
				events = append(events, what)
			}
		}
		if len(events) != 51 {
			t.Errorf("heard %d events, want 51: %v", len(events), events)
		}
		if r := n.roster(p); n == a && r != "ada bob" {
			t.Errorf("roster %q", r)
		}
	}
}

// Redis has accepted an event, and lost it before anybody heard of it: who published it
// finds that out, and all are told of a gap.
func TestRestartLoses(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	own, network := prefix(), redistest.NewProxy(t, s.Addr())
	a, b := run(t, through(network, own)), run(t, through(redistest.NewProxy(t, s.Addr()), own))
	p := place("presence-a")
	a.enter(p, user("1.1", "ada"))
	b.publish(p, "before")
	a.heard(p, "before")
	do(t, s, "SAVE")
	network.BlackHole(redistest.FromRedis)
	if refused := b.publish(p, "lost"); refused > 0 {
		t.Fatalf("refused %d times", refused)
	}
	s.Kill()
	b.until("it is down", func() bool { return !b.up })
	s.Restart() // with what was saved
	network.Heal()
	b.publish(p, "after")
	got := a.heard(p, "after")
	got = got[slices.Index(got, "before"):]
	if want := []string{"before", "gap", "after"}; !slices.Equal(got[:min(3, len(got))], want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

// A Redis that comes back with nothing is told everything by the nodes: subscribers
// hear of one gap, and of nobody coming or going.
func TestRestartWithout(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	own := prefix()
	a := run(t, through(redistest.NewProxy(t, s.Addr()), own))
	b := run(t, through(redistest.NewProxy(t, s.Addr()), own))
	p := place("presence-a")
	a.enter(p, user("1.1", "ada"), user("1.2", "cy"))
	b.enter(p, user("2.1", "bob"), user("2.2", "cy"))
	a.publish(p, "before")
	a.heard(p, "before")
	b.heard(p, "before")
	s.Kill()
	a.until("it is down", func() bool { return !a.up })
	b.until("it is down", func() bool { return !b.up })
	if err := b.Leave(t.Context(), p, user("2.2", "cy")); err != nil {
		t.Error(err)
	}
	s.Restart()
	for _, n := range []*node{a, b} {
		n.until("there is a gap", func() bool { return n.gaps[p] > 0 })
	}
	a.publish(p, "between")
	for _, n := range []*node{a, b} {
		n.until("there is a state", func() bool { return !n.unsettled[p] })
	}
	a.publish(p, "after")
	for _, n := range []*node{a, b} {
		got := n.heard(p, "after")
		got = got[slices.Index(got, "before"):]
		for _, what := range got {
			if what[0] == '+' || what[0] == '-' {
				t.Errorf("told %v: nobody came or went", got)
				break
			}
		}
		if !slices.Contains(got, "between") || n.gaps[p] != 1 {
			t.Errorf("told %v: want one gap, and nothing missing after it", got)
		}
		if r := n.roster(p); r != "ada bob cy" {
			t.Errorf("roster %q, want ada bob cy", r)
		}
	}
	if info := a.info(p); info.Sockets != 3 || info.Users != 3 {
		t.Errorf("counted %+v, want 3 sockets of 3 users", info)
	}
}

// A node that was swept is to tell everybody that its users are back, and Redis restarts before it can: that is told
// nevertheless, to webhooks too.
func TestRestartBeforeReturn(t *testing.T) {
	s := redistest.Start(t, keeps)
	network := redistest.NewProxy(t, s.Addr())
	own := prefix()
	a, b := run(t, through(redistest.NewProxy(t, s.Addr()), own)), run(t, through(network, own))
	p := place("presence-a")
	a.enter(p, user("1.1", "ada"))
	b.enter(p, user("2.1", "bob"))
	network.Refuse()
	a.heard(p, "-bob")
	b.until("it is down", func() bool { return !b.up })
	for range 2 { // for a lease after the first nobody can be told
		s.Kill()
		s.Restart()
		network.Heal()
		b.until("it is up", func() bool { return b.up })
	}
	a.until("bob is back", func() bool { return a.rosters[p]["bob"] })
	expectNotes(t, s, own, "presence-a channel_occupied", "presence-a member_added ada",
		"presence-a member_added bob", "presence-a member_added bob", "presence-a member_removed bob")
}

// A node that nobody hears of loses what it has, once; when it is back it is there
// again.
func TestPartition(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	proxy := redistest.NewProxy(t, s.Addr())
	own := prefix()
	a, b := run(t, through(proxy, own)), run(t, through(redistest.NewProxy(t, s.Addr()), own))
	p := place("presence-a")
	a.enter(p, user("1.1", "ada"), user("1.2", "cy"))
	b.enter(p, user("2.1", "bob"), user("2.2", "cy"))
	proxy.Partition(true)
	b.heard(p, "-ada")
	if info := b.info(p); info.Sockets != 2 || info.Users != 2 {
		t.Errorf("counted %+v while the node is away, want 2 sockets of 2 users", info)
	}
	b.publish(p, "meanwhile")
	proxy.Partition(false)
	b.heard(p, "+ada")
	b.publish(p, "end")
	got := b.heard(p, "end")
	count := map[string]int{}
	for _, what := range got {
		count[what]++
	}
	if count["-ada"] != 1 || count["-cy"] != 0 || count["+ada"] != 1 {
		t.Errorf("told %v: ada went once and came once", got)
	}
	got = a.heard(p, "end")
	if slices.Contains(got, "gap") || !slices.Contains(got, "meanwhile") {
		t.Errorf("the node that was away heard %v, want everything and no gap", got)
	}
	if r := a.roster(p); r != "ada bob cy" {
		t.Errorf("its roster is %q", r)
	}
	if info := a.info(p); info.Sockets != 4 || info.Users != 3 {
		t.Errorf("counted %+v, want 4 sockets of 3 users", info)
	}
}

// What reaches Redis after its publisher was told that it was not accepted does
// nothing there.
func TestPausedRedis(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	own := prefix()
	config := through(redistest.NewProxy(t, s.Addr()), own)
	config.Timeout = 300 * time.Millisecond
	a := run(t, config)
	p := place("presence-a")
	a.enter(p, user("1.1", "ada"))
	a.publish(p, "before")
	a.heard(p, "before")
	s.Pause()
	clock, stop := redistest.StartClock(config.Timeout)
	defer stop()
	for i := range 5 {
		began := clock.Now()
		if _, err := a.Publish(t.Context(), channels.Envelope{Place: p, Name: fmt.Sprint("late ", i)}); !errors.Is(err, channels.ErrUnavailable) {
			t.Errorf("Publish: %v, want ErrUnavailable", err)
		}
		if took := clock.Since(began); took > 2*time.Second {
			t.Errorf("Publish took %v", took)
		}
	}
	a.until("it is down", func() bool { return !a.up })
	s.Resume()
	a.publish(p, "end")
	got := slices.Compact(a.heard(p, "end")) // what was refused, and published again, may be there twice
	if !slices.Equal(got, []string{"+ada", "before", "end"}) {
		t.Errorf("heard %v", got)
	}
}
