package callback_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hark/authz"
	"hark/httpapi/callback"
	"hark/protocol"
)

// After five failures in a row nothing is asked but a probe, at first after a second, then after 2, and then every 4 s. The
// first probe that is answered opens the way.
func TestBreaker(t *testing.T) {
	a := answering(reply{status: 500})
	bubble(t, a, nil, func(t *testing.T, c *callback.Client) {
		r := join("1.1", "7", "private-a")
		for range 5 {
			wantResults(t, all(t, c, r), unavailable)
		}
		a.wantAsked(t, one, one, one, one, one)
		began := time.Now()
		wantResults(t, all(t, c, r), unavailable)
		if took := time.Since(began); took != 0 {
			t.Errorf("an answer of nobody took %v", took)
		}
		// For 3 minutes somebody asks every 20 ms.
		last := time.Now()
		var gaps []time.Duration
		for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			wantResults(t, all(t, c, r), unavailable)
			for _, q := range a.asked() {
				gaps = append(gaps, q.at.Sub(last))
				last = q.at
			}
		}
		for i, gap := range gaps {
			least := min(time.Second<<min(i, 10), 3200*time.Millisecond)
			if most := least*5/4 + 70*time.Millisecond; gap < least || gap > most {
				t.Errorf("probe %d after %v, want %v to %v", i+1, gap, least, most)
			}
		}
		if len(gaps) < 45 || len(gaps) > 60 {
			t.Errorf("%d probes in 3 minutes: %v", len(gaps), gaps)
		}
		a.answers(allowAll(0, ""))
		time.Sleep(4 * time.Second)
		for range 10 {
			wantResults(t, all(t, c, r), "allow")
		}
		a.wantAsked(t, slices.Repeat([]callback.Kind{one}, 10)...)
	})
}

// While one probe is under way nobody else is let through.
func TestOneProbe(t *testing.T) {
	a := answering(reply{status: 500})
	bubble(t, a, nil, func(t *testing.T, c *callback.Client) {
		for range 5 {
			all(t, c, join("1.1", "7", "private-a"))
		}
		a.asked()
		a.answers(allowAll(2*time.Second, ""))
		time.Sleep(2 * time.Second)
		results := make([]string, 100)
		var wg sync.WaitGroup
		for i := range results {
			wg.Go(func() {
				results[i] = decide(t.Context(), c, join(protocol.SocketID(fmt.Sprintf("%d.1", i)), "7", "private-a"))
			})
		}
		time.Sleep(time.Second)
		began := time.Now()
		wantResults(t, all(t, c, join("1.1", "7", "private-b")), unavailable)
		if time.Since(began) != 0 {
			t.Errorf("it took %v", time.Since(began))
		}
		wg.Wait()
		a.wantAsked(t, one)
		slices.Sort(results)
		wantResults(t, results, slices.Concat([]string{"allow"}, same(99, unavailable))...)
	})
}

// What counts as a failure: no answer, or none that can be used. A no is an answer.
func TestBreakerCounts(t *testing.T) {
	for _, tt := range []struct {
		reply reply
		opens bool
	}{
		{reply{status: 401}, false}, {reply{status: 403}, false}, {reply{status: 404}, false}, {reply{body: `{"allow":false}`}, false},
		{reply{status: 500}, true}, {reply{status: 302}, true}, {reply{status: 429}, true}, {reply{body: `{}`}, true},
		{reply{err: fmt.Errorf("no route to host")}, true}, {reply{after: time.Hour}, true},
	} {
		a := answering(tt.reply)
		bubble(t, a, nil, func(t *testing.T, c *callback.Client) {
			for range 5 {
				all(t, c, join("1.1", "7", "private-a"))
			}
			a.answers(allowAll(0, ""))
			got := decide(t.Context(), c, join("1.1", "7", "private-a"))
			if want := map[bool]string{true: unavailable, false: "allow"}[tt.opens]; got != want {
				t.Errorf("%+v: then %q, want %q", tt.reply, got, want)
			}
		})
	}
}

// More than half of the last 20 need not be in a row. Kinds are apart, but for authorize and authorize_many.
func TestBreakerHalf(t *testing.T) {
	n := 0
	a := &application{answer: func(c call) reply {
		if c.Kind == callback.KindAuthenticate {
			return reply{body: `{"user":null}`}
		}
		n++
		if n%5 < 2 {
			return reply{status: 403}
		}
		return reply{status: 503}
	}}
	bubble(t, a, nil, func(t *testing.T, c *callback.Client) {
		for range 30 {
			all(t, c, join("1.1", "7", "private-a"))
		}
		if got := len(a.asked()); got != 20 {
			t.Errorf("%d calls, want 20", got)
		}
		wantResults(t, all(t, c, join("1.1", "7", "private-a"), join("1.1", "7", "private-b")), same(2, unavailable)...)
		a.wantAsked(t)
		if _, err := c.Authenticator().Authenticate(t.Context(), from()); err != nil {
			t.Error(err)
		}
	})
}

// Calls that began before say nothing about now.
func TestLateFailures(t *testing.T) {
	a := answering(reply{status: 500})
	bubble(t, a, nil, func(t *testing.T, c *callback.Client) {
		a.answers(func(q call) reply {
			if q.Socket == "9.9" {
				return reply{after: 2500 * time.Millisecond, status: 500}
			}
			return reply{status: 500}
		})
		for i := range 10 {
			go all(t, c, join("9.9", fmt.Sprint(i), "private-a")) // fail when the application has recovered
		}
		for range 5 {
			all(t, c, join("1.1", "7", "private-a"))
		}
		a.answers(allowAll(0, ""))
		time.Sleep(2 * time.Second)
		wantResults(t, all(t, c, join("1.1", "7", "private-a")), "allow")
		time.Sleep(2 * time.Second)
		wantResults(t, all(t, c, join("1.1", "7", "private-a")), "allow")
	})
}

// The operator is told once that an application fails, and once that it is back; secrets and credentials are not.
func TestBreakerIsLogged(t *testing.T) {
	a := answering(reply{status: 500})
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	bubble(t, a, func(c *callback.Config) { c.Logger = logger }, func(t *testing.T, c *callback.Client) {
		for range 20 {
			all(t, c, join("1.1", "7", "private-a"))
		}
		a.answers(allowAll(0, ""))
		time.Sleep(2 * time.Second)
		for range 3 {
			all(t, c, join("1.1", "7", "private-a"))
		}
		got := log.String()
		if strings.Count(got, "\n") != 2 || !strings.Contains(got, "level=WARN") || !strings.Contains(got, "answers callbacks again") ||
			!strings.Contains(got, "kind=authorize") || !strings.Contains(got, "answered 500") || strings.Contains(got, "sid=7") || strings.Contains(got, "app-secret") {
			t.Errorf("the log is %s", got)
		}
	})
}

// 500 sockets come back at the same moment with 10 channels each, and the application answers 503: it sees as many calls
// as are made at once, before the first five have failed, and no more.
func TestEverybodyAtOnce(t *testing.T) {
	a := answering(reply{status: 503})
	bubble(t, a, nil, func(t *testing.T, c *callback.Client) {
		var requests []authz.Request
		for i := range 500 {
			requests = append(requests, tenChannels(i)...)
		}
		began := time.Now()
		wantResults(t, all(t, c, requests...), same(5000, unavailable)...)
		if took := time.Since(began); took > 15*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		if n := len(a.asked()); n > 64 {
			t.Errorf("%d calls", n)
		}
	})
}

// tenChannels is what a socket asks when it comes back.
func tenChannels(i int) []authz.Request {
	var requests []authz.Request
	for n := range 10 {
		requests = append(requests, join(protocol.SocketID(fmt.Sprintf("%d.1", i)), fmt.Sprint(i), fmt.Sprintf("private-%d", n)))
	}
	return requests
}

// 500 sockets come back with 10 channels each, one after the other, while the application answers 503 for 20 s, and ask
// again every 3 s.
func TestEverybodyComesBack(t *testing.T) {
	const sockets, channels = 500, 10
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		a := &application{}
		answer := allowAll(30*time.Millisecond, "")
		a.answers(func(q call) reply {
			if q.at.Sub(began) < 20*time.Second {
				return reply{status: 503}
			}
			return answer(q)
		})
		c := newClient(t, a, nil)
		burst := func(requests []authz.Request) (allowed int, took time.Duration) {
			start := time.Now()
			for _, got := range all(t, c, requests...) {
				if got == "allow" {
					allowed++
				} else if got != unavailable {
					t.Errorf("an answer is %q", got)
				}
			}
			return allowed, time.Since(start)
		}
		var wg sync.WaitGroup
		for i := range sockets {
			wg.Go(func() {
				requests := tenChannels(i)
				time.Sleep(time.Duration(i) * 6 * time.Millisecond)
				for try := 0; ; try++ {
					allowed, took := burst(requests)
					if allowed == channels {
						break
					}
					// Whoever is no probe is answered at once; some of a socket's questions may come just before the way opens.
					if allowed == 0 && took > 15*time.Millisecond {
						t.Errorf("socket %d, try %d: no answer took %v", i, try, took)
					}
					time.Sleep(3 * time.Second)
				}
			})
		}
		wg.Wait()
		if back := time.Since(began); back > 60*time.Second {
			t.Errorf("all are back after %v", back)
		}
		perSecond := map[int]int{}
		var failed, answered int
		for _, q := range a.asked() {
			if since := q.at.Sub(began); since < 20*time.Second {
				failed++
				perSecond[int(since/time.Second)]++
			} else {
				answered++
			}
		}
		// Those that had begun before the first five had failed, and then one probe after 1, 2, and every 3 to 4 s.
		if failed > 20 || answered < sockets || answered > sockets+5 {
			t.Errorf("%d calls failed and %d were answered, want a few and %d; by second: %v", failed, answered, sockets, perSecond)
		}
		for second, n := range perSecond {
			if second > 0 && n > 1 {
				t.Errorf("%d probes in second %d", n, second)
			}
		}
	})
}

// An application that is away for 5 s while 50 clients come back, which ask again as pusher-js reconnects: all have their
// channels within 15 s.
func TestShortOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		a := &application{}
		a.answers(func(q call) reply {
			if q.at.Sub(began) < 5*time.Second {
				return reply{status: 502}
			}
			return reply{body: `{"allow":true}`}
		})
		c := newClient(t, a, nil)
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				for decide(t.Context(), c, join(protocol.SocketID(fmt.Sprintf("%d.1", i)), fmt.Sprint(i), "private-a")) != "allow" {
					time.Sleep(time.Second)
				}
			})
		}
		wg.Wait()
		if back := time.Since(began); back > 15*time.Second {
			t.Errorf("all are back after %v", back)
		}
	})
}
