package channels

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"hark/protocol"
)

// A flusher sends what is published to the sockets of its share. It is the
// only one who touches their place in a channel, so a pass needs no lock:
//
//	run
//	├─ awake                the places that have rested long enough
//	├─ take                 all that have something to do, longest waiting first
//	├─ serve
//	│  └─ feed.step         a slice of a pass over a place's subscribers
//	│     ├─ feed.begin     take entries, join and leave, build the batch
//	│     │  └─ Subscription.batch   what one socket gets that the others do not
//	│     ├─ flusher.send   one call per socket
//	│     └─ feed.end       give the bytes back, wake publishers that wait
//	└─ outgoing.flush       one write per socket, for all places of the round
type flusher struct {
	index    int
	pacing   float64
	counters Counters

	mu sync.Mutex
	// Guarded by mu.
	ready []*feed // places with something to do, each at most once

	wake chan struct{} // capacity 1, never closed

	// Owned by run.
	resting resting
	out     outgoing
	several bool // this round serves several places, so sockets may get something of each
}

func newFlusher(index int, c Config) *flusher {
	return &flusher{index: index, pacing: c.Pacing, counters: c.Counters, wake: make(chan struct{}, 1)}
}

// enqueue puts f behind the places that wait already.
func (fl *flusher) enqueue(f *feed) {
	fl.mu.Lock()
	fl.ready = append(fl.ready, f)
	first := len(fl.ready) == 1
	fl.mu.Unlock()
	if first {
		select {
		case fl.wake <- struct{}{}:
		default:
		}
	}
}

// run serves places, longest waiting first, until ctx ends.
func (fl *flusher) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var round []*feed
	for {
		fl.awake()
		if round = fl.take(round[:0]); len(round) > 0 {
			fl.serve(round)
			clear(round)
			continue
		}
		if len(fl.resting) > 0 {
			timer.Reset(time.Until(fl.resting[0].due))
		}
		select {
		case <-fl.wake:
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
}

// take swaps the ready list for an empty one.
func (fl *flusher) take(empty []*feed) []*feed {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	ready := fl.ready
	fl.ready = empty
	return ready
}

// serve gives each place of a round its turn.
func (fl *flusher) serve(round []*feed) {
	fl.several = len(round) > 1
	for _, f := range round {
		switch {
		case f.rests():
			heap.Push(&fl.resting, f)
		case f.step():
			fl.enqueue(f)
		}
	}
	fl.out.flush()
}

// awake puts the places whose rest is over on the ready list.
func (fl *flusher) awake() {
	if len(fl.resting) == 0 {
		return
	}
	for now := time.Now(); len(fl.resting) > 0 && !now.Before(fl.resting[0].due); {
		f := heap.Pop(&fl.resting).(*feed)
		f.due = time.Time{}
		fl.enqueue(f)
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
