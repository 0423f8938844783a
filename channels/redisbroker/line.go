package redisbroker

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// lineChannels bounds the channels of one SSUBSCRIBE.
	lineChannels = 512
	// lineRetry is about how long a line that broke rests.
	lineRetry = 100 * time.Millisecond
)

// A line is a connection that subscribes. It hands what arrives to the listeners, and
// connects again when it breaks, or when nothing is heard on it:
//
//	line.run             a connection, as long as it lasts
//	├─ line.write        subscribe and unsubscribe, several at a time
//	├─ line.watch        ping; end the connection if nothing comes back
//	└─ listener.heard    a message: on the goroutine that receives
type line struct {
	broker *Broker
	anchor string // a channel of its own: in Redis Cluster it decides to which master it connects

	mu sync.Mutex
	// Guarded by mu.
	listeners map[string]listener
	asked     map[string]int // subscribes that were not confirmed yet
	changes   []change       // to be written
	wake      chan struct{}  // capacity 1, never closed
}

// A listener is told what is said on a channel, by one goroutine at a time.
type listener interface {
	// heard takes a message.
	heard(payload string)
	// listening says that from here on everything is heard: what was said before may
	// have been missed.
	listening()
}

// A change is a channel to subscribe to, or not any more.
type change struct {
	channel string
	on      bool
}

func newLine(b *Broker, anchor string) *line {
	return &line{
		broker: b, anchor: anchor,
		listeners: make(map[string]listener), asked: make(map[string]int), wake: make(chan struct{}, 1),
	}
}

// listen subscribes to a channel.
func (l *line) listen(channel string, to listener) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listeners[channel] = to
	l.changeLocked(channel, true)
}

// ignore ends what listen began, for that listener.
func (l *line) ignore(channel string, to listener) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listeners[channel] == to {
		delete(l.listeners, channel)
		l.changeLocked(channel, false)
	}
}

func (l *line) changeLocked(channel string, on bool) {
	l.changes = append(l.changes, change{channel, on})
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run keeps a connection until ctx ends.
func (l *line) run(ctx context.Context) {
	for ctx.Err() == nil {
		l.connect(ctx)
		if ctx.Err() == nil {
			l.broker.look()
			if cluster, ok := l.broker.client.(*redis.ClusterClient); ok {
				cluster.ReloadState(ctx)
			}
			pause(ctx, lineRetry)
		}
	}
}

// connect has one connection, until it breaks.
func (l *line) connect(ctx context.Context) {
	inner, stop := context.WithCancel(ctx)
	defer stop()
	ps := l.broker.client.SSubscribe(inner, l.anchor)
	l.restart()
	heard := hearing{since: time.Now()}
	var owned sync.WaitGroup
	owned.Go(func() { l.write(inner, ps) })
	owned.Go(func() { l.watch(inner, ps, &heard) })
	for inner.Err() == nil {
		got, err := ps.Receive(inner)
		if err != nil {
			break
		}
		heard.now()
		switch m := got.(type) {
		case *redis.Message:
			l.hear(m.Channel, m.Payload)
		case *redis.Subscription:
			if m.Kind == "ssubscribe" {
				l.confirm(m.Channel)
			} else if m.Channel == l.anchor { // nobody has asked for that: the slot has moved
				stop()
			}
		}
		heard.now() // however long that took
	}
	stop()
	_ = ps.Close()
	owned.Wait()
}

// A hearing is when something was heard last. It goes by the monotonic clock: the other
// may be set while nothing is silent.
type hearing struct {
	since time.Time    // static
	last  atomic.Int64 // after that, in ns
}

func (h *hearing) now()               { h.last.Store(int64(time.Since(h.since))) }
func (h *hearing) ago() time.Duration { return time.Since(h.since) - time.Duration(h.last.Load()) }

// restart forgets what was asked for on the connection before, and asks for all.
func (l *line) restart() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.asked)
	l.changes = l.changes[:0]
	for channel := range l.listeners {
		l.changeLocked(channel, true)
	}
}

func (l *line) hear(channel, payload string) {
	l.mu.Lock()
	to := l.listeners[channel]
	l.mu.Unlock()
	if to != nil {
		to.heard(payload)
	}
}

// confirm notes a subscription. A channel that was given up and asked for again
// meanwhile has several under way: the last one counts.
func (l *line) confirm(channel string) {
	l.mu.Lock()
	if l.asked[channel]--; l.asked[channel] > 0 {
		l.mu.Unlock()
		return
	}
	delete(l.asked, channel)
	to := l.listeners[channel]
	l.mu.Unlock()
	if to != nil {
		to.listening()
	}
}

// write sends changes as they come.
func (l *line) write(ctx context.Context, ps *redis.PubSub) {
	for {
		select {
		case <-l.wake:
		case <-ctx.Done():
			return
		}
		for {
			on, names := l.next()
			if len(names) == 0 {
				break
			}
			do := ps.SUnsubscribe
			if on {
				do = ps.SSubscribe
			}
			if err := do(ctx, names...); err != nil {
				_ = ps.Close() // connect ends, and is called again
				return
			}
		}
	}
}

// next takes the next changes of one kind off the list.
func (l *line) next() (on bool, names []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for n < len(l.changes) && n < lineChannels && l.changes[n].on == l.changes[0].on {
		names = append(names, l.changes[n].channel)
		if l.changes[n].on {
			l.asked[l.changes[n].channel]++
		}
		n++
	}
	if n > 0 {
		on = l.changes[0].on
	}
	l.changes = l.changes[n:]
	if len(l.changes) == 0 {
		l.changes = nil
	}
	return on, names
}

// watch ends a connection on which nothing comes back.
func (l *line) watch(ctx context.Context, ps *redis.PubSub, heard *hearing) {
	ticker := time.NewTicker(l.broker.config.Beat)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			_ = ps.Close() // Receive does not look at ctx
			return
		}
		if heard.ago() > l.broker.config.Lease/2+l.broker.config.Beat {
			_ = ps.Close()
			return
		}
		if ps.Ping(ctx) != nil {
			_ = ps.Close()
			return
		}
	}
}
