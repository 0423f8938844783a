package bench

import "errors"

// ClientEvents lets one member of each private channel send client events to the others.
type ClientEvents struct {
	Span
	Audience        // one socket of each channel sends
	Outstanding int // events under way on all channels together
	Size        int // bytes of an event's data
}

// Headline implements Scenario.
func (e *ClientEvents) Headline() string { return "messages_per_cpu_s" }

// Validate implements Scenario.
func (e *ClientEvents) Validate() error {
	return errors.Join(
		e.Span.validate(),
		e.Audience.validate(2),
		atLeast("outstanding", e.Outstanding, 1),
		validSize(e.Size),
	)
}

func (e *ClientEvents) run(s *session) error {
	crowd, err := s.gather("private-bench-", e.Audience)
	if err != nil {
		return err
	}
	senders := crowd.sockets[:e.Channels]
	crowd.sockets = crowd.sockets[e.Channels:] // whose deliveries are counted
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
	_, _, err = s.deliver(e.Span, crowd, "messages")
	return err
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
