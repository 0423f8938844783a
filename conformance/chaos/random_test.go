package chaos

import (
	"fmt"
	"testing"
	"time"

	"hark/channels/redisbroker/redistest"
)

// Everything at random. Afterwards everybody is right.
func TestRandom(t *testing.T) {
	plays(t, 200, func(t *testing.T, seed uint64) { random(t, newWorld(t), seed, 4) })
}

// The same on a cluster of three masters, one of which restarts.
func TestCluster(t *testing.T) {
	plays(t, 20, func(t *testing.T, seed uint64) { random(t, newCluster(t), seed, 3) })
}

// random has so many things happen.
func random(t *testing.T, w *world, seed uint64, things int) {
	p := w.stage(seed)
	next := 3
	for range things {
		p.traffic(50)
		nodes := p.standing()
		s := stroke{
			n:      nodes[p.rnd.IntN(len(nodes))].(*local),
			master: w.redis,
			d:      time.Duration(p.rnd.Int64N(int64(2 * w.lease))),
		}
		if w.cluster != nil {
			s.master = w.cluster.Masters[p.rnd.IntN(len(w.cluster.Masters))]
		}
		what := strokes[p.rnd.IntN(len(strokes))]
		t.Logf("seed %d: %s (%s, %v)", seed, what.name, s.n.title, s.d)
		what.strike(p, s)
		for len(p.standing()) < 3 {
			p.add(w.local(fmt.Sprintf("n%d", next)))
			next++
		}
	}
	w.lossless(p)
}

// A stroke is something that happens to a node or to Redis, and how long it lasts.
type stroke struct {
	n      *local
	master *redistest.Server
	d      time.Duration
}

var strokes = []struct {
	name   string
	strike func(*play, stroke)
}{
	{"a node dies", func(p *play, s stroke) {
		p.kill(s.n, func(*client) bool { return p.rnd.IntN(2) == 0 })
	}},
	{"a node ends", func(p *play, s stroke) {
		p.end(s.n, func(*client) bool { return p.rnd.IntN(4) == 0 })
	}},
	{"a node is cut off", func(p *play, s stroke) {
		p.lose(s.n)
		pick(p.rnd, s.n.network)
		lasting(s.d)
		s.n.network.Heal()
		p.regain(s.n)
	}},
	{"replies are lost", func(p *play, s stroke) {
		s.n.network.CutReplies(p.rnd.Int64N(3000))
	}},
	{"Redis pauses", func(p *play, s stroke) {
		s.master.Pause()
		lasting(s.d)
		s.master.Resume()
	}},
	{"Redis restarts", func(p *play, s stroke) {
		s.master.Kill()
		lasting(s.d)
		s.master.Restart()
	}},
}
