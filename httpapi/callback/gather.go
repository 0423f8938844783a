package callback

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	// maxBurst is how many channels one authorize_many is about.
	maxBurst = 100
	// maxGather is for how many times Config.Gather a burst may grow.
	maxGather = 4
)

// An asking is the question about one channel, and what waits for it.
type asking struct {
	place    place
	flight   *flight[decision]
	remember func(decision)
}

// A burst is what one sender asks within a short time: it is sent together, with the headers of the first question.
type burst struct {
	common question // what all have in common
	header http.Header
	asked  []asking
	last   time.Time // when the last was added
}

// has reports whether the burst asks about a channel: an answer has one decision for each.
func (b *burst) has(channel string) bool {
	return slices.ContainsFunc(b.asked, func(a asking) bool { return a.place.Channel == channel })
}

// bursts are those that gather questions.
type bursts struct {
	mu sync.Mutex
	by map[burstKey]*burst // guarded by mu
}

// A burstKey is a sender: a socket, credentials, a cause. Where a channel is asked about twice, because two patterns match
// it, the second question is in the sender's burst of the next number.
type burstKey struct {
	sender digest
	number int
}

// gather adds a question to what its sender asks, and sees to it that its flight lands. An error means that it does not.
func (c *Client) gather(ctx context.Context, sender digest, common question, header http.Header, a asking) error {
	c.bursts.mu.Lock()
	defer c.bursts.mu.Unlock()
	key := burstKey{sender: sender}
	for c.bursts.by[key] != nil && c.bursts.by[key].has(a.place.Channel) {
		key.number++
	}
	b := c.bursts.by[key]
	if b == nil {
		b = &burst{common: common, header: header}
		if err := c.start(ctx, KindAuthorize, func(ctx context.Context) { c.askBurst(ctx, key, b) }); err != nil {
			return err
		}
		c.bursts.by[key] = b
	}
	b.asked = append(b.asked, a)
	b.last = time.Now()
	if len(b.asked) == maxBurst {
		delete(c.bursts.by, key)
	}
	return nil
}

// pause returns how much longer a burst has to wait until nothing has been added to it for that long.
func (s *bursts) pause(b *burst, long time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(b.asked) == maxBurst {
		return 0
	}
	return time.Until(b.last.Add(long))
}

// close ends the gathering of a burst, and returns what it asks.
func (s *bursts) close(key burstKey, b *burst) []asking {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by[key] == b {
		delete(s.by, key)
	}
	return b.asked
}

// askBurst asks what has been gathered, once its sender pauses.
func (c *Client) askBurst(ctx context.Context, key burstKey, b *burst) {
	latest := time.Now().Add(maxGather * c.config.Gather)
	for wait := c.config.Gather; wait > 0; wait = min(c.bursts.pause(b, c.config.Gather), time.Until(latest)) {
		time.Sleep(wait)
	}
	asked := c.bursts.close(key, b)
	if len(asked) == 1 {
		c.askOne(ctx, b, asked[0])
	} else {
		c.askMany(ctx, b, asked)
	}
}

func (c *Client) askOne(ctx context.Context, b *burst, a asking) {
	q := b.common
	q.Kind, q.Channel, q.Pattern, q.Params = KindAuthorize, a.place.Channel, a.place.Pattern, a.place.Params
	d, err := ask(ctx, c, q, b.header, readDecision)
	c.settle(a, d, err)
}

func (c *Client) askMany(ctx context.Context, b *burst, asked []asking) {
	q := b.common
	q.Kind = KindAuthorizeMany
	for _, a := range asked {
		q.Channels = append(q.Channels, a.place)
	}
	decisions, err := ask(ctx, c, q, b.header, readDecisions)
	for _, a := range asked {
		d, ok := decisions[a.place.Channel]
		if !ok {
			d.verdict = denied
		}
		c.settle(a, d, err)
	}
}

// settle answers one question of a burst.
func (c *Client) settle(a asking, d decision, err error) {
	if err == nil {
		a.remember(d)
	}
	c.may.land(a.flight, d, err)
}
