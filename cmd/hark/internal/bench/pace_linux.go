package bench

import (
	"errors"
	"fmt"
	"time"
)

// A Pace is how a scenario publishes at a fixed rate, whatever becomes of the events.
type Pace struct {
	Duration   time.Duration // of each phase
	Rate       float64       // events a second, on all channels together
	Size       int           // bytes of an event's data
	Publishers int           // connections for requests
}

func (p Pace) validate() error {
	return errors.Join(
		validRate(p.Rate, p.Duration),
		atLeast("publishers", p.Publishers, 1),
		validSize(p.Size),
	)
}

// maxRate is what one thread can sign and send.
const maxRate = 50_000

func validRate(rate float64, d time.Duration) error {
	switch {
	case !(rate > 0 && rate <= maxRate):
		return fmt.Errorf("--rate must be more than 0 and at most %d events a second, not %v", maxRate, rate)
	case d <= 0:
		return errors.New("--duration must be more than 0")
	case rate*d.Seconds() < 1:
		return errors.New("--rate and --duration make less than one event")
	}
	return nil
}

// A pacing publishes events on all channels of a session in turn.
type pacing struct {
	Pace
	session   *session
	publisher *publisher
	published int
}

// pace opens the connections for requests.
func (s *session) pace(p Pace) (*pacing, error) {
	publisher, err := newPublisher(s.client, p.Publishers)
	return &pacing{Pace: p, session: s, publisher: publisher}, err
}

// run publishes for some time, and returns before the last of the events have arrived.
func (p *pacing) run(length time.Duration) error { return p.until(p.session.after(length)) }

// until publishes what is due until over says so.
func (p *pacing) until(over func(at time.Duration) bool) error {
	s := p.session
	began := time.Since(s.loop.began)
	due := func(i int) time.Duration { return began + time.Duration(float64(i)/p.Rate*float64(time.Second)) }
	i := 0
	s.loop.tick = func() {
		for ; due(i) <= time.Since(s.loop.began); i++ {
			if over(due(i)) {
				return
			}
			s.publish(p.publisher, s.ledger.spread(p.published), due(i), p.Size)
			p.published++
		}
		s.loop.wakeAt(due(i))
	}
	s.loop.wakeAt(began)
	err := s.loop.run(s.ctx, forever, func() bool { return over(s.loop.now) })
	s.loop.wake = 0
	return err
}

// warmUp publishes for a while before something is measured, and waits for what is under way: reading what a server has used
// takes this client some milliseconds, in which it receives nothing.
func (p *pacing) warmUp() error {
	if err := p.run(p.Duration / before); err != nil {
		return err
	}
	return p.session.awaitAll(p.session.ledger)
}

// measure publishes until over says so, waits for what is under way, and returns how late it was.
func (p *pacing) measure(over func(at time.Duration) bool) (*histogram, error) {
	s, late := p.session, &histogram{}
	s.ledger.late = late
	defer func() { s.ledger.late = nil }()
	if err := p.until(over); err != nil {
		return nil, err
	}
	return late, s.awaitAll(s.ledger)
}

// baseline warms the server up, and measures a phase to compare others with.
func (p *pacing) baseline() (*histogram, error) {
	if err := p.warmUp(); err != nil {
		return nil, err
	}
	return p.measure(p.session.after(p.Duration))
}

// after says whether so much time has passed since it was made.
func (s *session) after(d time.Duration) func(at time.Duration) bool {
	end := time.Since(s.loop.began) + d
	return func(at time.Duration) bool { return at >= end }
}

// compareLateness adds the figures of two phases.
func (s *session) compareLateness(firstPrefix string, first *histogram, prefix string, other *histogram) {
	s.lateness(firstPrefix, first)
	s.lateness(prefix, other)
	if base := first.quantile(0.99); base > 0 {
		s.figures.add("p99_ratio", "", float64(other.quantile(0.99))/float64(base))
	}
}
