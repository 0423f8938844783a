package chaos

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"hark/channels"
	"hark/channels/redisbroker"
	"hark/channels/redisbroker/redistest"
)

// quiet is a logger of go-redis, which says of each connection that fails that it has.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

func init() { redis.SetLogger(quiet{}) }

// broker returns a broker for a node behind a network.
func (w *world) broker(network *redistest.Proxy) (channels.Broker, error) {
	o := redis.UniversalOptions{Addrs: []string{network.Addr()}}
	switch {
	case w.cluster != nil:
		o.Addrs, o.IsClusterMode, o.Dialer = w.cluster.Addrs(), true, network.Dial
	case w.sentinels != nil:
		o.Addrs, o.MasterName, o.Dialer = w.sentinels.Addrs(), w.sentinels.Name, network.Dial
	}
	return redisbroker.New(redisbroker.Config{
		Redis: o, Lease: w.lease, Beat: w.beat, Timeout: w.timeout, Logger: logger("broker"),
	})
}

// broker returns the broker of a process.
func (c processConfig) broker() (channels.Broker, error) {
	if c.Redis == "" {
		return channels.NewMemory(), nil
	}
	return redisbroker.New(redisbroker.Config{
		Redis: redis.UniversalOptions{Addrs: []string{c.Redis}}, Lease: time.Duration(c.Lease) * time.Millisecond, Logger: logger(c.Title),
	})
}

// plays runs a play with so many seeds, or in the short form with one.
func plays(t *testing.T, times int, play func(t *testing.T, seed uint64)) {
	t.Parallel()
	if !long() {
		times = 1
	}
	for seed := range uint64(times) {
		t.Run(fmt.Sprint(seed+1), func(t *testing.T) {
			t.Parallel()
			play(t, seed+1)
		})
	}
}

// lossless ends a play in which nothing may be lost, not even where that is told.
func (w *world) lossless(p *play) {
	w.t.Helper()
	if c := p.calm(); c.gaps > 0 {
		w.t.Errorf("seed %d: %v: want no gaps", p.seed, c)
	}
	w.noted(p)
}

// much is so many events, or in the long form enough for 100 000 in all of a play that waits for three times as many.
func much(events int) int {
	if long() {
		return 34_000
	}
	return events
}

// Nothing happens but traffic, and clients that come and go, and connect to another node.
func TestTraffic(t *testing.T) {
	plays(t, 3, func(t *testing.T, seed uint64) {
		w := newWorld(t)
		p := w.stage(seed)
		for range 20 {
			p.traffic(50)
			all := p.present()
			p.move(all[p.rnd.IntN(len(all))])
		}
		w.lossless(p)
	})
}

// move has a client connect to another node.
func (p *play) move(c *client) {
	nodes := p.standing()
	p.allow(c.user)
	c.move(nodes[p.rnd.IntN(len(nodes))].name())
}
