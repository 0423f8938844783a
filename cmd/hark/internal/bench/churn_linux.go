package bench

import (
	"errors"
	"fmt"
)

// Churn connects, subscribes and closes, over and over: what is left behind of a connection that has gone, and what it costs.
type Churn struct {
	Handshakes
	Cycles int
	Warmup int // cycles before measuring
}

// Headline implements Scenario.
func (c *Churn) Headline() string { return "cpu_per_cycle_us" }

// Validate implements Scenario.
func (c *Churn) Validate() error {
	return errors.Join(atLeast("cycles", c.Cycles, 1), atLeast("warmup", c.Warmup, 0), c.Handshakes.validate())
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
	figures := names{"cycles_per_s", "cpu_per_cycle_us", "rss_growth_per_cycle_bytes"}
	return c.measure(s, c.Cycles, figures, func() error { return cycles.cycle(c.Cycles, c.AtOnce) })
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
