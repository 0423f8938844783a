package bench

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// An Audience is sockets, spread evenly over channels.
type Audience struct{ Conns, Channels int }

// validate wants so many sockets on each channel.
func (p Audience) validate(each int) error {
	return errors.Join(validChannels(p.Channels), atLeast("conns", p.Conns, each*p.Channels))
}

func validChannels(n int) error {
	if n < 1 || n > 1<<16 {
		return fmt.Errorf("--channels must be from 1 to %d, not %d", 1<<16, n)
	}
	return nil
}

// A crowd is sockets with a subscription each, whose deliveries a ledger counts.
type crowd struct {
	*client
	ledger  *ledger
	sockets []*socket
	atOnce  int  // handshakes under way at one time
	idle    bool // they have no subscriptions

	wanted, ready int
}

// newCrowd is one that is spread over the channels of a ledger.
func newCrowd(c *client, l *ledger) *crowd { return &crowd{client: c, ledger: l, atOnce: 100} }

// gather opens channels whose names have a prefix, and lets a crowd grow on them.
func (s *session) gather(prefix string, p Audience) (*crowd, error) {
	s.ledger.openAll(prefix, p.Channels)
	c := newCrowd(s.client, s.ledger)
	return c, c.grow(p.Conns)
}

// grow connects and subscribes sockets until there are n, and returns when all of them are there.
func (c *crowd) grow(n int) error {
	c.wanted = n
	for range min(c.atOnce, n-len(c.sockets)) {
		c.start()
	}
	return c.await("connecting", func() bool { return c.ready == n })
}

// start connects the next one, if there is one more to connect.
func (c *crowd) start() {
	i := len(c.sockets)
	if i == c.wanted {
		return
	}
	s, err := c.connect(c, i, 0)
	if err != nil {
		c.loop.fail(err)
		return
	}
	c.sockets = append(c.sockets, s)
}

func (c *crowd) established(s *socket) {
	if c.idle {
		c.arrived()
		return
	}
	ch := c.ledger.spread(s.index)
	s.subscription = &subscription{channel: ch}
	s.subscribe(ch.name, channelData(ch.name, "u"+strconv.Itoa(s.index)))
}

func (c *crowd) subscribed(s *socket) {
	s.subscription.channel.subscribers++
	c.arrived()
}

func (c *crowd) arrived() {
	c.ready++
	c.loop.moved = c.loop.now
	c.start()
}

func (c *crowd) event(s *socket, st stamp, _ []byte) {
	c.loop.moved = c.loop.now
	c.ledger.receive(s.subscription, st, c.loop.now)
}

func (c *crowd) other(*socket, string, []byte) {}

func (c *crowd) gone(_ *socket, err error) {
	if err != nil {
		c.loop.fail(fmt.Errorf("a client's connection: %w", err))
	}
}

// subscriptions returns all that the sockets have.
func (c *crowd) subscriptions() []*subscription {
	var all []*subscription
	for _, s := range c.sockets {
		if s.subscription != nil {
			all = append(all, s.subscription)
		}
	}
	return all
}

// finish waits for what is still under way, and counts what does not come.
func (c *crowd) finish() error {
	if err := c.awaitAll(c.ledger); err != nil {
		return err
	}
	c.ledger.settle(c.subscriptions())
	return nil
}

// awaitAll waits for the events of l that are under way, but not for what does not come.
func (c *client) awaitAll(l *ledger) error {
	err := c.loop.run(c.ctx, c.patience, func() bool { return l.pending == 0 })
	if errors.Is(err, errStalled) {
		return nil
	}
	return err
}

// channelData is what a member of a presence channel is signed with; "" on other channels.
func channelData(channel, user string) string {
	if !strings.HasPrefix(channel, "presence-") {
		return ""
	}
	return `{"user_id":"` + user + `"}`
}
