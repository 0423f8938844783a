package bench

import (
	"errors"
	"fmt"
	"time"
)

// Fanout publishes the next event when all subscribers have one, so that as many as wanted are under way all the time.
type Fanout struct {
	Span
	Conns       int // subscribers, spread over the channels
	Channels    int
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
		atLeast("conns", f.Conns, f.Channels),
		validChannels(f.Channels),
		atLeast("outstanding", f.Outstanding, 1),
		validSize(f.Size),
	)
}

func (f *Fanout) run(s *session) error {
	s.ledger.openAll("bench-", f.Channels)
	crowd := newCrowd(s.client, s.ledger, s.ledger.spread)
	if err := crowd.grow(f.Conns); err != nil {
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
	from, to, err := s.during(f.Span)
	if err != nil {
		return err
	}
	if err := crowd.finish(); err != nil {
		return err
	}
	cpu := s.cost(from, to)
	s.rate("events", to.finished-from.finished, from, to, cpu)
	s.rate("deliveries", to.deliveries-from.deliveries, from, to, cpu)
	s.figures.add("deliveries_per_read", "", float64(to.deliveries-from.deliveries)/float64(to.reads-from.reads))
	return nil
}

// publish triggers the next event of a channel.
func (s *session) publish(p *publisher, c *channel, due time.Duration, size int) {
	seq := s.ledger.publish(c, due)
	p.send(request{channel: c, seq: seq, due: due, data: stamp{c.index, seq}.data(size)})
}

func (s Span) validate() error {
	if s.Events <= 0 && s.Duration <= 0 {
		return errors.New("--duration must be more than 0, or --events given")
	}
	return nil
}

func atLeast(flag string, value, least int) error {
	if value < least {
		return fmt.Errorf("--%s must be at least %d, not %d", flag, least, value)
	}
	return nil
}

func validChannels(n int) error {
	if n < 1 || n > 1<<16 {
		return fmt.Errorf("--channels must be from 1 to %d, not %d", 1<<16, n)
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
