package redistest

import "time"

// A fault is what happens to all that passes; zero: nothing.
type fault struct {
	latency  time.Duration
	hold     Direction // what waits until the fault is over
	drop     Direction // what is lost
	halfOpen bool      // new connections do not reach Redis
	refuse   bool
}

// A cut is a reply that is to be lost.
type cut struct {
	armed bool
	after int64 // bytes of replies that still pass
}

func (p *Proxy) set(f fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = f
	close(p.changed)
	p.changed = make(chan struct{})
	for flow := range p.flows {
		if f.refuse || flow.wounded&^f.drop != 0 {
			p.endLocked(flow)
		}
	}
}

// endLocked aborts a flow and makes room for another at once.
func (p *Proxy) endLocked(f *flow) {
	f.abort()
	delete(p.flows, f)
}

// Heal ends the fault. What waited passes on. A connection that has lost bytes is
// reset: what it still carried would make no sense.
func (p *Proxy) Heal() { p.set(fault{}) }

// Latency has everything arrive later by d, in each direction.
func (p *Proxy) Latency(d time.Duration) { p.set(fault{latency: d}) }

// Stall has bytes wait until the fault is over, then they arrive: late, but all of
// them, as TCP does after a time without a network. What does not fit into the
// buffers on the way waits with its sender.
func (p *Proxy) Stall(d Direction) { p.set(fault{hold: d}) }

// BlackHole loses all bytes and tells nobody. With FromRedis alone requests are
// carried out, and their replies lost.
func (p *Proxy) BlackHole(d Direction) { p.set(fault{drop: d}) }

// HalfOpen accepts connections, and takes what they bring, but Redis is told
// nothing. Connections of before hear nothing more either.
func (p *Proxy) HalfOpen() { p.set(fault{drop: Both, halfOpen: true}) }

// Refuse resets all connections, and those to come: a server that is not there, or
// for the server, a node that has died.
func (p *Proxy) Refuse() { p.set(fault{refuse: true}) }

// Partition cuts the node off, or ends that: packets are lost in both directions,
// and connections can be made no more. It is BlackHole and Heal.
func (p *Proxy) Partition(on bool) {
	if on {
		p.HalfOpen()
	} else {
		p.Heal()
	}
}

// Reset resets the connections that there are.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for f := range p.flows {
		p.endLocked(f)
	}
}

// CutReplies lets n more bytes of replies pass, on all connections together. Then,
// once, the connection that the next one comes by loses the rest: its client is
// reset, while what it had asked for is carried out.
func (p *Proxy) CutReplies(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut{armed: true, after: n}
}

// A verdict is what is to happen to some bytes.
type verdict struct {
	pass    int             // so many of them are passed on
	cut     bool            // then the connection is cut
	changed <-chan struct{} // not nil: nothing yet, ask again when it is closed
}

// judge decides what happens to n bytes that f has in direction d.
func (p *Proxy) judge(f *flow, d Direction, n int) verdict {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.fault.hold&d != 0:
		return verdict{changed: p.changed}
	case p.fault.drop&d != 0:
		f.wounded |= d
		p.counts.Lost += int64(n)
		return verdict{}
	case d == ToRedis:
		p.counts.Requests += int64(n)
		return verdict{pass: n}
	}
	p.counts.Replies += int64(n)
	if !p.cut.armed {
		return verdict{pass: n}
	}
	if p.cut.after >= int64(n) {
		p.cut.after -= int64(n)
		return verdict{pass: n}
	}
	v := verdict{pass: int(p.cut.after), cut: true}
	p.cut = cut{}
	p.counts.Cuts++
	p.counts.Lost += int64(n - v.pass)
	return v
}

// late returns how much later something is to arrive.
func (p *Proxy) late() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fault.latency
}

// silent reports whether f, which is new, does not reach Redis.
func (p *Proxy) silent(f *flow) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fault.halfOpen {
		f.wounded = Both
	}
	return p.fault.halfOpen
}

// parted returns a channel that is closed when that may have changed, where f's end
// cannot be told in direction d; nil: it can.
func (p *Proxy) parted(f *flow, d Direction) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.fault.drop&d != 0:
		f.wounded |= d
	case p.fault.hold&d == 0:
		return nil
	}
	return p.changed
}
