package conformance

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A Suite plays cases against a server and says what came of it.
type Suite struct {
	// Cases are played in this order, as far as one waits for another.
	Cases []Case
	// Target is the server. One that has no URL is started anew for every case,
	// by its Start; then cases are played side by side.
	Target Target
	// Baseline has the failures that are known.
	Baseline Baseline
	// Longest is how long a case may let pass; one that would take longer is
	// skipped. 0: as long as it says.
	Longest time.Duration
	// Done is told of each case when it has been played, one at a time, in no
	// order; nil: nobody is.
	Done func(Result)

	down atomic.Bool // the server did not come back once, and is not waited for again
}

// atOnce is how many cases are played side by side. Most of them wait.
const atOnce = 64

// ErrTooLong is the error of a Result whose case would have let more time pass
// than Suite.Longest.
var ErrTooLong = errors.New("takes longer than wanted")

// A Result is what came of one case.
type Result struct {
	Case  Case
	Took  time.Duration
	Err   error  // nil: it went as its transcript says
	Known string // why it is known to fail; "": it is not
}

// An Outcome is a Result in a word.
type Outcome string

// The outcomes.
const (
	Passed  Outcome = "passed"
	Failed  Outcome = "FAILED"
	Known   Outcome = "known"   // failed, as the baseline says
	Mended  Outcome = "MENDED"  // passed, against what the baseline says: take it out
	Skipped Outcome = "skipped" // it needs a server of its own, or too much time
)

// Outcome returns what came of the case.
func (r Result) Outcome() Outcome {
	switch {
	case errors.Is(r.Err, ErrSkipped), errors.Is(r.Err, ErrTooLong):
		return Skipped
	case r.Err == nil && r.Known == "":
		return Passed
	case r.Err == nil:
		return Mended
	case r.Known == "":
		return Failed
	}
	return Known
}

// ID names the case in reports and baselines: the transcript's name without
// directory and extension, a slash, the case's name.
func (c Case) ID() string { return c.transcript() + "/" + c.Name }

func (c Case) transcript() string { return strings.TrimSuffix(path.Base(c.File), ".txt") }

// waits returns how long the case lets time pass by its own word, and whether
// it waits at all: for a time that the server names, too.
func (c Case) waits() (total time.Duration, any bool) {
	for _, s := range c.steps {
		text, found := strings.CutPrefix(s.text, "wait ")
		if !found {
			_, text, found = strings.Cut(s.text, " hears nothing for ")
		}
		if d, _, err := duration(text); found && err == nil {
			total += d
		}
		any = any || found
	}
	return total, any
}

// Waits reports whether the case lets time pass.
func (c Case) Waits() bool {
	_, any := c.waits()
	return any
}

// Run plays all cases and returns their results in the order of s.Cases. The
// error is that of ctx.
//
// Against one server, cases are played one after the other, since they use the
// same channels; those that let time pass are played side by side at the end.
func (s *Suite) Run(ctx context.Context) ([]Result, error) {
	results := make([]Result, len(s.Cases))
	var done sync.Mutex
	play := func(i int) {
		results[i] = s.play(ctx, s.Cases[i])
		if s.Done != nil {
			done.Lock()
			defer done.Unlock()
			s.Done(results[i])
		}
	}
	var side []int // by side
	for i, c := range s.Cases {
		if _, waits := c.waits(); s.Target.URL == "" || waits || c.Config != nil {
			side = append(side, i)
		} else {
			play(i)
		}
	}
	var running sync.WaitGroup
	next := make(chan int)
	for range atOnce {
		running.Go(func() {
			for i := range next {
				play(i)
			}
		})
	}
	for _, i := range side {
		next <- i
	}
	close(next)
	running.Wait()
	return results, ctx.Err()
}

func (s *Suite) play(ctx context.Context, c Case) Result {
	r := Result{Case: c, Known: s.Baseline[c.ID()]}
	target := s.Target
	if target.URL == "" && c.Config == nil {
		c.Config = &Config{Apps: []App{target.App}}
	}
	if d, _ := c.waits(); s.Longest > 0 && d > s.Longest {
		r.Err = ErrTooLong
		return r
	}
	start := time.Now()
	r.Err = Run(ctx, target, c)
	r.Took = time.Since(start)
	if r.Err != nil && target.URL != "" && !s.down.Load() {
		s.down.Store(!s.awaitServer(ctx))
	}
	return r
}

// revival is how long a server that a case has brought down may take to come
// back, if somebody starts it again.
const revival = 20 * time.Second

// awaitServer waits until a client can connect, so that what fails next is not
// the fault of the case before. It returns false when revival is over.
func (s *Suite) awaitServer(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, revival)
	defer cancel()
	for !s.reachable(ctx) {
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// reachable reports whether a client can connect.
func (s *Suite) reachable(ctx context.Context) bool {
	p := &player{
		ctx: ctx, testCase: &Case{}, target: s.Target, config: Config{Apps: []App{s.Target.App}}, clients: make(map[string]*client),
	}
	defer p.hangUp()
	return p.connect("a", "", "", true) == nil
}

// A Baseline says of cases that are known to fail, by ID, why they do.
type Baseline map[string]string

// ParseBaseline reads a baseline: a line for each case, its ID and, behind
// " -- ", the reason. Blank lines and those that begin with # are passed over.
func ParseBaseline(text string) (Baseline, error) {
	b := Baseline{}
	n := 0
	for line := range strings.SplitSeq(text, "\n") {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		id, reason, ok := strings.Cut(line, " -- ")
		id, reason = strings.TrimSpace(id), strings.TrimSpace(reason)
		switch {
		case !ok || reason == "":
			return nil, fmt.Errorf("line %d: a known failure needs its reason: ID -- why", n)
		case b[id] != "":
			return nil, fmt.Errorf("line %d: %s is there twice", n, id)
		}
		b[id] = reason
	}
	return b, nil
}

// Check returns an error if b names what is not among cases: it would excuse
// nothing.
func (b Baseline) Check(cases []Case) error {
	ids := make(map[string]bool, len(cases))
	for _, c := range cases {
		ids[c.ID()] = true
	}
	for id := range b {
		if !ids[id] {
			return fmt.Errorf("the baseline names %q, and there is no such case", id)
		}
	}
	return nil
}
