package bench

import "errors"

// Trigger publishes on a channel without subscribers, with one request under way on each connection.
type Trigger struct {
	Span
	Conns int  // connections
	Close bool // each is for one request only; false: they stay open, if the server lets them
	Size  int  // bytes of an event's data
}

// Headline implements Scenario.
func (t *Trigger) Headline() string { return "requests_per_cpu_s" }

// Validate implements Scenario.
func (t *Trigger) Validate() error {
	return errors.Join(t.Span.validate(), atLeast("conns", t.Conns, 1), validSize(t.Size))
}

func (t *Trigger) run(s *session) error {
	c := s.ledger.open("bench-nobody")
	p, err := newPublisher(s.client, t.Conns)
	if err != nil {
		return err
	}
	p.once = t.Close
	var answers histogram
	data := stamp{c.index, 0}.data(t.Size)
	p.answered = func(r request) {
		s.finished++
		answers.add(s.loop.now - r.due)
		if !s.closing {
			p.send(request{channel: c, due: s.loop.now, data: data})
		}
	}
	for range t.Conns {
		p.send(request{channel: c, due: s.loop.now, data: data})
	}
	opened := p.open
	from, to, err := s.during(t.Span)
	if err != nil {
		return err
	}
	cpu := s.cost(from, to)
	s.rate("requests", to.finished-from.finished, from, to, cpu)
	s.figures.add("connections_per_request", "", float64(p.open-opened)/float64(answers.total))
	s.lateness("answer_", &answers)
	return nil
}
