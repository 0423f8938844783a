package chaos

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"hark/protocol"
)

// The clock of one of three nodes is five minutes ahead, with another seed behind. Nothing changes: leases, positions, grants
// and what is taken back go by Redis's clock, or by how long something has lasted. What is signed with a time may be ten
// minutes old, and the end of a token is read off each node's own clock.
func TestSkew(t *testing.T) {
	if !long() {
		t.Skip("it builds a program with another clock: make chaos")
	}
	plays(t, 4, func(t *testing.T, seed uint64) {
		w := newWorld(t)
		p := newPlay(t, seed)
		skew := 5 * time.Minute
		if seed%2 == 0 {
			skew = -skew
		}
		wrong := w.skewed("n0", skew, true)
		right := w.skewed("n1", 0, false)
		for _, n := range []node{wrong, right, w.process(2)} {
			p.add(n)
		}
		p.people()
		p.publish(2, 8*time.Millisecond)
		p.churn(2)
		p.traffic(100)
		revokes(t, wrong, right)
		revokes(t, right, wrong)
		grants(t, wrong, right)
		p.traffic(100)
		p.kill(p.node("n2"), func(*client) bool { return p.rnd.IntN(2) == 0 })
		w.gone(p)
		p.add(w.process(3))
		p.traffic(100)
		w.lossless(p)
		tokens(t, wrong, skew)
	})
}

// skewed starts a process whose clock is ahead by skew, and makes sure that it is.
func (w *world) skewed(title string, skew time.Duration, allows bool) *process {
	w.t.Helper()
	n := startProcess(w.t, processConfig{
		Title: title, Redis: w.redis.Addr(), Lease: w.lease.Milliseconds(), Allows: allows, Skew: skew,
	})
	if got, err := n.clock(); err != nil || got != skew {
		w.t.Fatalf("the clock of %s is ahead by %v (%v), want %v", title, got, err, skew)
	}
	return n
}

// revokes takes back by one node what is signed for sockets on both: they are told, and what is signed for the same
// sockets opens nothing again; a new socket begins anew.
func revokes(t *testing.T, by, other *process) {
	t.Helper()
	channel := fmt.Sprintf("private-of-%s", by.title)
	var all []*visitor
	come := func(n *process) *visitor {
		v, err := n.visit(key, nil)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	sign := func(v *visitor) string { return key.ChannelAuth(v.id, channel, "", false) }
	for _, n := range []*process{by, other} {
		v := come(n)
		v.subscribe(channel, sign(v))
		v.expect(protocol.EventSubscriptionSucceeded, "")
		all = append(all, v)
	}
	body := []byte(`{"to":{"everyone":true},"channels":"` + channel + `"}`)
	if err := by.ask(context.Background(), "POST", "/apps/"+appID+"/hark/revoke", nil, body, nil); err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		v.expect(protocol.EventSubscriptionError, "403")
		v.subscribe(channel, sign(v))
		v.expect(protocol.EventError, "")
		v.expect(protocol.EventSubscriptionError, "")
		again := come(v.at)
		again.subscribe(channel, sign(again))
		again.expect(protocol.EventSubscriptionSucceeded, "")
	}
}

// grants has one node grant what another would not: the other redeems it, once.
func grants(t *testing.T, grants, redeems *process) {
	t.Helper()
	const channel = "private-granted"
	who := token("ada", time.Hour)
	v, err := redeems.visit(delegatedKey, who)
	if err != nil {
		t.Fatal(err)
	}
	auth, err := grants.authorize(v, channel, who)
	if err != nil {
		t.Fatal(err)
	}
	v.subscribe(channel, auth)
	v.expect(protocol.EventSubscriptionSucceeded, "")
	if _, err := redeems.authorize(v, channel, who); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("%s: %v, want that it denies what %s grants", redeems.title, err, grants.title)
	}
}

// tokens sees that a node goes by its own clock where a token ends.
func tokens(t *testing.T, n *process, skew time.Duration) {
	t.Helper()
	for _, tt := range []struct {
		lasts time.Duration // from now, by the clock here
		taken bool
	}{
		{skew + time.Minute, true},
		{skew - time.Minute, false},
	} {
		if _, err := n.visit(delegatedKey, token("ada", tt.lasts)); (err == nil) != tt.taken {
			t.Errorf("a clock ahead by %v, and a token that lasts %v: %v, want it taken: %v", skew, tt.lasts, err, tt.taken)
		}
	}
}
