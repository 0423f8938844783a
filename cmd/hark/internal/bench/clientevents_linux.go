package bench

import "errors"

// ClientEvents lets one member of each private channel send client events to the others.
type ClientEvents struct {
	Span
	Conns       int // sockets, spread over the channels; one of each channel sends
	Channels    int
	Outstanding int // events under way on all channels together
	Size        int // bytes of an event's data
}

// Headline implements Scenario.
func (e *ClientEvents) Headline() string { return "messages_per_cpu_s" }

// Validate implements Scenario.
func (e *ClientEvents) Validate() error {
	return errors.Join(
		e.Span.validate(),
		validChannels(e.Channels),
		atLeast("conns", e.Conns, 2*e.Channels),
		atLeast("outstanding", e.Outstanding, 1),
		validSize(e.Size),
	)
}

func (e *ClientEvents) run(s *session) error {
	s.ledger.openAll("private-bench-", e.Channels)
	crowd := newCrowd(s.client, s.ledger, s.ledger.spread)
	if err := crowd.grow(e.Conns); err != nil {
		return err
	}
	senders := crowd.sockets[:e.Channels]
	for _, sender := range senders {
		sender.subscription.channel.subscribers-- // nobody gets his own
	}
	next := e.Outstanding
	s.ledger.done = func(*channel, uint32) {
		s.finished++
		if !s.closing {
			s.sendClientEvent(senders[next%len(senders)], e.Size)
			next++
		}
	}
	for i := range e.Outstanding {
		s.sendClientEvent(senders[i%len(senders)], e.Size)
	}
	from, to, err := s.during(e.Span)
	if err != nil {
		return err
	}
	crowd.sockets = crowd.sockets[e.Channels:] // whose deliveries are counted
	if err := crowd.finish(); err != nil {
		return err
	}
	cpu := s.cost(from, to)
	s.rate("messages", to.finished-from.finished, from, to, cpu)
	s.rate("deliveries", to.deliveries-from.deliveries, from, to, cpu)
	return nil
}

// sendClientEvent lets a socket send the next event of its channel.
func (s *session) sendClientEvent(from *socket, size int) {
	c := from.subscription.channel
	seq := s.ledger.publish(c, s.loop.now)
	c.sent(seq, &from.source)
	b := append([]byte(`{"event":"client-bench","channel":"`), c.name...)
	b = append(b, `","data":"`...)
	b = append(b, stamp{c.index, seq}.data(size)...)
	from.send(opText, append(b, `"}`...))
}
