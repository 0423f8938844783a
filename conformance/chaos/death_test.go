package chaos

import (
	"fmt"
	"testing"
	"time"
)

// A node dies. Some of its clients come back elsewhere; the others are gone for everybody within the lease and 2 s.
func TestKill(t *testing.T) {
	plays(t, 10, func(t *testing.T, seed uint64) { newWorld(t).deaths(seed) })
}

// The same with the lease that is the default.
func TestKillByDefault(t *testing.T) {
	if !long() {
		t.Skip("it takes long: make chaos")
	}
	plays(t, 10, func(t *testing.T, seed uint64) {
		w := newWorld(t)
		w.lease = 7 * time.Second
		w.deaths(seed)
	})
}

func (w *world) deaths(seed uint64) {
	w.t.Helper()
	p := w.stage(seed)
	for round := range 2 {
		p.traffic(100)
		p.die(round)
		w.gone(p)
		p.add(w.local(fmt.Sprintf("n%d", 3+round)))
	}
	w.lossless(p)
}

// The same with processes, by kill -9.
func TestKillProcess(t *testing.T) {
	plays(t, 5, func(t *testing.T, seed uint64) {
		w := newWorld(t)
		p := w.processes(seed, 3)
		for round := range 2 {
			p.traffic(50)
			p.die(round)
			w.gone(p)
			p.add(w.process(3 + round))
		}
		w.lossless(p)
	})
}

// die kills any node. Of its clients some do not come back, among them the only one of a user.
func (p *play) die(round int) {
	p.t.Helper()
	nodes := p.standing()
	n := nodes[p.rnd.IntN(len(nodes))]
	alone := p.enter(fmt.Sprintf("a%d", round), fmt.Sprintf("alone%d", round), n.name())
	p.settled()
	p.rest(patience, false)
	p.kill(n, func(c *client) bool { return c == alone || p.rnd.IntN(2) == 0 })
}

// processes begins a play with nodes that are processes.
func (w *world) processes(seed uint64, n int) *play {
	w.t.Helper()
	p := newPlay(w.t, seed)
	for i := range n {
		p.add(w.process(i))
	}
	p.people()
	p.publish(1, 10*time.Millisecond)
	return p
}

func (w *world) process(i int) *process {
	w.t.Helper()
	return startProcess(w.t, processConfig{Title: fmt.Sprintf("n%d", i), Redis: w.redis.Addr(), Lease: w.lease.Milliseconds()})
}

// A process stops (SIGSTOP) for longer than its lease, and then goes on as if nothing had happened.
func TestFreeze(t *testing.T) {
	plays(t, 5, func(t *testing.T, seed uint64) {
		w := newWorld(t)
		p := w.processes(seed, 3)
		p.traffic(50)
		n := p.standing()[p.rnd.IntN(3)].(*process)
		p.lose(n)
		n.freeze()
		w.gone(p)
		if long() {
			lasting(20 * time.Second)
		}
		n.thaw()
		p.regain(n)
		p.traffic(50)
		w.lossless(p)
	})
}

// The same, shorter than the lease: nobody notices.
func TestFreezeBriefly(t *testing.T) {
	plays(t, 5, func(t *testing.T, seed uint64) {
		w := newWorld(t)
		p := w.processes(seed, 2)
		for range 5 {
			p.traffic(20)
			n := p.standing()[p.rnd.IntN(2)].(*process)
			n.freeze()
			lasting(lease / 4)
			n.thaw()
		}
		w.lossless(p)
	})
}

// All of them stop, and Redis too, as on a machine that stands still, and go on one after the other: nobody has died of it.
func TestStandstill(t *testing.T) {
	plays(t, 5, func(t *testing.T, seed uint64) {
		w := newWorld(t)
		p := w.processes(seed, 3)
		p.traffic(50)
		nodes := p.standing()
		for _, n := range nodes {
			n.(*process).freeze()
		}
		w.redis.Pause()
		lasting(lease + lease/3)
		w.redis.Resume()
		for _, i := range p.rnd.Perm(len(nodes)) {
			nodes[i].(*process).thaw()
			lasting(lease / 6)
		}
		p.traffic(50)
		w.lossless(p)
	})
}

// Three nodes are replaced one after the other, under traffic: nothing is lost, and nobody is told that anybody has gone who
// comes back to another node. On each was a user who does not: that is told once.
func TestRollingRestart(t *testing.T) {
	plays(t, 3, func(t *testing.T, seed uint64) {
		w := newWorld(t)
		p := w.stage(seed)
		for i, n := range p.standing() {
			p.traffic(100)
			alone := p.enter(fmt.Sprintf("a%d", i), fmt.Sprintf("alone%d", i), n.name())
			p.settled()
			p.end(n, func(c *client) bool { return c == alone })
			p.settled()
			p.add(w.local(fmt.Sprintf("n%d", 3+i)))
		}
		p.traffic(100)
		w.lossless(p)
	})
}

// gone waits until those who cannot be there are seen by nobody any more, which is to be within the lease and 2 s, and
// returns how long that took.
func (w *world) gone(p *play) time.Duration {
	w.t.Helper()
	began := clock.Now()
	p.settled()
	p.rest(w.lease+2*time.Second-clock.Since(began), false)
	took := clock.Since(began)
	w.t.Logf("seed %d: they were gone after %v", p.seed, took.Round(time.Millisecond))
	return took
}
