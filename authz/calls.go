package authz

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"
)

const (
	// HookTimeout is how long one call of the application's code may take, where nothing else is said.
	HookTimeout = 3 * time.Second
	// maxStuck is how many calls may be under way that have outstayed their time. One more is not made.
	maxStuck = 64
)

// Calls calls what an application wrote, so that it can hurt nobody else: a call ends when its time is over whether the
// callee has returned or not, a panic is an error, and callees that never return are counted and bounded. The zero Calls
// is ready. It may be used concurrently, and is not copied.
type Calls struct {
	// Timeout bounds one call; 0: HookTimeout.
	Timeout time.Duration

	stuck atomic.Int64
}

// Stuck returns how many calls have outstayed their time and have not returned yet.
func (c *Calls) Stuck() int { return int(c.stuck.Load()) }

// Do calls f and returns its error. An error that does not come from f is ErrUnavailable, wrapped: also where f returns
// nil when its time is over, since it may have noticed that and given up. f runs on a goroutine of its own: after such an
// error it may still run, so what it writes to is read only if Do returned f's own error.
func (c *Calls) Do(ctx context.Context, f func(context.Context) error) error {
	if c.stuck.Load() >= maxStuck {
		return fmt.Errorf("%w: %d calls have not returned in time, and no more are made", ErrUnavailable, maxStuck)
	}
	timeout := c.Timeout
	if timeout == 0 {
		timeout = HookTimeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("%w: no answer within %v", ErrUnavailable, timeout))
	defer cancel()
	done := make(chan error, 1)
	var late atomic.Bool // one of the two sets it first: the caller who gives up, or the callee who returns
	go func() {
		defer func() {
			if v := recover(); v != nil {
				done <- fmt.Errorf("%w: panic: %v\n%s", ErrUnavailable, v, debug.Stack())
			}
			if late.Swap(true) {
				c.stuck.Add(-1)
			}
		}()
		done <- f(ctx)
	}()
	select {
	case err := <-done:
		return inTime(ctx, err)
	case <-ctx.Done():
	}
	c.stuck.Add(1)
	if late.Swap(true) { // it has returned meanwhile
		c.stuck.Add(-1)
	}
	select {
	case err := <-done:
		return inTime(ctx, err)
	default:
		return inTime(ctx, nil)
	}
}

// inTime returns err, and no nil that comes too late.
func inTime(ctx context.Context, err error) error {
	if err == nil && ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
	}
	return err
}
