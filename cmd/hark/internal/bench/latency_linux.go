package bench

import (
	"errors"
	"fmt"
	"time"
)

// Latency publishes at a fixed rate, whatever becomes of the events, and measures from the time at which each was due: what waits
// because the server, or this client, is behind counts too.
type Latency struct {
	Duration   time.Duration
	Rate       float64 // events a second, on all channels together
	BaseRate   float64 // measure at this rate before, and compare; 0: do not
	Conns      int     // subscribers, spread over the channels
	Channels   int
	Size       int // bytes of an event's data
	Publishers int // connections for requests
}

// Headline implements Scenario.
func (l *Latency) Headline() string { return "p99_ms" }

// Validate implements Scenario.
func (l *Latency) Validate() error {
	base := error(nil)
	if l.BaseRate != 0 {
		base = validPace(l.BaseRate, l.Duration)
	}
	return errors.Join(
		validPace(l.Rate, l.Duration),
		base,
		validChannels(l.Channels),
		atLeast("conns", l.Conns, l.Channels),
		atLeast("publishers", l.Publishers, 1),
		validSize(l.Size),
	)
}

// maxRate is what one thread can sign and send.
const maxRate = 50_000

func validPace(rate float64, d time.Duration) error {
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

func (l *Latency) run(s *session) error {
	s.ledger.openAll("bench-", l.Channels)
	crowd := newCrowd(s.client, s.ledger, s.ledger.spread)
	if err := crowd.grow(l.Conns); err != nil {
		return err
	}
	p, err := newPublisher(s.client, l.Publishers)
	if err != nil {
		return err
	}
	var base *histogram
	if l.BaseRate != 0 {
		paced := pacing{publisher: p, rate: l.BaseRate, size: l.Size}
		if err := paced.run(s, l.Duration/before); err != nil { // to warm up
			return err
		}
		if base, err = paced.measure(s, s.after(l.Duration)); err != nil {
			return err
		}
	}
	paced := pacing{publisher: p, rate: l.Rate, size: l.Size}
	if err := paced.run(s, l.Duration/before); err != nil {
		return err
	}
	s.ledger.late = &histogram{}
	from, err := s.mark()
	if err != nil {
		return err
	}
	if err := paced.run(s, l.Duration); err != nil {
		return err
	}
	to, err := s.mark()
	if err != nil {
		return err
	}
	behind := s.ledger.pending
	if err := crowd.finish(); err != nil {
		return err
	}
	cpu := s.cost(from, to)
	deliveries := to.deliveries - from.deliveries
	s.rate("deliveries", deliveries, from, to, cpu)
	s.figures.add("carried", "", float64(deliveries)/(l.Rate*(to.at-from.at).Seconds()*float64(l.Conns)/float64(l.Channels)))
	s.figures.add("behind_at_end", "", float64(behind))
	if base != nil {
		s.compareLateness("base_", base, "", s.ledger.late)
		return nil
	}
	s.lateness("", s.ledger.late)
	return nil
}

// A pacing publishes events on all channels of a ledger in turn, at a fixed rate.
type pacing struct {
	publisher *publisher
	rate      float64
	size      int
	published int
}

// run publishes for some time, and returns before the last of the events have arrived.
func (p *pacing) run(s *session, length time.Duration) error {
	end := time.Since(s.loop.began) + length
	return p.until(s, func() bool { return s.loop.now >= end })
}

// until publishes until over says so.
func (p *pacing) until(s *session, over func() bool) error {
	began := time.Since(s.loop.began)
	due := func(i int) time.Duration { return began + time.Duration(float64(i)/p.rate*float64(time.Second)) }
	i := 0
	s.loop.tick = func() {
		for ; due(i) <= time.Since(s.loop.began); i++ {
			s.publish(p.publisher, s.ledger.spread(p.published), due(i), p.size)
			p.published++
		}
		s.loop.wakeAt(due(i))
	}
	s.loop.wakeAt(began)
	err := s.loop.run(s.ctx, forever, over)
	s.loop.wake = 0
	return err
}

// measure paces until over says so, waits for all of it to arrive, and returns how late it was.
func (p *pacing) measure(s *session, over func() bool) (*histogram, error) {
	s.ledger.late = &histogram{}
	if err := p.until(s, over); err != nil {
		return nil, err
	}
	late := s.ledger.late
	err := s.await("events", func() bool { return s.ledger.pending == 0 })
	s.ledger.late = nil
	return late, err
}
