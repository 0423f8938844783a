package redisbroker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"hark/channels"
	"hark/channels/redisbroker"
	"hark/channels/redisbroker/redistest"
)

// A talker publishes numbers on a place by a node, and knows which were accepted.
type talker struct {
	node     *node
	name     string
	accepted []int        // owned by talk until it has ended
	next     atomic.Int64 // what it publishes next
	lossy    int64        // what is less was published before the master was killed

	count chan int // how many were accepted so far; the last is kept, never closed
	ended chan struct{}
}

// talk publishes until ctx ends.
func talk(ctx context.Context, n *node, p channels.Place, name string) *talker {
	k := &talker{node: n, name: name, count: make(chan int, 1), ended: make(chan struct{})}
	go func() { // ends with ctx
		defer close(k.ended)
		for ctx.Err() == nil {
			i := k.next.Add(1) - 1
			_, err := n.Publish(context.WithoutCancel(ctx), channels.Envelope{Place: p, Name: fmt.Sprintf("%s %d", name, i)})
			if err != nil {
				n.awaitUp(ctx)
				continue
			}
			k.accepted = append(k.accepted, int(i))
			select {
			case <-k.count:
			default:
			}
			k.count <- len(k.accepted)
		}
	}()
	return k
}

// awaitUp waits until the node has heard that Redis can be reached, or ctx ends.
func (n *node) awaitUp(ctx context.Context) {
	for ctx.Err() == nil {
		n.mu.Lock()
		up, changed := n.up, n.changed
		n.mu.Unlock()
		if up {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// more waits until so many more were accepted.
func (k *talker) more(n int) {
	for goal := <-k.count + n; <-k.count < goal; {
	}
}

// check compares what a node was told with what was accepted: in order, once, and what
// is missing was accepted by the master that was killed, and is missing where a gap was
// told.
func (k *talker) check(t *testing.T, who string, told []string) (lost int) {
	t.Helper()
	accepted := k.accepted
	last, gap := -1, false
	for _, what := range told {
		if what == "gap" {
			gap = true
			continue
		}
		var n int
		if by, text, ok := strings.Cut(what, " "); !ok || by != k.name {
			continue
		} else if _, err := fmt.Sscan(text, &n); err != nil {
			t.Fatal(err)
		}
		if n <= last {
			t.Errorf("%s was told %s after %d", who, what, last)
		}
		for len(accepted) > 0 && accepted[0] < n {
			lost++
			if !gap || accepted[0] >= int(k.lossy) {
				t.Errorf("%s was not told %s %d, which was accepted, before %s; of a gap: %v", who, k.name, accepted[0], what, gap)
			}
			accepted = accepted[1:]
		}
		if len(accepted) > 0 && accepted[0] == n {
			accepted = accepted[1:]
		}
		last, gap = n, false
	}
	if len(accepted) > 0 {
		t.Errorf("%s was not told %s %v at the end", who, k.name, accepted)
	}
	return lost
}

// known waits until Redis can be asked again, and returns its first answer.
func (n *node) known(p channels.Place) (users string, sockets int) {
	n.t.Helper()
	for {
		members, err := n.Members(n.t.Context(), p)
		switch {
		case err == nil:
			var ids []string
			for _, m := range members {
				ids = append(ids, m.UserID)
			}
			slices.Sort(ids)
			return strings.Join(ids, " "), n.info(p).Sockets
		case !errors.Is(err, channels.ErrUnavailable):
			n.t.Fatalf("Members: %v", err)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// A failure is a master's that a test brings about: it calls killed when that has ended,
// and returns when another has taken its place.
type failure func(a, b *node, p channels.Place, killed func())

// patient has a lease that is longer than a node may come later than another to the new
// master: after some connections that were refused go-redis tries once a second.
func patient(c redisbroker.Config) redisbroker.Config {
	c = short(c)
	c.Lease = 3 * time.Second
	return c
}

// failover has two nodes talk while their master fails, and users come and go. It checks
// what the nodes were told, and returns how many events were lost and how many gaps told.
func failover(t *testing.T, c redisbroker.Config, fail failure) (lost, gaps int) {
	t.Helper()
	a, b := run(t, c), run(t, c)
	nodes := map[string]*node{"a": a, "b": b}
	p := place("presence-a")
	a.enter(p, user("1.1", "ada"), user("1.2", "cy"))
	b.enter(p, user("2.1", "bob"), user("2.2", "cy"))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	talkers := []*talker{talk(ctx, a, p, "a"), talk(ctx, b, p, "b")}
	for _, k := range talkers {
		k.more(100)
	}
	fail(a, b, p, func() {
		for _, k := range talkers {
			k.lossy = k.next.Load()
		}
	})
	if err := b.Leave(t.Context(), p, user("2.1", "bob")); err != nil {
		t.Errorf("Leave: %v", err)
	}
	a.enter(p, user("1.3", "dan"))
	for _, k := range talkers {
		k.more(100)
	}
	stop()
	for _, k := range talkers {
		<-k.ended
	}
	a.until("bob has gone, when Redis knows again who is there", func() bool { return a.rosterLocked(p) == "ada cy dan" })
	for name, n := range nodes {
		if users, sockets := n.known(p); users != "ada cy dan" || sockets != 4 {
			t.Errorf("node %s says that %d sockets of [%s] are there, want 4 of [ada cy dan]", name, sockets, users)
		}
	}
	a.publish(p, "end")
	for name, n := range nodes {
		told := n.heard(p, "end")
		for _, k := range talkers {
			lost += k.check(t, name, told)
		}
		gaps += n.gapsOf(p)
		if n == a || n.gapsOf(p) > 0 { // the other does not know who was there before it
			n.until("its roster is right", func() bool { return n.rosterLocked(p) == "ada cy dan" })
		}
		movements(t, name, told)
	}
	t.Logf("%d and %d events accepted, %d lost, %d gaps; a: %s; b: %s",
		len(talkers[0].accepted), len(talkers[1].accepted), lost, gaps, &a.counts, &b.counts)
	return lost, gaps
}

// movements looks for comings and goings that were told twice, or that there were not.
func movements(t *testing.T, who string, told []string) {
	t.Helper()
	count := map[string]int{}
	for _, what := range told {
		count[what]++
	}
	for what, most := range map[string]int{"+ada": 1, "+bob": 1, "+cy": 1, "+dan": 1, "-bob": 1, "-ada": 0, "-cy": 0, "-dan": 0} {
		if count[what] > most {
			t.Errorf("node %s was told %s %d times, want at most %d", who, what, count[what], most)
		}
	}
}

// gapsOf returns how many gaps were told, which are counted too.
func (n *node) gapsOf(p channels.Place) int {
	n.t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.counts.counting.Lock()
	defer n.counts.counting.Unlock()
	if n.counts.gap != n.gaps[p] {
		n.t.Errorf("%d gaps were told, and %d counted", n.gaps[p], n.counts.gap)
	}
	return n.gaps[p]
}

// A master is killed under traffic, and Sentinels put its replica in its place: what was
// accepted arrives, or a gap is told where it is missing, and those are there who are.
func TestFailover(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t, redistest.Options{})
	replica := redistest.StartReplica(t, master)
	admit(t, false, master, replica)
	g := sentinels(t, master, 1)
	failover(t, patient(redisbroker.Config{Redis: behind(g), Prefix: prefix()}), func(_, _ *node, _ channels.Place, killed func()) {
		master.Kill()
		killed()
		g.Await(replica)
	})
	refusedNothing(t, append(g.All, replica)...)
}

// The replica had not got the last of it: that is told as a gap, and counted.
func TestFailoverLoses(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t, redistest.Options{})
	replica := redistest.StartReplica(t, master)
	admit(t, false, master, replica)
	g := sentinels(t, master, 1)
	_, gaps := failover(t, patient(redisbroker.Config{Redis: behind(g), Prefix: prefix()}), func(a, b *node, p channels.Place, killed func()) {
		replica.Abandon()
		a.publish(p, "only the master has it")
		b.heard(p, "only the master has it")
		master.Kill()
		killed()
		g.Await(replica)
	})
	if gaps < 2 {
		t.Errorf("%d gaps were told, want one on each node", gaps)
	}
}

// A master of a cluster is killed, and its replica takes its slots.
func TestClusterFailover(t *testing.T) {
	t.Parallel()
	options := redistest.Options{Args: []string{"--cluster-node-timeout", "500"}}
	c := redistest.StartCluster(t, options, redistest.Thirds...)
	config := patient(redisbroker.Config{
		Redis:  redis.UniversalOptions{Addrs: c.Addrs(), IsClusterMode: true},
		Prefix: prefix(), Partitions: 1,
	})
	master := c.MasterOf(config.Prefix + ":{p0}:")
	replica := c.Replica(master)
	failover(t, config, func(_, _ *node, _ channels.Place, killed func()) {
		master.Kill()
		killed()
		c.AwaitMaster(replica)
	})
}
