package bench

import (
	"errors"
	"fmt"
	"time"
)

// Fanout publishes the next event when all subscribers have one, so that as many as wanted are under way all the time.
type Fanout struct {
	Span
	Audience
	Outstanding int  // events under way
	PerChannel  bool // Outstanding counts for each channel, not for all together
	Size        int  // bytes of an event's data
	Publishers  int  // connections for requests; 0: two for each event under way, 64 at most
}

// Headline implements Scenario.
func (f *Fanout) Headline() string { return "deliveries_per_cpu_s" }

// Validate implements Scenario.
func (f *Fanout) Validate() error {
	return errors.Join(
		f.Span.validate(),
		f.Audience.validate(1),
		atLeast("outstanding", f.Outstanding, 1),
		validSize(f.Size),
	)
}

func (f *Fanout) run(s *session) error {
	crowd, err := s.gather("bench-", f.Audience)
	if err != nil {
		return err
	}
	outstanding := f.Outstanding
	if f.PerChannel {
		outstanding *= f.Channels
	}
	publishers := f.Publishers
	if publishers == 0 {
		publishers = min(2*outstanding, 64)
	}
	p, err := newPublisher(s.client, publishers)
	if err != nil {
		return err
	}
	next := outstanding
	s.ledger.done = func(c *channel, _ uint32) {
		s.finished++
		if s.closing {
			return
		}
		if !f.PerChannel {
			c = s.ledger.spread(next)
			next++
		}
		s.publish(p, c, s.loop.now, f.Size)
	}
	for i := range outstanding {
		s.publish(p, s.ledger.spread(i), s.loop.now, f.Size)
	}
	from, to, err := s.deliver(f.Span, crowd, "events")
	if err != nil {
		return err
	}
	s.figures.add("deliveries_per_read", "", float64(to.deliveries-from.deliveries)/float64(to.reads-from.reads))
	return nil
}

// publish triggers the next event of a channel.
func (s *session) publish(p *publisher, c *channel, due time.Duration, size int) {
	seq := s.ledger.publish(c, due)
	p.send(request{channel: c, seq: seq, due: due, data: stamp{c.index, seq}.data(size)})
}

func atLeast(flag string, value, least int) error {
	if value < least {
		return fmt.Errorf("--%s must be at least %d, not %d", flag, least, value)
	}
	return nil
}

// maxSize is Pusher's own limit.
const maxSize = 10240

func validSize(n int) error {
	if n < stampLength || n > maxSize {
		return fmt.Errorf("--size must be from %d to %d bytes, not %d", stampLength, maxSize, n)
	}
	return nil
}
