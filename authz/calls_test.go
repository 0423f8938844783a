package authz_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hark/authz"
)

func TestCallsReturnsWhatTheCallReturns(t *testing.T) {
	t.Parallel()
	own := errors.New("own")
	for _, want := range []error{nil, own, fmt.Errorf("wrapped: %w", own), authz.ErrDenied, context.Canceled} {
		var c authz.Calls
		if got := c.Do(t.Context(), func(context.Context) error { return want }); got != want { // the very same, not wrapped
			t.Errorf("Do = %v, want %v", got, want)
		}
	}
}

func TestCallsTimeout(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		timeout time.Duration // of Calls
		ctx     time.Duration // 0: none
		want    time.Duration
		text    string
	}{
		{name: "by default", want: 3 * time.Second, text: "no answer within 3s"},
		{name: "its own", timeout: time.Minute, want: time.Minute, text: "no answer within 1m0s"},
		{name: "the caller's is shorter", timeout: time.Minute, ctx: time.Second, want: time.Second, text: "the caller has gone"},
		{name: "the caller's is longer", ctx: time.Hour, want: 3 * time.Second, text: "no answer within 3s"},
	} {
		for _, deaf := range []bool{false, true} {
			t.Run(fmt.Sprint(tt.name, ", deaf=", deaf), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					c := authz.Calls{Timeout: tt.timeout}
					ctx := t.Context()
					if tt.ctx != 0 {
						var cancel context.CancelFunc
						ctx, cancel = context.WithTimeoutCause(ctx, tt.ctx, errors.New("the caller has gone"))
						defer cancel()
					}
					start := time.Now()
					err := c.Do(ctx, func(ctx context.Context) error {
						if !deaf {
							<-ctx.Done()
							time.Sleep(time.Millisecond) // it hears of it after its caller
						} else {
							time.Sleep(10 * time.Minute)
						}
						return nil
					})
					if took := time.Since(start); took != tt.want {
						t.Errorf("Do took %v, want %v", took, tt.want)
					}
					if !errors.Is(err, authz.ErrUnavailable) || !strings.Contains(err.Error(), tt.text) {
						t.Errorf("Do = %v, want ErrUnavailable: %s", err, tt.text)
					}
					if n := strings.Count(err.Error(), authz.ErrUnavailable.Error()); n != 1 {
						t.Errorf("it says %d times that it is unavailable: %v", n, err)
					}
					if c.Stuck() != 1 {
						t.Errorf("%d calls are stuck, want 1", c.Stuck())
					}
					time.Sleep(10 * time.Minute)
					if c.Stuck() != 0 {
						t.Errorf("%d calls are stuck after all have returned", c.Stuck())
					}
				})
			})
		}
	}
}

// A call that notices the end of its time, gives up and says nothing is no yes, whoever of the two comes first.
func TestCallsLateYes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c authz.Calls
		for range 200 {
			if err := c.Do(t.Context(), func(ctx context.Context) error { <-ctx.Done(); return nil }); !errors.Is(err, authz.ErrUnavailable) {
				t.Fatalf("Do = %v, want ErrUnavailable", err)
			}
		}
	})
}

// A caller who has gone is not called for.
func TestCallsNotMadeOnceTheContextIsOver(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the caller has gone"))
	var c authz.Calls
	err := c.Do(ctx, func(context.Context) error { t.Error("called"); return nil })
	if !errors.Is(err, authz.ErrUnavailable) || !strings.Contains(err.Error(), "the caller has gone") {
		t.Errorf("Do = %v", err)
	}
}

// The context of a call ends when its caller has no more use for it.
func TestCallsContext(t *testing.T) {
	t.Parallel()
	type key struct{}
	var c authz.Calls
	var seen context.Context
	err := c.Do(context.WithValue(t.Context(), key{}, "v"), func(ctx context.Context) error {
		seen = ctx
		return ctx.Err()
	})
	if err != nil || seen.Value(key{}) != "v" || seen.Err() == nil {
		t.Errorf("Do = %v, value %v, %v after it", err, seen.Value(key{}), seen.Err())
	}
}

func explode(context.Context) error { panic("boom") }

func TestCallsPanic(t *testing.T) {
	t.Parallel()
	var c authz.Calls
	for _, tt := range []struct {
		name string
		f    func(context.Context) error
		want []string
	}{
		{"a panic", explode, []string{"panic: boom", "authz_test.explode", "calls_test.go:"}},
		{"a bug", func(context.Context) error { var m map[string]int; m["x"]++; return nil }, []string{"panic: assignment to entry in nil map"}},
		{"nil", func(context.Context) error { panic(nil) }, []string{"panic called with nil argument"}},
		{"an error that would be an answer", func(context.Context) error { panic(authz.ErrDenied) }, []string{"panic: authz: denied"}},
		{"the goroutine's end", func(context.Context) error { runtime.Goexit(); return nil }, []string{"the call ended its goroutine"}},
	} {
		err := c.Do(t.Context(), tt.f)
		if !errors.Is(err, authz.ErrUnavailable) || errors.Is(err, authz.ErrDenied) {
			t.Errorf("%s: %v, want ErrUnavailable", tt.name, err)
		}
		for _, want := range tt.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %s in it", tt.name, err, want)
			}
		}
	}
	if c.Stuck() != 0 {
		t.Errorf("%d calls are stuck", c.Stuck())
	}
}

// block begins n calls, each of which returns when the channel is closed and not before, and waits until they are stuck.
// The parties are numbered from first.
func block(t *testing.T, c *authz.Calls, n, first int, until <-chan struct{}) {
	t.Helper()
	for i := range n {
		go c.DoFor(t.Context(), fmt.Sprint("party", first+i), func(context.Context) error { <-until; return nil })
	}
	synctest.Wait()
	time.Sleep(authz.HookTimeout)
	synctest.Wait()
}

func yes(context.Context) error { return nil }

func TestCallsAreRefusedWhileManyAreStuck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c authz.Calls
		most, last := make(chan struct{}), make(chan struct{})
		block(t, &c, 63, 0, most)
		if err := c.Do(t.Context(), yes); c.Stuck() != 63 || err != nil {
			t.Fatalf("with %d calls stuck: %v, want it to be made", c.Stuck(), err)
		}
		block(t, &c, 1, 63, last)
		if c.Stuck() != 64 {
			t.Fatalf("%d calls are stuck, want 64", c.Stuck())
		}
		start := time.Now()
		err := c.Do(t.Context(), func(context.Context) error { t.Error("a 65th call was made"); return nil })
		if !errors.Is(err, authz.ErrUnavailable) || !strings.Contains(err.Error(), "64 calls have not returned in time") {
			t.Errorf("with 64 calls stuck: %v, want ErrUnavailable", err)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("the refusal took %v, want none", took)
		}
		close(last)
		synctest.Wait()
		if err := c.Do(t.Context(), yes); c.Stuck() != 63 || err != nil {
			t.Errorf("after one has returned: %d stuck, %v", c.Stuck(), err)
		}
		close(most)
		synctest.Wait()
		if err := c.Do(t.Context(), yes); c.Stuck() != 0 || err != nil {
			t.Errorf("after all have returned: %d stuck, %v", c.Stuck(), err)
		}
	})
}

// A party whose calls get stuck is refused long before the others are.
func TestCallsOfOnePartyAreRefusedFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c authz.Calls
		until := make(chan struct{})
		for i := range 20 {
			err := c.DoFor(t.Context(), "user 7", func(context.Context) error { <-until; return nil })
			refused := strings.Contains(err.Error(), "8 calls for user 7 have not returned in time")
			if !errors.Is(err, authz.ErrUnavailable) || refused != (i >= 8) {
				t.Errorf("call %d: %v", i, err)
			}
		}
		if c.Stuck() != 8 {
			t.Errorf("%d calls are stuck, want 8", c.Stuck())
		}
		if err := c.DoFor(t.Context(), "user 8", yes); err != nil {
			t.Errorf("another user: %v", err)
		}
		if err := c.Do(t.Context(), yes); err != nil {
			t.Errorf("nobody in particular: %v", err)
		}
		close(until)
		synctest.Wait()
		if err := c.DoFor(t.Context(), "user 7", yes); err != nil || c.Stuck() != 0 {
			t.Errorf("after all have returned: %v, %d stuck", err, c.Stuck())
		}
	})
}

// Callers who leave do not make their calls late: whoever comes next is called for. A call that goes on beyond its time is
// late all the same, and a party that leaves again and again is refused.
func TestCallsOfThoseWhoLeave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c authz.Calls
		until := make(chan struct{})
		ctx, leave := context.WithCancel(t.Context())
		for i := range 100 {
			go c.DoFor(ctx, fmt.Sprint("party", i), func(context.Context) error { <-until; return nil })
		}
		for range 8 {
			go c.DoFor(ctx, "restless", func(context.Context) error { <-until; return nil })
		}
		synctest.Wait()
		time.Sleep(time.Second)
		leave()
		synctest.Wait()
		if err := c.DoFor(t.Context(), "stays", yes); err != nil || c.Stuck() != 0 {
			t.Errorf("after others have left: %v, %d stuck", err, c.Stuck())
		}
		if err := c.DoFor(t.Context(), "restless", yes); !errors.Is(err, authz.ErrUnavailable) {
			t.Errorf("for a party that has left 8 calls: %v, want ErrUnavailable", err)
		}
		time.Sleep(authz.HookTimeout - time.Second)
		synctest.Wait()
		if err := c.DoFor(t.Context(), "stays", yes); !errors.Is(err, authz.ErrUnavailable) || c.Stuck() != 108 {
			t.Errorf("once they outstay their time: %v, %d stuck, want ErrUnavailable and 108", err, c.Stuck())
		}
		close(until)
		synctest.Wait()
		if err := c.DoFor(t.Context(), "restless", yes); err != nil || c.Stuck() != 0 {
			t.Errorf("after all have returned: %v, %d stuck", err, c.Stuck())
		}
	})
}

// There are never more than 1024 calls at one time. The next waits for one to end, but not beyond its own time.
func TestCallsWaitForOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c authz.Calls
		one, all := make(chan struct{}), make(chan struct{})
		for i := range 1024 {
			until := all
			if i == 0 {
				until = one
			}
			go c.Do(t.Context(), func(context.Context) error { <-until; return nil })
		}
		synctest.Wait()

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := c.Do(ctx, func(context.Context) error { t.Error("a 1025th call was made"); return nil })
		if !errors.Is(err, authz.ErrUnavailable) || !strings.Contains(err.Error(), "1024 calls are under way, and no other could begin") {
			t.Errorf("with 1024 calls under way: %v", err)
		}

		var made sync.WaitGroup
		made.Go(func() {
			if err := c.Do(t.Context(), yes); err != nil {
				t.Errorf("the one that waits: %v", err)
			}
		})
		synctest.Wait()
		close(one)
		made.Wait()
		close(all)
		synctest.Wait()
		if c.Stuck() != 0 {
			t.Errorf("%d calls are stuck", c.Stuck())
		}
	})
}

// Calls that return just when their time is over are counted as stuck or as returned, never half.
func TestCallsCountExactly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := authz.Calls{Timeout: 10 * time.Millisecond}
		own := errors.New("own")
		var wg sync.WaitGroup
		for i := range 2000 {
			wg.Go(func() {
				sleep := time.Duration(8+i%5) * time.Millisecond
				err := c.DoFor(t.Context(), fmt.Sprint(i%50), func(context.Context) error { time.Sleep(sleep); return own })
				if err != own && !errors.Is(err, authz.ErrUnavailable) {
					t.Errorf("Do = %v", err)
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		time.Sleep(time.Second)
		if c.Stuck() != 0 {
			t.Errorf("%d calls are stuck after all have returned", c.Stuck())
		}
		for i := range 50 { // no party is remembered for what is over
			if err := c.DoFor(t.Context(), fmt.Sprint(i), yes); err != nil {
				t.Errorf("party %d: %v", i, err)
			}
		}
	})
}

// The same without a bubble, where goroutines really race.
func TestCallsRace(t *testing.T) {
	t.Parallel()
	c := authz.Calls{Timeout: 100 * time.Microsecond}
	var callers sync.WaitGroup
	for range 16 {
		callers.Go(func() {
			for i := range 200 {
				err := c.Do(t.Context(), func(ctx context.Context) error {
					if i%2 == 0 {
						<-ctx.Done()
					}
					return nil
				})
				if err != nil && !errors.Is(err, authz.ErrUnavailable) {
					t.Errorf("Do = %v", err)
				}
			}
		})
	}
	callers.Wait()
	for c.Stuck() != 0 { // all of them return
		runtime.Gosched()
	}
}

// However many calls of one party hang at once, before any of them is known to, the others are served.
func TestCallsOfOnePartyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c authz.Calls
		until := make(chan struct{})
		yes := func(context.Context) error { return nil }
		for range 128 {
			go c.DoFor(t.Context(), "user 7", func(context.Context) error { <-until; return nil })
		}
		synctest.Wait()
		if err := c.DoFor(t.Context(), "user 7", yes); !errors.Is(err, authz.ErrUnavailable) {
			t.Errorf("one more than 128 under way: %v, want that it is not made", err)
		}
		if err := c.DoFor(t.Context(), "user 8", yes); err != nil {
			t.Errorf("another's, before they are late: %v", err)
		}
		time.Sleep(4 * time.Second)
		if n := c.Stuck(); n != 128 {
			t.Errorf("%d calls are stuck, want 128", n)
		}
		if err := c.DoFor(t.Context(), "user 8", yes); err != nil {
			t.Errorf("another's, when they are late: %v", err)
		}
		close(until)
		synctest.Wait()
		if err := c.DoFor(t.Context(), "user 7", yes); err != nil || c.Stuck() != 0 {
			t.Errorf("after all have returned: %v, %d stuck", err, c.Stuck())
		}
		later := make(chan struct{})
		defer close(later)
		for i := range 7 { // what is over counts no more: seven such parties leave room for others
			for range 20 {
				go c.DoFor(t.Context(), fmt.Sprint("party", i), func(context.Context) error { <-later; return nil })
			}
		}
		time.Sleep(4 * time.Second)
		if err := c.Do(t.Context(), yes); err != nil || c.Stuck() != 140 {
			t.Errorf("with seven parties that hang: %v, %d stuck", err, c.Stuck())
		}
	})
}
