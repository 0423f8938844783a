package bench

import (
	"errors"
	"fmt"
	"time"
)

// Connect opens connections that stay idle, and measures what each costs: CPU time to open it, memory to keep it.
type Connect struct {
	Conns         int
	Subscriptions int // of each connection: 0 or 1
	Channels      int // that the subscriptions are spread over
	AtOnce        int // handshakes under way at one time
	Settle        time.Duration
}

// Headline implements Scenario.
func (c *Connect) Headline() string { return "rss_per_conn_bytes" }

// Validate implements Scenario.
func (c *Connect) Validate() error {
	errs := []error{
		atLeast("conns", c.Conns, 10),
		validChannels(c.Channels),
		atLeast("at-once", c.AtOnce, 1),
	}
	if c.Subscriptions != 0 && c.Subscriptions != 1 {
		errs = append(errs, fmt.Errorf("--subscriptions must be 0 or 1, not %d", c.Subscriptions))
	}
	if c.Settle < 0 {
		errs = append(errs, fmt.Errorf("--settle must not be negative, as %v is", c.Settle))
	}
	return errors.Join(errs...)
}

// first is the part of the connections that is there before memory is measured: what a server takes once is not part of
// what a connection takes.
const first = 10

func (c *Connect) run(s *session) error {
	s.ledger.openAll("bench-", c.Channels)
	crowd := newCrowd(s.client, s.ledger, func(i int) *channel {
		if c.Subscriptions == 0 {
			return nil
		}
		return s.ledger.spread(i)
	})
	crowd.atOnce = c.AtOnce
	some := c.Conns / first
	if err := crowd.grow(some); err != nil {
		return err
	}
	if err := s.pass(c.Settle); err != nil {
		return err
	}
	from, err := s.mark()
	if err != nil {
		return err
	}
	if err := crowd.grow(c.Conns); err != nil {
		return err
	}
	connected, err := s.mark()
	if err != nil {
		return err
	}
	if err := s.pass(c.Settle); err != nil {
		return err
	}
	settled, err := s.mark()
	if err != nil {
		return err
	}
	count := float64(c.Conns - some)
	s.figures.add("connects_per_s", "1/s", count/(connected.at-from.at).Seconds())
	if s.target.PID == 0 {
		return nil
	}
	s.figures.add("cpu_per_conn_us", "µs", float64((connected.server.cpu()-from.server.cpu()).Microseconds())/count)
	s.figures.add("rss_per_conn_bytes", "B", float64(settled.server.Resident-from.server.Resident)/count)
	s.figures.add("server_rss_mib", "MiB", float64(settled.server.Resident)/(1<<20))
	return nil
}

func (u Usage) cpu() time.Duration { return u.User + u.System }
