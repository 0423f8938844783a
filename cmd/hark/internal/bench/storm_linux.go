package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
)

// Storm lets a crowd connect and subscribe again, all at once and over and over, and measures what the subscribers of another
// channel notice of it. The crowd is served by a thread of its own.
type Storm struct {
	Duration   time.Duration // of the quiet phase, and the least of the storm: it ends when a reconnect of all is done
	Crowd      int           // sockets that reconnect
	AtOnce     int           // handshakes under way at one time
	Rate       float64       // events a second on the other channel
	Conns      int           // its subscribers
	Size       int           // bytes of an event's data
	Publishers int
}

// Headline implements Scenario.
func (t *Storm) Headline() string { return "p99_ratio" }

// Validate implements Scenario.
func (t *Storm) Validate() error {
	return errors.Join(
		validPace(t.Rate, t.Duration),
		atLeast("crowd", t.Crowd, 1),
		atLeast("at-once", t.AtOnce, 1),
		atLeast("conns", t.Conns, 1),
		atLeast("publishers", t.Publishers, 1),
		validSize(t.Size),
	)
}

func (t *Storm) run(s *session) error {
	s.ledger.openAll("bench-", 1)
	crowd := newCrowd(s.client, s.ledger, s.ledger.spread)
	if err := crowd.grow(t.Conns); err != nil {
		return err
	}
	p, err := newPublisher(s.client, t.Publishers)
	if err != nil {
		return err
	}
	other, err := newClient(s.ctx, s.url, s.patience)
	if err != nil {
		return err
	}
	defer other.loop.close()
	storm := newStorm(other, t.AtOnce)
	if err := storm.grow(t.Crowd); err != nil {
		return err
	}
	paced := pacing{publisher: p, rate: t.Rate, size: t.Size}
	if err := paced.run(s, t.Duration/before); err != nil { // to warm up
		return err
	}
	quiet, err := paced.measure(s, s.after(t.Duration))
	if err != nil {
		return err
	}
	disturbed, reconnects, took, err := t.disturb(s, storm, &paced)
	if err != nil {
		return err
	}
	if err := crowd.finish(); err != nil {
		return err
	}
	s.figures.add("reconnects_per_s", "1/s", float64(reconnects)/took.Seconds())
	s.compareLateness("quiet_", quiet, "storm_", disturbed)
	return nil
}

func newStorm(c *client, atOnce int) *crowd {
	l := &ledger{}
	crowd := newCrowd(c, l, func(int) *channel { return l.channels[0] })
	l.open("bench-storm")
	crowd.atOnce = atOnce
	return crowd
}

// disturb measures during the storm. The goroutine of the crowd has ended when it returns.
func (t *Storm) disturb(s *session, storm *crowd, paced *pacing) (late *histogram, reconnects int, took time.Duration, err error) {
	ctx, cancel := context.WithCancel(s.ctx)
	storm.ctx = ctx
	began := time.Now()
	var over atomic.Bool
	var failed error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer over.Store(true)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		for failed == nil && (reconnects == 0 || time.Since(began) < t.Duration) {
			failed = storm.again()
			reconnects += t.Crowd
		}
		took = time.Since(began)
	}()
	late, err = paced.measure(s, over.Load)
	cancel()
	<-ended
	if failed != nil && !errors.Is(failed, context.Canceled) {
		err = errors.Join(err, fmt.Errorf("the storm: %w", failed))
	}
	return late, reconnects, took, err
}

// again closes all connections without a word, and opens as many.
func (c *crowd) again() error {
	n := len(c.sockets)
	for _, s := range c.sockets {
		s.line.close()
	}
	c.sockets, c.ready = c.sockets[:0], 0
	return c.grow(n)
}
