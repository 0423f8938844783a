package bench

import (
	"errors"
	"fmt"
	"time"
)

// Connect opens connections that stay idle, and measures what each costs: CPU time to open it, memory to keep it.
type Connect struct {
	Handshakes
	Conns         int
	Subscriptions int // of each connection: 0 or 1
}

// Headline implements Scenario.
func (c *Connect) Headline() string { return "rss_per_conn_bytes" }

// Validate implements Scenario.
func (c *Connect) Validate() error {
	errs := []error{atLeast("conns", c.Conns, 10), c.Handshakes.validate()}
	if c.Subscriptions != 0 && c.Subscriptions != 1 {
		errs = append(errs, fmt.Errorf("--subscriptions must be 0 or 1, not %d", c.Subscriptions))
	}
	return errors.Join(errs...)
}

// first is the part of the connections that is there before memory is measured: what a server takes once is not part of
// what a connection takes.
const first = 10

func (c *Connect) run(s *session) error {
	s.ledger.openAll("bench-", c.Channels)
	crowd := newCrowd(s.client, s.ledger)
	crowd.atOnce, crowd.idle = c.AtOnce, c.Subscriptions == 0
	some := c.Conns / first
	if err := crowd.grow(some); err != nil {
		return err
	}
	figures := names{"connects_per_s", "cpu_per_conn_us", "rss_per_conn_bytes"}
	return c.measure(s, c.Conns-some, figures, func() error { return crowd.grow(c.Conns) })
}

// Handshakes are how connections are opened of which each is measured: what it costs, and what it leaves.
type Handshakes struct {
	Channels int           // that the subscriptions are spread over
	AtOnce   int           // connections that are being opened at one time
	Settle   time.Duration // before memory is read
}

func (h Handshakes) validate() error {
	settle := error(nil)
	if h.Settle < 0 {
		settle = fmt.Errorf("--settle must not be negative, as %v is", h.Settle)
	}
	return errors.Join(validChannels(h.Channels), atLeast("at-once", h.AtOnce, 1), settle)
}

// names are those of the figures: how many there were in a second, and what each cost.
type names struct{ rate, cpu, memory string }

// measure lets so many connections be opened, and adds what each cost. Memory is by how much it has grown once all has
// settled.
func (h Handshakes) measure(s *session, count int, figures names, open func() error) error {
	if err := s.pass(h.Settle); err != nil {
		return err
	}
	from, opened, err := s.around(open)
	if err != nil {
		return err
	}
	if err := s.pass(h.Settle); err != nil {
		return err
	}
	settled, err := s.mark()
	if err != nil {
		return err
	}
	n := float64(count)
	s.figures.add(figures.rate, "1/s", n/(opened.at-from.at).Seconds())
	if s.target.PID == 0 {
		return nil
	}
	s.figures.add(figures.cpu, "µs", float64((opened.server.cpu()-from.server.cpu()).Microseconds())/n)
	s.figures.add(figures.memory, "B", float64(settled.server.Resident-from.server.Resident)/n)
	s.figures.add("server_rss_mib", "MiB", float64(settled.server.Resident)/(1<<20))
	return nil
}

func (u Usage) cpu() time.Duration { return u.User + u.System }
