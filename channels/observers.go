package channels

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"hark/authz"
)

const (
	// observersAtOnce is how many observers are told something at the same time.
	observersAtOnce = 64
	// observersShare is which part of what may wait can be about the same connection
	// or channel: one observer that is slow leaves the others room.
	observersShare = 4
	// observersDrain is how long a hub that ends goes on telling observers, after
	// it has closed all connections.
	observersDrain = 5 * time.Second
)

// observers tell an app's observers what has happened, in order for each
// connection and each place, and never on a goroutine that serves:
//
//	add        somebody has something to tell, maybe under Channel.mu
//	run        up to observersAtOnce of them
//	├─ next    the longest waiting queue's first
//	└─ tell    within the bounds of a hook
type observers struct {
	// Static after construction.
	start    func(func()) bool // Hub.Go
	most     int               // calls that wait; Config.ObserverQueue
	counters Counters
	logger   *slog.Logger
	calls    authz.Calls

	mu sync.Mutex
	// Guarded by mu.
	queues  map[any]*notices // those with a call waiting or under way, by their key
	ready   []*notices       // those with a call waiting and none under way
	waiting int              // calls
	running int              // goroutines
	until   time.Time        // when what waits is given up; zero: never
}

// notices are the calls about one connection or place that wait. Its key is that,
// or the notices themselves, where nothing else is about the same.
type notices struct {
	key   any
	calls []func(context.Context)
}

func newObservers(h *Hub) *observers {
	return &observers{
		start:    h.Go,
		most:     h.config.ObserverQueue,
		counters: h.config.Counters,
		logger:   h.config.Logger,
		queues:   make(map[any]*notices),
	}
}

// add queues f behind what waits under the key, a *Socket or a Place; nil: behind
// nothing. It does not wait and may be called with locks held.
func (o *observers) add(key any, f func(context.Context)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var q *notices
	if key != nil {
		q = o.queues[key]
	}
	if o.waiting >= o.most || q != nil && len(q.calls) >= max(o.most/observersShare, 1) {
		o.counters.Dropped(DropObserver, 1)
		return
	}
	if q == nil {
		q = &notices{key: key}
		if key == nil {
			q.key = q
		}
		o.queues[q.key] = q
		o.ready = append(o.ready, q)
	}
	q.calls = append(q.calls, f)
	o.waiting++
	if o.running < observersAtOnce && len(o.ready) > 0 {
		if o.start(o.run) {
			o.running++
		} else {
			o.dropLocked() // the hub has ended
		}
	}
}

// run tells what waits until nothing does.
func (o *observers) run() {
	for {
		q, f := o.next()
		if q == nil {
			return
		}
		o.tell(q, f)
		o.done(q)
	}
}

func (o *observers) next() (*notices, func(context.Context)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.until.IsZero() && !time.Now().Before(o.until) {
		o.dropLocked()
	}
	if len(o.ready) == 0 {
		o.running--
		return nil, nil
	}
	q := o.ready[0]
	o.ready[0] = nil
	o.ready = o.ready[1:]
	f := q.calls[0]
	q.calls[0] = nil
	q.calls = q.calls[1:]
	o.waiting--
	return q, f
}

// tell makes one call.
func (o *observers) tell(q *notices, f func(context.Context)) {
	var begun atomic.Bool
	err := o.calls.DoFor(context.Background(), q.party(), func(ctx context.Context) error {
		begun.Store(true)
		f(ctx)
		return nil
	})
	switch {
	case err == nil:
	case !begun.Load(): // too many hang
		o.counters.Dropped(DropObserver, 1)
	default:
		o.logger.Warn("an observer failed", "error", err)
	}
}

// party is who is told nothing more if observers of the same hang.
func (q *notices) party() string {
	switch about := q.key.(type) {
	case *Socket:
		return about.party()
	case Place:
		return about.Channel
	}
	return ""
}

func (o *observers) done(q *notices) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(q.calls) > 0 {
		o.ready = append(o.ready, q)
	} else {
		delete(o.queues, q.key)
	}
}

// dropLocked gives up what waits.
func (o *observers) dropLocked() {
	if o.waiting == 0 {
		return
	}
	o.counters.Dropped(DropObserver, o.waiting)
	for _, q := range o.ready {
		delete(o.queues, q.key)
	}
	for _, q := range o.queues {
		q.calls = nil // a call is under way, done looks after it
	}
	o.ready, o.waiting = nil, 0
}

// end makes the observers give up, at a time, what waits then.
func (o *observers) end(at time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.until = at
}
