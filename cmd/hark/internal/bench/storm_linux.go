package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
)

// Storm lets a crowd connect and subscribe again, over and over, and measures what the subscribers of another channel notice of
// it. The crowd is served by a thread of its own.
type Storm struct {
	Pace           // on the other channel
	Conns     int  // its subscribers
	Crowd     int  // sockets that come again
	AtOnce    int  // how many of them at one time
	PerSecond int  // how many in a second, at most; 0: as many as the server takes
	Stay      bool // they stay connected, and only subscribe again
}

// Headline implements Scenario.
func (t *Storm) Headline() string { return "p99_ratio" }

// Validate implements Scenario.
func (t *Storm) Validate() error {
	return errors.Join(
		t.Pace.validate(),
		atLeast("crowd", t.Crowd, 1),
		atLeast("at-once", t.AtOnce, 1),
		atLeast("per-second", t.PerSecond, 0),
		atLeast("conns", t.Conns, 1),
	)
}

func (t *Storm) run(s *session) error {
	crowd, err := s.gather("bench-", Audience{t.Conns, 1})
	if err != nil {
		return err
	}
	paced, err := s.pace(t.Pace)
	if err != nil {
		return err
	}
	other, err := newClient(s.ctx, s.target, s.patience)
	if err != nil {
		return err
	}
	defer other.loop.close()
	l := &ledger{}
	l.open("bench-storm")
	storm := newCrowd(other, l)
	storm.atOnce = t.AtOnce
	if err := storm.grow(t.Crowd); err != nil {
		return err
	}
	quiet, err := paced.baseline()
	if err != nil {
		return err
	}
	disturbed, again, took, err := t.disturb(storm, paced)
	if err != nil {
		return err
	}
	if err := crowd.finish(); err != nil {
		return err
	}
	s.figures.add("again_per_s", "1/s", float64(again)/took.Seconds())
	s.compareLateness("quiet_", quiet, "storm_", disturbed)
	return nil
}

// disturb measures during the storm. The goroutine of the crowd has ended when it returns.
func (t *Storm) disturb(storm *crowd, paced *pacing) (late *histogram, again int, took time.Duration, err error) {
	ctx, cancel := context.WithCancel(storm.ctx)
	defer cancel()
	storm.ctx = ctx
	var over atomic.Bool
	ended := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		began := time.Now()
		var err error
		again, err = t.rage(storm)
		took = time.Since(began)
		over.Store(true)
		ended <- err
	}()
	late, err = paced.measure(func(time.Duration) bool { return over.Load() })
	cancel()
	if failed := <-ended; failed != nil && err == nil {
		err = fmt.Errorf("the storm: %w", failed)
	}
	return late, again, took, err
}

// slice is how finely a storm that has a rate is spread over time.
const slice = time.Millisecond

// rage lets the sockets come again, some at a time, and returns how many did.
func (t *Storm) rage(storm *crowd) (again int, err error) {
	some := min(t.AtOnce, t.Crowd)
	if t.PerSecond > 0 {
		some = min(some, max(1, t.PerSecond/int(time.Second/slice)))
	}
	end := time.Since(storm.loop.began) + t.Duration
	for next := time.Since(storm.loop.began); storm.loop.now < end; again += some {
		for i := range some {
			storm.again((again+i)%t.Crowd, t.Stay)
		}
		if err := storm.await("coming again", func() bool { return storm.ready == t.Crowd }); err != nil {
			return again, err
		}
		if t.PerSecond > 0 {
			next += time.Duration(some) * time.Second / time.Duration(t.PerSecond)
			if err := storm.loop.runUntil(storm.ctx, next); err != nil {
				return again, err
			}
		}
	}
	return again, nil
}

// again lets a socket subscribe again: on a new connection, after the old one was closed without a word, unless it stays.
func (c *crowd) again(i int, stay bool) {
	c.ready--
	s := c.sockets[i]
	if stay {
		s.unsubscribe(s.subscription.channel.name)
		c.established(s)
		return
	}
	s.line.close()
	var err error
	if c.sockets[i], err = c.connect(c, i, 0); err != nil {
		c.loop.fail(err)
	}
}
