package redistest

import (
	"sync"
	"time"
)

// tick is how often a Clock looks at the time. It counts twice that at most, however
// late it is.
const tick = 10 * time.Millisecond

// A Clock counts the time in which this process gets to run. While the machine stands
// still, or has no time for it, nothing can happen that is waited for, and no bound on
// that runs out. Methods may be called concurrently.
type Clock struct {
	// Static after construction.
	pause time.Duration

	mu sync.Mutex
	// Guarded by mu.
	elapsed time.Duration
	stood   time.Duration // what had elapsed when it last stood still
}

// StartClock starts a Clock. One that stood still for longer than pause begins anew:
// where that is a beat, nobody can tell who has died from who stood still with it, and
// leases run from then on. stop ends it.
func StartClock(pause time.Duration) (c *Clock, stop func()) {
	c = &Clock{pause: pause}
	done := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() { c.run(done) })
	return c, func() {
		close(done)
		running.Wait()
	}
}

func (c *Clock) run(done <-chan struct{}) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-ticker.C:
		case <-done:
			return
		}
		now := time.Now()
		c.count(now.Sub(last))
		last = now
	}
}

// count notes that so much time has passed.
func (c *Clock) count(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.elapsed += min(d, 2*tick)
	if d > c.pause {
		c.stood = c.elapsed
	}
}

// Now returns what has elapsed.
func (c *Clock) Now() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.elapsed
}

// Since returns what has elapsed since then, or since the Clock began anew.
func (c *Clock) Since(then time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.elapsed - max(then, c.stood)
}
