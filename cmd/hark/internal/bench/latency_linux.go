package bench

import "errors"

// Latency publishes at a fixed rate, whatever becomes of the events, and measures from the time at which each was due: what waits
// because the server, or this client, is behind counts too.
type Latency struct {
	Pace
	Audience
	BaseRate float64 // measure at this rate before, and compare; 0: do not
}

// Headline implements Scenario.
func (l *Latency) Headline() string { return "p99_ms" }

// Validate implements Scenario.
func (l *Latency) Validate() error {
	base := error(nil)
	if l.BaseRate != 0 {
		base = validRate(l.BaseRate, l.Duration)
	}
	return errors.Join(l.Pace.validate(), base, l.Audience.validate(1))
}

func (l *Latency) run(s *session) error {
	crowd, err := s.gather("bench-", l.Audience)
	if err != nil {
		return err
	}
	paced, err := s.pace(l.Pace)
	if err != nil {
		return err
	}
	var base *histogram
	if l.BaseRate != 0 {
		slower := *paced
		slower.Rate = l.BaseRate
		if base, err = slower.baseline(); err != nil {
			return err
		}
	}
	if err := paced.warmUp(); err != nil {
		return err
	}
	s.ledger.late = &histogram{}
	from, to, err := s.around(func() error { return paced.run(l.Duration) })
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
