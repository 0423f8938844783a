package redisbroker_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"hark/channels"
	"hark/channels/redisbroker"
	"hark/channels/redisbroker/redistest"
	"hark/protocol"
)

// A node is a broker that runs, and all that it was told.
type node struct {
	*redisbroker.Broker
	counts counts
	t      *testing.T
	stop   func() // ends Run and waits for it

	mu      sync.Mutex
	told    map[channels.Place][]string
	rosters map[channels.Place]map[string]bool
	last    map[channels.Place]channels.Position
	gaps    map[channels.Place]int
	wrong   []string
	up      bool
	outages int
	changed chan struct{}

	unsettled map[channels.Place]bool // the last gap left open who is there
	answer    func(context.Context) (string, error)
}

// patience bounds what has to come some time, whatever the load of the machine.
const patience = 20 * time.Second

// short has everything happen ten times as fast.
func short(c redisbroker.Config) redisbroker.Config {
	c.Lease, c.Beat = 700*time.Millisecond, 200*time.Millisecond
	return c
}

// through is a configuration that reaches the server by a proxy.
func through(p *redistest.Proxy, prefix string) redisbroker.Config {
	return short(redisbroker.Config{Redis: redis.UniversalOptions{Addrs: []string{p.Addr()}}, Prefix: prefix})
}

// run starts a node, and returns when it is up.
func run(t *testing.T, c redisbroker.Config) *node {
	t.Helper()
	n := begin(t, c)
	n.until("it is up", func() bool { return n.up })
	return n
}

// begin starts a node.
func begin(t *testing.T, c redisbroker.Config) *node {
	t.Helper()
	n := &node{
		t: t, told: map[channels.Place][]string{}, rosters: map[channels.Place]map[string]bool{},
		last: map[channels.Place]channels.Position{}, gaps: map[channels.Place]int{}, unsettled: map[channels.Place]bool{}, changed: make(chan struct{}),
	}
	c.Counters = &n.counts
	n.Broker = open(t, c)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx, n) }()
	var once sync.Once
	n.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Run: %v", err)
			}
		})
	}
	t.Cleanup(func() {
		n.stop()
		for _, w := range n.wrong {
			t.Error(w)
		}
	})
	return n
}

func (n *node) change(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
	close(n.changed)
	n.changed = make(chan struct{})
}

func (n *node) Deliver(e channels.Envelope) {
	n.change(func() {
		last, before := n.last[e.Place]
		if before && e.Kind != channels.KindControl && last.Epoch == e.Position.Epoch && e.Position.Seq != last.Seq+1 {
			n.wrong = append(n.wrong, fmt.Sprintf("%s: position %d follows %d", e.Place.Channel, e.Position.Seq, last.Seq))
		}
		n.last[e.Place] = e.Position
		what := e.Name
		if n.rosters[e.Place] == nil {
			n.rosters[e.Place] = map[string]bool{}
		}
		switch e.Kind {
		case channels.KindChange:
			if m, ok := e.Diff.Added(); ok {
				what = "+" + m.UserID
				n.rosters[e.Place][m.UserID] = true
			} else if id, ok := e.Diff.Removed(); ok {
				what = "-" + id
				delete(n.rosters[e.Place], id)
			}
		case channels.KindCount:
			what = fmt.Sprintf("count %d", e.Sockets)
		case channels.KindControl:
			what = e.Control.Do
		}
		n.told[e.Place] = append(n.told[e.Place], what)
	})
}

func (n *node) Gap(p channels.Place, now channels.Snapshot) {
	n.change(func() {
		n.gaps[p]++
		n.last[p] = now.Position
		n.told[p] = append(n.told[p], "gap")
		if n.unsettled[p] = now.Unsettled; !now.Unsettled {
			n.takeLocked(p, now)
		}
	})
}

func (n *node) Answer(ctx context.Context, _ string) (string, error) {
	n.mu.Lock()
	answer := n.answer
	n.mu.Unlock()
	if answer != nil {
		return answer(ctx)
	}
	return "here", nil
}

func (n *node) Correct(p channels.Place, now channels.Snapshot) {
	n.change(func() {
		if last, before := n.last[p]; before && last != now.Position {
			n.wrong = append(n.wrong, fmt.Sprintf("%s: corrected at %v after %v", p.Channel, now.Position, last))
		}
		n.unsettled[p] = false
		n.takeLocked(p, now)
	})
}

func (n *node) takeLocked(p channels.Place, now channels.Snapshot) {
	n.rosters[p] = map[string]bool{}
	for _, m := range now.Members {
		n.rosters[p][m.UserID] = true
	}
}

func (n *node) State(err error) {
	n.change(func() {
		if n.up = err == nil; !n.up {
			n.outages++
		}
	})
}

// until waits until f, which is called under mu, is true.
func (n *node) until(what string, f func() bool) {
	n.t.Helper()
	late := time.After(patience)
	for {
		n.mu.Lock()
		ok, changed := f(), n.changed
		n.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-late:
			n.mu.Lock()
			defer n.mu.Unlock()
			n.t.Fatalf("waited %v until %s; told %v", patience, what, n.told)
		}
	}
}

// heard waits until n was told of something on p, and returns all that it was told.
func (n *node) heard(p channels.Place, what string) []string {
	n.t.Helper()
	var got []string
	n.until("it hears "+what, func() bool {
		got = slices.Clone(n.told[p])
		return slices.Contains(got, what)
	})
	return got
}

func (n *node) roster(p channels.Place) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.rosterLocked(p)
}

func (n *node) rosterLocked(p channels.Place) string {
	return strings.Join(slices.Sorted(maps.Keys(n.rosters[p])), " ")
}

// enter enters, again while Redis is away, as the hub does.
func (n *node) enter(p channels.Place, o ...channels.Occupant) channels.Snapshot {
	n.t.Helper()
	for {
		snapshot, err := n.Enter(n.t.Context(), p, o...)
		if err == nil {
			return snapshot
		}
		n.until("it is up", func() bool { return n.up })
	}
}

// publish publishes, again while it is refused, and returns how often it was.
func (n *node) publish(p channels.Place, name string) (refused int) {
	n.t.Helper()
	for {
		_, err := n.Publish(n.t.Context(), channels.Envelope{Place: p, Name: name})
		if err == nil {
			return refused
		}
		refused++
		n.until("it is up", func() bool { return n.up })
	}
}

func (n *node) info(p channels.Place) channels.ChannelInfo {
	n.t.Helper()
	info, err := n.Info(n.t.Context(), p)
	if err != nil {
		n.t.Fatalf("Info: %v", err)
	}
	return info
}

// counts counts what a Broker counts.
type counts struct {
	counting                                  sync.Mutex
	caughtUp, gap, overflowed, fenced, sweeps int

	unanswered chan struct{} // gets one for each; nil: nobody looks
}

func (c *counts) add(to *int, n int) {
	c.counting.Lock()
	defer c.counting.Unlock()
	*to += n
}

func (c *counts) String() string {
	c.counting.Lock()
	defer c.counting.Unlock()
	return fmt.Sprintf("caught up %d, gaps %d, overflowed %d, fenced %d, swept %d", c.caughtUp, c.gap, c.overflowed, c.fenced, c.sweeps)
}

func (c *counts) CaughtUp(n int) { c.add(&c.caughtUp, n) }
func (c *counts) Gap()           { c.add(&c.gap, 1) }
func (c *counts) Overflow(n int) { c.add(&c.overflowed, n) }
func (c *counts) Fenced()        { c.add(&c.fenced, 1) }
func (c *counts) Swept()         { c.add(&c.sweeps, 1) }
func (c *counts) Unanswered() {
	c.counting.Lock()
	defer c.counting.Unlock()
	if c.unanswered != nil {
		c.unanswered <- struct{}{}
	}
}

func place(channel string) channels.Place { return channels.Place{App: "1", Channel: channel} }

func user(id, user string) channels.Occupant {
	return channels.Occupant{Socket: protocol.SocketID(id), Member: protocol.Member{UserID: user}}
}
