package chaos

import (
	"math/rand/v2"
	"testing"

	"hark/channels/redisbroker/redistest"
)

// Answers get lost on the way, again and again: what was asked for has been done, and is not done twice.
func TestLostReplies(t *testing.T) {
	plays(t, 5, func(t *testing.T, seed uint64) {
		w := newWorld(t)
		p := w.stage(seed)
		for range 40 {
			p.traffic(15)
			n := p.standing()[p.rnd.IntN(3)].(*local)
			n.network.CutReplies(p.rnd.Int64N(3000))
		}
		w.lossless(p)
		cuts := 0
		for _, n := range p.standing() {
			cuts += n.(*local).network.Counts().Cuts
		}
		t.Logf("%d connections lost their replies", cuts)
	})
}

// A node is cut off from Redis for longer than its lease, in each of the ways in which networks fail.
func TestPartition(t *testing.T) {
	plays(t, 3, func(t *testing.T, seed uint64) {
		w := newWorld(t)
		p := w.stage(seed)
		for _, f := range faults {
			p.traffic(50)
			n := p.standing()[p.rnd.IntN(3)].(*local)
			p.lose(n)
			f.set(n.network)
			t.Logf("%s: %s", n.title, f.name)
			w.gone(p)
			n.network.Heal()
			p.regain(n)
			p.rest(patience, false)
		}
		w.lossless(p)
	})
}

// faults are how a network fails for longer than a lease. While one is only slow nobody is lost.
var faults = []struct {
	name string
	set  func(*redistest.Proxy)
}{
	{"half-open", (*redistest.Proxy).HalfOpen},
	{"refused", (*redistest.Proxy).Refuse},
	{"black hole", func(n *redistest.Proxy) { n.BlackHole(redistest.Both) }},
	{"requests stall", func(n *redistest.Proxy) { n.Stall(redistest.ToRedis) }},
	{"both ways stall", func(n *redistest.Proxy) { n.Stall(redistest.Both) }},
}

// A node's network hiccups for less than its lease.
func TestHiccups(t *testing.T) {
	plays(t, 5, func(t *testing.T, seed uint64) {
		w := newWorld(t)
		p := w.stage(seed)
		hiccups := []func(*redistest.Proxy){
			(*redistest.Proxy).Reset,
			func(n *redistest.Proxy) { n.Latency(lease / 20) },
			func(n *redistest.Proxy) { n.Stall(redistest.Both) },
			func(n *redistest.Proxy) { n.Stall(redistest.FromRedis) },
			(*redistest.Proxy).Refuse,
			func(n *redistest.Proxy) { n.BlackHole(redistest.FromRedis) },
		}
		for _, hiccup := range hiccups {
			p.traffic(50)
			n := p.standing()[p.rnd.IntN(3)].(*local)
			hiccup(n.network)
			lasting(lease / 4)
			n.network.Heal()
		}
		w.lossless(p)
	})
}

// pick has a network fail in one of the ways.
func pick(rnd *rand.Rand, n *redistest.Proxy) {
	ways := []func(*redistest.Proxy){
		(*redistest.Proxy).HalfOpen,
		(*redistest.Proxy).Refuse,
		func(n *redistest.Proxy) { n.BlackHole(redistest.FromRedis) },
		func(n *redistest.Proxy) { n.Stall(redistest.Both) },
	}
	ways[rnd.IntN(len(ways))](n)
}
