package redisbroker

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func someCall() *call { return &call{ctx: context.Background()} }

// Who finds nothing under way sends; what is made meanwhile gathers, in order and up to
// the bound, and is left to run.
func TestPipeGathers(t *testing.T) {
	p := newPipe(Config{Queue: 3, Timeout: time.Second})
	take := func(c *call, sends bool) {
		t.Helper()
		if err := p.take(c); err != nil || (c.done == nil) != sends {
			t.Errorf("take: %v, is the caller to send: %v, want %v", err, c.done == nil, sends)
		}
	}
	take(someCall(), true)
	p.release()
	take(someCall(), true)
	waiting := []*call{someCall(), someCall(), someCall()}
	for _, c := range waiting {
		take(c, false)
	}
	if err := p.take(someCall()); !errors.Is(err, errQueueFull) {
		t.Errorf("take of one too many: %v, want %v", err, errQueueFull)
	}
	p.release()
	<-p.turn
	if got := p.gather(); !slices.Equal(got, waiting) {
		t.Errorf("gather = %v, want what waits, in order: %v", got, waiting)
	}
	take(someCall(), false) // run sends
	if got := len(p.gather()); got != 1 {
		t.Errorf("gather = %d calls, want that which came meanwhile", got)
	}
	if got := len(p.gather()); got != 0 {
		t.Errorf("gather = %d calls, want none", got)
	}
	take(someCall(), true)
}

// A pipeline is bounded by its calls and by its bytes.
func TestPipeBatches(t *testing.T) {
	p := newPipe(Config{Queue: 1000, Timeout: time.Second})
	p.busy = true
	large := make([]byte, pipeBytes*2/3)
	for i := range 3 + pipeCalls {
		c := someCall()
		if i < 3 {
			c.args = []any{i, string(large)}
		}
		if err := p.take(c); err != nil {
			t.Fatal(err)
		}
	}
	var got []int
	for batch := p.gather(); len(batch) > 0; batch = p.gather() {
		got = append(got, len(batch))
	}
	if want := []int{2, pipeCalls, 1}; !slices.Equal(got, want) {
		t.Errorf("batches of %v calls, want %v", got, want)
	}
}

// The end of run answers what waits, and waits for who sends.
func TestPipeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe(Config{Queue: 3, Timeout: time.Second})
		ctx, cancel := context.WithCancel(t.Context())
		ended := false
		go func() {
			p.run(ctx)
			ended = true
		}()
		if err := p.take(someCall()); err != nil {
			t.Fatal(err)
		}
		waiting := make(chan error, 1)
		go func() {
			_, err := p.do(t.Context(), publishScript, nil)
			waiting <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-waiting; !errors.Is(err, errEnded) || isLost(err) {
			t.Errorf("a call that waited: %v, want %v", err, errEnded)
		}
		synctest.Wait()
		if ended {
			t.Error("run has ended while a call was under way")
		}
		p.release()
		synctest.Wait()
		if !ended {
			t.Error("run has not ended when nothing was under way any more")
		}
		if err := p.take(someCall()); !errors.Is(err, errEnded) {
			t.Errorf("take after the end: %v, want %v", err, errEnded)
		}
	})
}
