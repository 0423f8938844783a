package bench

import (
	"errors"
	"fmt"
	"time"
)

// Churn connects, subscribes and closes, over and over: what is left behind of a connection that has gone, and what it costs.
type Churn struct {
	Cycles   int
	Warmup   int // cycles before measuring
	AtOnce   int // cycles under way at one time
	Channels int
	Settle   time.Duration // before memory is read
}

// Headline implements Scenario.
func (c *Churn) Headline() string { return "cpu_per_cycle_us" }

// Validate implements Scenario.
func (c *Churn) Validate() error {
	errs := []error{
		atLeast("cycles", c.Cycles, 1),
		atLeast("warmup", c.Warmup, 0),
		atLeast("at-once", c.AtOnce, 1),
		validChannels(c.Channels),
	}
	if c.Settle < 0 {
		errs = append(errs, fmt.Errorf("--settle must not be negative, as %v is", c.Settle))
	}
	return errors.Join(errs...)
}

// A cycler is the sockets that come and go.
type cycler struct {
	session *session
	wanted  int // cycles to begin
	begun   int
}

func (c *Churn) run(s *session) error {
	s.ledger.openAll("bench-", c.Channels)
	cycles := &cycler{session: s}
	if err := cycles.cycle(c.Warmup, c.AtOnce); err != nil {
		return err
	}
	if err := s.pass(c.Settle); err != nil {
		return err
	}
	from, err := s.mark()
	if err != nil {
		return err
	}
	if err := cycles.cycle(c.Cycles, c.AtOnce); err != nil {
		return err
	}
	done, err := s.mark()
	if err != nil {
		return err
	}
	if err := s.pass(c.Settle); err != nil {
		return err
	}
	to, err := s.mark()
	if err != nil {
		return err
	}
	n := float64(c.Cycles)
	s.figures.add("cycles_per_s", "1/s", n/(done.at-from.at).Seconds())
	if s.target.PID != 0 {
		s.figures.add("cpu_per_cycle_us", "µs", float64((done.server.cpu()-from.server.cpu()).Microseconds())/n)
		s.figures.add("rss_growth_per_cycle_bytes", "B", float64(to.server.Resident-from.server.Resident)/n)
		s.figures.add("server_rss_mib", "MiB", float64(to.server.Resident)/(1<<20))
	}
	return nil
}

// cycle runs so many more cycles.
func (c *cycler) cycle(cycles, atOnce int) error {
	c.wanted += cycles
	for range min(cycles, atOnce) {
		c.begin()
	}
	return c.session.await("connecting and closing", func() bool { return c.session.finished == c.wanted })
}

func (c *cycler) begin() {
	if c.begun == c.wanted {
		return
	}
	if _, err := c.session.connect(c, c.begun, 0); err != nil {
		c.session.loop.fail(err)
	}
	c.begun++
}

func (c *cycler) established(s *socket)         { s.subscribe(c.session.ledger.spread(s.index).name, "") }
func (c *cycler) subscribed(s *socket)          { s.leave() }
func (c *cycler) event(*socket, stamp, []byte)  {}
func (c *cycler) other(*socket, string, []byte) {}

func (c *cycler) gone(_ *socket, err error) {
	if err != nil {
		c.session.loop.fail(fmt.Errorf("a client's connection: %w", err))
		return
	}
	c.session.finished++
	c.session.loop.moved = c.session.loop.now
	c.begin()
}
