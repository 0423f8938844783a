package callback_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hark/authz"
	"hark/httpapi/callback"
	"hark/protocol"
)

// No more calls of a kind are under way than there may be, and no more wait; kinds do not wait for each other.
func TestConcurrency(t *testing.T) {
	var now, most atomic.Int64
	a := &application{}
	a.answers(func(q call) reply {
		if q.Kind == one {
			most.Store(max(most.Load(), now.Add(1)))
			time.Sleep(100 * time.Millisecond)
			now.Add(-1)
		}
		return reply{body: `{"allow":true,"user":null}`}
	})
	bubble(t, a, func(c *callback.Config) { c.Concurrency, c.Queue = 4, 10 }, func(t *testing.T, c *callback.Client) {
		results := make([]string, 30)
		var wg sync.WaitGroup
		for i := range results {
			wg.Go(func() {
				results[i] = decide(t.Context(), c, join(protocol.SocketID(fmt.Sprintf("%d.1", i)), "7", "private-a"))
			})
		}
		time.Sleep(50 * time.Millisecond)
		began := time.Now()
		if _, err := c.Authenticator().Authenticate(t.Context(), from()); err != nil || time.Since(began) != 0 {
			t.Errorf("another kind: %v, after %v", err, time.Since(began))
		}
		wg.Wait()
		slices.Sort(results)
		wantResults(t, results, slices.Concat(same(14, "allow"), same(16, unavailable))...)
		if most.Load() != 4 {
			t.Errorf("%d calls at once, want 4", most.Load())
		}
	})
}

// Whoever waits for a turn waits within its time. That speaks against nobody: the calls that were made do.
func TestWaitingCounts(t *testing.T) {
	a := answering(reply{after: 2 * time.Second, body: `{"allow":true}`})
	bubble(t, a, func(c *callback.Config) { c.Concurrency = 1 }, func(t *testing.T, c *callback.Client) {
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				began := time.Now()
				decide(t.Context(), c, join(protocol.SocketID(fmt.Sprintf("%d.1", i)), "7", "private-a"))
				if took := time.Since(began); took > 3*time.Second {
					t.Errorf("it took %v", took)
				}
			})
		}
		wg.Wait()
		// The second call ends in the moment in which the time of those that wait does; one of them may be made yet.
		if n := len(a.asked()); n < 2 || n > 3 {
			t.Errorf("%d calls, want 2", n)
		}
		a.answers(allowAll(0, ""))
		wantResults(t, all(t, c, join("1.1", "7", "private-a")), "allow")
	})
}

// A client event has less time than the others.
func TestTimeouts(t *testing.T) {
	a := answering(reply{after: time.Hour})
	for _, tt := range []struct {
		change         func(*callback.Config)
		message, event time.Duration
	}{
		{nil, 3 * time.Second, time.Second},
		{func(c *callback.Config) { c.Timeout, c.EventTimeout = 5*time.Second, 4*time.Second }, 5 * time.Second, 4 * time.Second},
	} {
		bubble(t, a, tt.change, func(t *testing.T, c *callback.Client) {
			began := time.Now()
			_, err := c.Message(t.Context(), callback.Message{})
			if took := time.Since(began); nameOf(err) != unavailable || took != tt.message {
				t.Errorf("%v after %v", err, took)
			}
			began = time.Now()
			v, err := c.ClientEvent(t.Context(), callback.ClientEvent{})
			if took := time.Since(began); nameOf(err) != unavailable || v.Action != callback.Reject || took != tt.event {
				t.Errorf("%v, %v after %v", v, err, took)
			}
		})
	}
}

// An application that never answers is left alone though every caller leaves before it could be blamed.
func TestCallersLeaveFirst(t *testing.T) {
	a := answering(reply{after: time.Hour})
	bubble(t, a, nil, func(t *testing.T, c *callback.Client) {
		policies := authz.NewRegistry() // has the same 3 s, from a moment earlier
		policies.Handle("private-{x}", c.Policy())
		for range 5 {
			if _, err := policies.Decide(t.Context(), join("1.1", "7", "private-a")); nameOf(err) != unavailable {
				t.Errorf("%v", err)
			}
			synctest.Wait()
		}
		a.asked()
		began := time.Now()
		if _, err := policies.Decide(t.Context(), join("1.1", "7", "private-a")); nameOf(err) != unavailable || time.Since(began) != 0 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		a.wantAsked(t)
	})
}

// Run waits for the calls under way; from then on nothing is asked.
func TestRun(t *testing.T) {
	a := &application{answer: allowAll(time.Second, "")}
	bubble(t, a, nil, func(t *testing.T, c *callback.Client) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx) }()
		go func() { wantResults(t, all(t, c, join("1.1", "7", "private-a")), "allow") }()
		time.Sleep(500 * time.Millisecond)
		cancel()
		synctest.Wait()
		began := time.Now()
		wantResults(t, all(t, c, join("1.1", "7", "private-b")), unavailable)
		if _, err := c.Authenticator().Authenticate(t.Context(), from()); nameOf(err) != unavailable {
			t.Error(err)
		}
		if _, err := c.Message(t.Context(), callback.Message{}); nameOf(err) != unavailable {
			t.Error(err)
		}
		select {
		case err := <-ended:
			t.Errorf("Run has not waited: %v", err)
		default:
		}
		if err := <-ended; err != nil || time.Since(began) != 515*time.Millisecond {
			t.Errorf("Run: %v after %v", err, time.Since(began))
		}
		a.wantAsked(t, one)
	})
}

// What is counted: how each call ended, how long it took, how many are under way, what the breaker does, what is
// remembered.
func TestCounters(t *testing.T) {
	counted := &counters{}
	a := &application{answer: allowAll(time.Second, `,"cache":60`)}
	bubble(t, a, func(c *callback.Config) { c.Counters, c.Concurrency, c.Queue = counted, 1, 1 }, func(t *testing.T, c *callback.Client) {
		ask := func(want string) {
			t.Helper()
			counted.take()
			all(t, c, join("1.1", "7", "private-a"))
			synctest.Wait()
			if got := counted.take(); got != want {
				t.Errorf("counted %s\nwant    %s", got, want)
			}
		}
		ask("authorize +1, authorize -1, authorize answered 1s")
		ask("authorize remembered")
		c.Invalidate("7")
		a.answers(func(call) reply { return reply{status: 404} })
		ask("authorize +1, authorize -1, authorize refused 0s")
		a.answers(func(call) reply { return reply{after: time.Hour} })
		ask("authorize +1, authorize -1, authorize timed_out 2.985s")
		a.answers(func(call) reply { return reply{err: errors.New("no route to host")} })
		for range 3 {
			ask("authorize +1, authorize -1, authorize failed 0s")
		}
		ask("authorize +1, authorize open, authorize -1, authorize failed 0s")
		ask("authorize left_out 0s")
		time.Sleep(2 * time.Second)
		ask("authorize probing, authorize +1, authorize open, authorize -1, authorize failed 0s")
		time.Sleep(3 * time.Second)
		a.answers(allowAll(0, ""))
		ask("authorize probing, authorize +1, authorize closed, authorize -1, authorize answered 0s")
		counted.take()
		a.answers(allowAll(time.Second, ""))
		all(t, c, join("1.1", "7", "private-a"), join("1.1", "7", "private-b"))
		if got, want := counted.take(), "authorize_many +1, authorize_many -1, authorize_many answered 1s"; got != want {
			t.Errorf("counted %s\nwant    %s", got, want)
		}
		synctest.Wait() // until the call has left its place
		for i := range 4 {
			go all(t, c, join(protocol.SocketID(fmt.Sprintf("%d.1", i)), "7", "private-c"))
		}
		synctest.Wait()
		if got, want := counted.take(), "authorize busy 0s, authorize busy 0s"; got != want {
			t.Errorf("counted %s\nwant    %s", got, want)
		}
	})
}

// counters note what they are told.
type counters struct {
	mu    sync.Mutex
	notes []string // guarded by mu
}

func (c *counters) note(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.notes = append(c.notes, fmt.Sprintf(format, args...))
}

func (c *counters) take() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	notes := c.notes
	c.notes = nil
	return strings.Join(notes, ", ")
}

func (c *counters) Called(k callback.Kind, o callback.Outcome, took time.Duration) {
	c.note("%s %s %v", k, o, took)
}
func (c *counters) InFlight(k callback.Kind, by int)                 { c.note("%s %+d", k, by) }
func (c *counters) Breaker(k callback.Kind, s callback.BreakerState) { c.note("%s %s", k, s) }
func (c *counters) Remembered(k callback.Kind)                       { c.note("%s remembered", k) }
