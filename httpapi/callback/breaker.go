package callback

import (
	"math/rand/v2"
	"sync"
	"time"
)

const (
	rowToOpen   = 5           // failures in a row
	recentCalls = 20          // more than half of which
	firstPause  = time.Second // before the first probe
	// longestPause is with its jitter half of the time for which a hub holds who
	// connects: whoever comes while the application comes back finds out. A client that
	// has to be sent away tries again much later.
	longestPause = 3200 * time.Millisecond
)

// A BreakerState says whether an application is asked.
type BreakerState string

// The states.
const (
	Closed  BreakerState = "closed"  // as usual
	Open    BreakerState = "open"    // not: it has failed
	Probing BreakerState = "probing" // one call has been let through, the others wait for what comes of it
)

// A breaker leaves an application alone that fails, but for a probe from time to time. It is made by
// newBreaker.
type breaker struct {
	tell func(BreakerState) // under mu, so that the last thing told is what is

	mu sync.Mutex
	// Guarded by mu.
	state    BreakerState
	era      int // goes up with each change: a call that began before it says nothing about now
	row      int // failures since the last success
	recent   [recentCalls]bool
	calls    int // since it closed; the last ones are in recent, which is a ring
	failures int // in recent
	pause    time.Duration
	probeAt  time.Time
}

func newBreaker(tell func(BreakerState)) *breaker { return &breaker{state: Closed, tell: tell} }

// ready reports whether a call that began now would be let through.
func (b *breaker) ready() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state == Closed || b.probeDueLocked()
}

func (b *breaker) probeDueLocked() bool { return b.state == Open && !time.Now().Before(b.probeAt) }

// A pass lets one call through.
type pass struct {
	era   int
	probe bool
}

// begin lets a call through, whose outcome is then told to end.
func (b *breaker) begin() (pass, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.probeDueLocked() {
		b.changeLocked(Probing)
	} else if b.state != Closed {
		return pass{}, false
	}
	return pass{b.era, b.state == Probing}, true
}

// end says what came of a call, and returns the state that this has led to, if it has changed it.
func (b *breaker) end(p pass, failed bool) (BreakerState, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p.era != b.era {
		return "", false
	}
	if p.probe {
		if failed {
			b.openLocked(min(2*b.pause, longestPause))
		} else {
			b.changeLocked(Closed)
		}
		return b.state, true
	}
	b.countLocked(failed)
	if b.row < rowToOpen && (b.calls < recentCalls || 2*b.failures <= recentCalls) {
		return "", false
	}
	b.openLocked(firstPause)
	return b.state, true
}

func (b *breaker) countLocked(failed bool) {
	last := &b.recent[b.calls%recentCalls]
	if *last {
		b.failures--
	}
	*last = failed
	b.calls++
	if failed {
		b.failures++
		b.row++
	} else {
		b.row = 0
	}
}

func (b *breaker) openLocked(pause time.Duration) {
	b.row, b.calls, b.failures = 0, 0, 0
	clear(b.recent[:])
	b.pause = pause
	b.probeAt = time.Now().Add(pause + rand.N(pause/4)) // not all nodes at once
	b.changeLocked(Open)
}

func (b *breaker) changeLocked(s BreakerState) {
	b.state = s
	b.era++
	b.tell(s)
}
