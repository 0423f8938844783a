package channels

import (
	"container/heap"
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"hark/protocol"
)

const (
	// few is up to how many subscribers of a flusher, and fewInAll of a channel, are
	// served by whoever publishes to them, or hears what another node has published, where
	// the flushers have little else to do: to wake a goroutine costs as much as some writes.
	few, fewInAll = 8, 16
	// publisherLull and sinkLull are after what a lull a flusher is helped, in multiples
	// of what its last round took: events that come faster had better be joined. The sink
	// hands over all that a broker tells, one after the other, so that what it sends
	// itself keeps the rest waiting: for it a lull is that for each of the flushers.
	publisherLull, sinkLull = 1, 4
)

// A flusher sends what is published to the sockets of its share. Only whoever
// holds its turn touches their place in a channel, so a pass needs no lock. That
// is its own goroutine, or for a moment whoever publishes or delivers:
//
//	run, or help
//	├─ awake                the places that have rested long enough
//	├─ take                 all that have something to do, longest waiting first
//	├─ serve
//	│  └─ feed.step         a slice of a pass over a place's subscribers
//	│     ├─ feed.begin     take entries, join and leave, build the batch
//	│     │  └─ Subscription.batch   what one socket gets that the others do not
//	│     ├─ flusher.send   one call per socket
//	├─ outgoing.flush       one write per socket, for all places of the round
//	├─ feed.stepped
//	│  └─ feed.end          give the bytes back, wake publishers that wait
//	└─ broadcast            a slice of a pass over all connections
type flusher struct {
	index    int
	pacing   float64
	counters Counters

	mu sync.Mutex
	// Guarded by mu.
	ready []*feed // places with something to do, each at most once

	// offered says that one of ready was left to whoever publishes. Set under mu.
	offered atomic.Bool

	wake chan struct{} // capacity 1, never closed

	turn sync.Mutex // before all other locks
	// Guarded by turn.
	round   []*feed       // being served
	ended   time.Time     // when the last round did
	took    time.Duration // it
	resting resting
	out     outgoing
	several bool // this round serves several places, so sockets may get something of each

	crowd crowd // what is for connections and not for a place
}

func newFlusher(index int, c Config, all crowd) *flusher {
	return &flusher{index: index, pacing: c.Pacing, counters: c.Counters, wake: make(chan struct{}, 1), crowd: all}
}

// enqueue puts f behind the places that wait already. With helped, the caller
// calls help once it holds no lock any more.
func (fl *flusher) enqueue(f *feed, helped bool) {
	fl.mu.Lock()
	n := len(fl.ready)
	first := n == 0 || fl.ready[n-1].helped // run knows of nothing yet
	f.helped = helped
	fl.ready = append(fl.ready, f)
	if helped {
		fl.offered.Store(true)
	}
	fl.mu.Unlock()
	if first && !helped {
		fl.signal()
	}
}

// signal wakes run.
func (fl *flusher) signal() {
	select {
	case fl.wake <- struct{}{}:
	default:
	}
}

// run serves places, longest waiting first, until ctx ends.
func (fl *flusher) run(ctx context.Context) {
	for {
		due, more := fl.work()
		if more {
			continue
		}
		var rested <-chan time.Time // nil: nobody rests
		if !due.IsZero() {
			rested = time.After(time.Until(due))
		}
		select {
		case <-fl.wake:
			runtime.Gosched() // whoever publishes at the same time comes first: it may join
		case <-rested:
		case <-ctx.Done():
			return
		}
	}
}

// work serves a round, and a slice of a broadcast. Where there is none, it returns
// when the first rest is over; zero: nobody rests.
func (fl *flusher) work() (due time.Time, more bool) {
	fl.turn.Lock()
	defer fl.turn.Unlock()
	fl.awake()
	busy := fl.take(false)
	if busy {
		fl.serve(time.Now())
	}
	if fl.broadcast() || busy {
		return time.Time{}, true
	}
	if len(fl.resting) > 0 {
		due = fl.resting[0].due
	}
	return due, false
}

// help serves the one place that its caller has given something to do. It leaves
// that to run if there is more to do, or if the flusher has been idle for less
// than a lull, in multiples of what its last round took.
func (fl *flusher) help(lull time.Duration) {
	if !fl.offered.Load() {
		return
	}
	if !fl.turn.TryLock() {
		fl.signal()
		return
	}
	rested := len(fl.resting)
	defer fatal()
	if now := time.Now(); now.Sub(fl.ended) >= lull*fl.took && fl.take(true) {
		fl.serve(now)
	}
	moved := len(fl.resting) > rested // run has to set its timer
	fl.turn.Unlock()
	if moved || fl.waits() {
		fl.signal()
	}
}

// fatal ends the process over a panic, as one in run would. Whoever a publisher
// is called by may recover, and the flusher would stand still for ever.
func fatal() {
	if v := recover(); v != nil {
		text := fmt.Sprintf("%v\n%s", v, debug.Stack())
		go panic(text)
		select {}
	}
}

// take makes the ready list the round. A publisher takes only what is alone on
// it and left to publishers.
func (fl *flusher) take(helping bool) bool {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	n := len(fl.ready)
	if n == 0 || helping && (n > 1 || !fl.ready[0].helped) {
		return false
	}
	fl.ready, fl.round = fl.round[:0], fl.ready
	fl.offered.Store(false)
	return true
}

// waits reports whether there is something on the ready list.
func (fl *flusher) waits() bool {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	return len(fl.ready) > 0
}

// serve gives each place of a round its turn.
func (fl *flusher) serve(began time.Time) {
	fl.several = len(fl.round) > 1
	for _, f := range fl.round {
		if f.rests() {
			heap.Push(&fl.resting, f)
		} else {
			f.step()
		}
	}
	fl.out.flush()
	fl.ended = time.Now()
	fl.took = fl.ended.Sub(began)
	long := false // the first slice of an event for many is out, and nothing presses
	for _, f := range fl.round {
		if f.busy && f.stepped(fl.ended, fl.took) {
			long = long || f.busy && f.next == passSlice && f.batch.Len() == 1
			fl.enqueue(f, false)
		}
	}
	clear(fl.round)
	if long {
		yield()
	}
}

// awake puts the places whose rest is over on the ready list.
func (fl *flusher) awake() {
	if len(fl.resting) == 0 {
		return
	}
	for now := time.Now(); len(fl.resting) > 0 && !now.Before(fl.resting[0].due); {
		f := heap.Pop(&fl.resting).(*feed)
		f.due = time.Time{}
		fl.enqueue(f, false)
	}
}

// send gives a socket what a place has for it: at once if this round serves no
// other place, else with what they have for it.
func (fl *flusher) send(s *Socket, b protocol.Batch) {
	switch {
	case b.Len() == 0:
	case fl.several:
		fl.out.add(s, b)
	default:
		s.send(b)
	}
}
