package ws

import (
	"runtime"
	"sync"
	"time"
)

// A parking is where the connections of a Handler wait that have nothing to
// read: one goroutine, the poller, waits for all of them. It runs from the
// first connection that enters to the last one that leaves, so it belongs to
// whoever waits for the connections.
//
// A connection is either parked, that is, watched by the poller and without a
// goroutine, or read by one goroutine:
//
//	park      the reader has nothing to read, and ends
//	wake      the poller has seen something, or the outbox ends the connection:
//	          a new reader
//
// Both happen under the outbox's lock, so that there is one reader, and none
// is missing. A wake for nothing does no harm.
type parking struct {
	mu sync.Mutex
	// Guarded by mu.
	poller *poller // runs; nil: nobody is here. Static for whoever has entered
	n      int     // who has entered
}

// enter takes c in; a connection that has been silent for patience is to be
// parked. It returns false where that cannot be.
func (p *parking) enter(c *Conn, patience time.Duration, run func(func()) bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.poller == nil {
		q, err := newPoller(patience)
		if err != nil {
			return false
		}
		if !run(q.loop) {
			q.epoll.close()
			return false
		}
		p.poller = q
	}
	p.n++
	p.poller.add(c)
	c.parking = p
	return true
}

// leave lets c go, which is not parked.
func (p *parking) leave(c *Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.poller.remove(c)
	if p.n--; p.n == 0 {
		p.poller.epoll.close()
		p.poller = nil
	}
}

// A poller starts a reader for each parked connection that has something to
// read. All methods may be called concurrently.
type poller struct {
	epoll    *epoll
	patience time.Duration // how long a connection that talks may be silent
	born     time.Time
	readers  sync.WaitGroup // what it has started

	mu sync.Mutex
	// Guarded by mu.
	conns map[uint64]*Conn // by number
	last  uint64           // no number is used twice: an event that comes too late finds nobody
}

func newPoller(patience time.Duration) (*poller, error) {
	e, err := newEpoll()
	if err != nil {
		return nil, err
	}
	return &poller{epoll: e, patience: patience, born: time.Now(), conns: make(map[uint64]*Conn)}, nil
}

// loop runs until the epoll is closed, and returns when no reader is left.
func (p *poller) loop() {
	var ready [eventBatch]uint64
	for {
		n, err := p.epoll.wait(ready[:])
		if err != nil {
			break
		}
		for _, number := range ready[:n] {
			if c := p.find(number); c != nil {
				c.out.wake()
			}
		}
		// When thousands have something to say, those that were started are done
		// before there are more: memory for a batch of them is enough.
		runtime.Gosched()
	}
	p.readers.Wait()
}

// eventBatch is how many connections the poller wakes in one go.
const eventBatch = 16

// now is the time since the poller was made.
func (p *poller) now() time.Duration { return time.Since(p.born) }

func (p *poller) add(c *Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last++
	c.number = p.last
	p.conns[c.number] = c
}

func (p *poller) remove(c *Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c.number)
}

func (p *poller) find(number uint64) *Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conns[number]
}

// park gives the connection to the poller; the calling reader has to end. It
// returns false when the connection is ending, or cannot be watched.
func (c *Conn) park() bool {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.deaf || o.phase == closed {
		return false
	}
	if err := c.parking.poller.epoll.watch(o.raw, c.number, c.watched); err != nil {
		return false
	}
	c.watched = true
	if c.in != nil {
		c.in.free()
		c.in = nil
	}
	o.parked = c
	return true
}

// resume starts a reader for a connection that was parked.
func (c *Conn) resume() { c.parking.poller.readers.Go(c.readAgain) }
