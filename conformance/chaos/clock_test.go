package chaos

import (
	"sync"
	"time"
)

// A clock counts the time in which this process gets to run. While the machine stands still, or has no time for it, nothing
// can happen, and no bound on what has to happen runs out. Methods may be called concurrently.
type clock struct {
	mu sync.Mutex
	// Guarded by mu.
	elapsed time.Duration
	stood   time.Duration // what had elapsed when it last stood still
}

// watch is the clock of all waits. TestMain runs it.
var watch clock

// tick is how often a clock looks at the time. It counts twice that at most, however late it is.
const tick = 10 * time.Millisecond

// run counts until done is closed.
func (c *clock) run(done <-chan struct{}) {
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
func (c *clock) count(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.elapsed += min(d, 2*tick)
	if d > lease/3 {
		c.stood = c.elapsed
	}
}

// now returns the time that has elapsed.
func (c *clock) now() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.elapsed
}

// since returns how much has elapsed since then, or since the clock last stood still for as long as a beat: what has died is
// not told from what stood still, and leases run anew.
func (c *clock) since(then time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.elapsed - max(then, c.stood)
}
