package authz

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

const (
	// HookTimeout is how long one call of the application's code may take, where nothing else is said.
	HookTimeout = 3 * time.Second
	// maxCalls is how many calls may be under way, late ones included. More wait, which counts against their time.
	maxCalls = 1024
	// maxStuck is how many calls may be late: past their time, and still under way. From then on no more are made.
	maxStuck = 64
	// maxStuckParty is how many calls of one party may be late, or go on after the party has left. Of those that were under
	// way already when that was reached, no more count as late, so that it takes many parties to stop the others.
	maxStuckParty = 8
	// maxParty is how many calls of one party may be under way: nobody takes all of maxCalls.
	maxParty = 128
)

// Calls calls what an application wrote, so that it can hurt nobody else: a call ends when its time is over whether the
// callee has returned or not, a panic is an error, and callees are bounded in number, those that never return above all.
// The zero Calls is ready. It may be used concurrently, and is not copied.
type Calls struct {
	// Timeout bounds one call; 0: HookTimeout.
	Timeout time.Duration

	once  sync.Once
	slots chan struct{} // holds one for each call under way

	mu    sync.Mutex
	stuck int               // Guarded by mu. How many calls are late
	count int               // Guarded by mu. How many of them count
	of    map[string]*tally // Guarded by mu. Of those who have a call under way, "" too
}

// A tally is of the calls of one party.
type tally struct {
	underWay int
	left     int // of which: nobody waits for them any more
	late     int // of which: their time is over
}

// counts reports whether the last of the late calls counts for maxStuck.
func (t *tally) counts(party string) bool { return party == "" || t.late <= maxStuckParty }

// An ongoing call, or one that has just ended.
type ongoing struct {
	party string
	done  chan error // has room for what f returns
	due   time.Time  // when its time is over, whether somebody waits or not

	// Guarded by Calls.mu.
	left     bool        // nobody waits for it
	late     bool        // its time is over
	outstay  *time.Timer // makes it late; nil: it is, or somebody waits
	returned bool        // set before done is sent to
}

// Stuck returns how many calls have outstayed their time and have not returned yet.
func (c *Calls) Stuck() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stuck
}

// Do calls f and returns its error, as it is. An error that does not come from f is ErrUnavailable, wrapped: f panicked,
// the time or ctx was over, too many calls are stuck. A nil that f returns when its time is over is no nil, since it may
// have noticed that and given up. f runs on a goroutine of its own: after such an error it may still run, so what it writes
// to is read only if Do returned f's own error.
func (c *Calls) Do(ctx context.Context, f func(context.Context) error) error {
	return c.DoFor(ctx, "", f)
}

// DoFor is Do on behalf of a party, a user or a socket: if the calls for one party get stuck, it is refused before others
// are. "" stands for no party in particular.
func (c *Calls) DoFor(ctx context.Context, party string, f func(context.Context) error) error {
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	return c.start(ctx, party, f)()
}

func (c *Calls) timeout() time.Duration {
	if c.Timeout == 0 {
		return HookTimeout
	}
	return c.Timeout
}

func (c *Calls) withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	timeout := c.timeout()
	return context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %v", timeout))
}

// start begins a call, which ends with ctx, and returns what waits for its end. That has to be called.
func (c *Calls) start(ctx context.Context, party string, f func(context.Context) error) (wait func() error) {
	if err := c.admit(ctx, party); err != nil {
		return func() error { return fmt.Errorf("%w: %w", ErrUnavailable, err) }
	}
	call := &ongoing{party: party, done: make(chan error, 1), due: time.Now().Add(c.timeout())}
	go func() {
		err := fmt.Errorf("%w: the call ended its goroutine", ErrUnavailable) // runtime.Goexit
		defer func() {
			if v := recover(); v != nil {
				err = panicked(v)
			}
			c.end(call)
			call.done <- err
		}()
		if err = f(ctx); err == nil && ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
		}
	}()
	return func() error {
		select {
		case err := <-call.done:
			return err
		case <-ctx.Done():
		}
		if c.giveUp(call, errors.Is(ctx.Err(), context.DeadlineExceeded)) {
			return fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
		}
		return <-call.done // it has just returned
	}
}

// panicked returns the error of a call that panicked with v. The deferred function that recovered calls it.
func panicked(v any) error { return fmt.Errorf("%w: panic: %v\n%s", ErrUnavailable, v, debug.Stack()) }

// admit takes a slot, or says why there is none.
func (c *Calls) admit(ctx context.Context, party string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := c.join(party); err != nil {
		return err
	}
	c.once.Do(func() { c.slots = make(chan struct{}, maxCalls) })
	select {
	case c.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		c.mu.Lock()
		defer c.mu.Unlock()
		c.leaveLocked(party)
		return fmt.Errorf("%d calls are under way, and no other could begin: %w", maxCalls, context.Cause(ctx))
	}
}

// join makes a call one of the party's, or says why it cannot be.
func (c *Calls) join(party string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.of[party]
	if t == nil {
		t = new(tally)
	}
	switch {
	case c.count >= maxStuck:
		return fmt.Errorf("%d calls have not returned in time, and no more are made", c.stuck)
	case party == "":
	case t.left >= maxStuckParty:
		return fmt.Errorf("%d calls for %s have not returned in time, and no more are made for it", t.left, party)
	case t.underWay >= maxParty:
		return fmt.Errorf("%d calls for %s are under way, and no other is made for it", t.underWay, party)
	}
	if c.of == nil {
		c.of = make(map[string]*tally)
	}
	c.of[party] = t
	t.underWay++
	return nil
}

// leaveLocked undoes join.
func (c *Calls) leaveLocked(party string) {
	t := c.of[party]
	if t.underWay--; t.underWay == 0 {
		delete(c.of, party)
	}
}

// giveUp notes that nobody waits for the call any more, or returns false because it has returned. It is late if the time
// is over. Whoever has only left, like a client that hangs up, says nothing about how long the call takes: else a few
// who leave at the same moment would keep everybody else out.
func (c *Calls) giveUp(call *ongoing, over bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if call.returned {
		return false
	}
	call.left = true
	c.of[call.party].left++
	if over {
		c.lateLocked(call)
	} else {
		call.outstay = time.AfterFunc(time.Until(call.due), func() { c.outstayed(call) })
	}
	return true
}

// outstayed counts the call as stuck, unless it has returned.
func (c *Calls) outstayed(call *ongoing) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !call.returned {
		c.lateLocked(call)
	}
}

func (c *Calls) lateLocked(call *ongoing) {
	call.late = true
	c.stuck++
	t := c.of[call.party]
	t.late++
	if t.counts(call.party) {
		c.count++
	}
}

// end gives back what a call that returns has taken.
func (c *Calls) end(call *ongoing) {
	<-c.slots
	c.mu.Lock()
	defer c.mu.Unlock()
	call.returned = true
	defer c.leaveLocked(call.party)
	if !call.left {
		return
	}
	t := c.of[call.party]
	t.left--
	if !call.late {
		call.outstay.Stop()
		return
	}
	if t.counts(call.party) {
		c.count--
	}
	c.stuck--
	t.late--
}
