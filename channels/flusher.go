package channels

import (
	"context"
	"sync"

	"hark/protocol"
)

const (
	// passSlice is how many subscribers a flusher serves before it looks at
	// the next place: a huge channel costs the others at most this much.
	passSlice = 256
	// passEntries and passBytes bound what one pass over a place joins into a
	// batch.
	passEntries = 256
	passBytes   = 64 << 10
)

// A flusher sends what is published to the sockets of its share. It is the
// only one who touches their place in a channel, so a pass needs no lock:
//
//	run
//	└─ next                 the place that has waited longest
//	   └─ feed.step         a slice of a pass over its subscribers
//	      ├─ feed.begin     take entries, join and leave, build the batch
//	      │  └─ Subscription.batch   what one socket gets that the others do not
//	      ├─ Conn.Send      one call per socket
//	      └─ feed.end       give the bytes back, wake publishers that wait
type flusher struct {
	index    int
	counters Counters

	mu sync.Mutex
	// Guarded by mu.
	ready []*feed // places with something to do, each at most once

	wake chan struct{} // capacity 1, never closed
}

func newFlusher(index int, counters Counters) *flusher {
	return &flusher{index: index, counters: counters, wake: make(chan struct{}, 1)}
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
	var round []*feed
	for {
		round = fl.take(round[:0])
		if len(round) == 0 {
			select {
			case <-fl.wake:
			case <-ctx.Done():
				return
			}
			continue
		}
		for _, f := range round {
			if f.step() {
				fl.enqueue(f)
			}
		}
		clear(round)
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

// A feed is a place on one flusher: the ordered list of what is still to be
// done there, and the subscribers it is done for.
type feed struct {
	channel *Channel
	flusher *flusher

	// Guarded by channel.mu.
	entries []entry
	size    int  // bytes of entries and of the pass under way
	joined  int  // subscribers once all entries are done
	queued  bool // on the flusher's ready list, or in its hands

	// Owned by the flusher.
	subs  []*Subscription
	batch protocol.Batch // of the pass under way
	next  int            // the first of subs that has not got it
	taken int            // bytes of the pass under way
	busy  bool           // a pass is under way
	// special are those of subs who get something else in this pass.
	special []*Subscription
}

// An entry is one thing to do on a place, in order.
type entry struct {
	kind  entryKind
	frame protocol.Frame
	sub   *Subscription
}

type entryKind uint8

const (
	entryFrame     entryKind = iota // frame to every subscriber but sub
	entryOnly                       // frame to sub alone
	entryJoin                       // sub becomes a subscriber; frame to it alone
	entryTerminate                  // close the sockets of those who are the user
	entryLeave                      // sub is no subscriber any more
)

func (e *entry) bytes() int { return len(e.frame.Wire()) + entryOverhead }

// appendLocked appends e. The caller must hold channel.mu.
func (f *feed) appendLocked(e entry) {
	f.entries = append(f.entries, e)
	f.size += e.bytes()
	f.flusher.counters.Listed(e.bytes())
	if !f.queued {
		f.queued = true
		f.flusher.enqueue(f)
	}
}

// step serves at most passSlice subscribers and reports whether there is more
// to do.
func (f *feed) step() bool {
	if !f.busy {
		f.begin()
	}
	end := min(f.next+passSlice, len(f.subs))
	for _, sub := range f.subs[f.next:end] {
		sub.take(f.batch)
	}
	f.next = end
	if end < len(f.subs) {
		return true
	}
	return f.end()
}

// begin takes the next entries, brings the subscribers up to date, and serves
// those that get something else than the batch.
func (f *feed) begin() {
	entries := f.take()
	f.busy, f.next = true, 0
	frames := make([]protocol.Frame, 0, len(entries))
	for _, e := range entries {
		if e.kind == entryFrame {
			frames = append(frames, e.frame)
		}
		if e.sub != nil && !e.sub.special {
			e.sub.special = true
			f.special = append(f.special, e.sub)
		}
	}
	for _, sub := range f.special {
		sub.socket.send(sub.batch(entries))
	}
	for _, e := range entries {
		switch e.kind {
		case entryJoin:
			f.insert(e.sub)
		case entryLeave:
			f.remove(e.sub)
		case entryTerminate:
			f.terminate()
		}
	}
	f.batch = protocol.Join(frames...)
	clear(entries) // the list they came from may live on
}

// take takes what one pass may hold off the list.
func (f *feed) take() []entry {
	c := f.channel
	c.mu.Lock()
	defer c.mu.Unlock()
	n, bytes := 0, 0
	for n < len(f.entries) && n < passEntries && (n == 0 || bytes+f.entries[n].bytes() <= passBytes) {
		bytes += f.entries[n].bytes()
		n++
	}
	f.taken = bytes
	entries := f.entries[:n:n]
	f.entries = f.entries[n:]
	if len(f.entries) == 0 {
		f.entries = nil
	}
	return entries
}

// end finishes the pass and reports whether another is due.
func (f *feed) end() bool {
	for i, sub := range f.special {
		sub.special = false
		f.special[i] = nil
	}
	f.special = f.special[:0]
	f.batch, f.busy = protocol.Batch{}, false

	more := f.settle()
	if !more {
		f.channel.registry.forget(f.channel)
	}
	return more
}

// settle gives the pass's bytes back, and reports whether there are entries.
func (f *feed) settle() bool {
	c := f.channel
	c.mu.Lock()
	defer c.mu.Unlock()
	f.size -= f.taken
	f.flusher.counters.Listed(-f.taken)
	c.roomLocked()
	f.queued = len(f.entries) > 0
	return f.queued
}

// terminate closes the sockets that are signed in as the user of the place.
func (f *feed) terminate() {
	for _, sub := range f.subs {
		if sub.role == roleSelf {
			sub.socket.close(protocol.CloseUnauthorized, "You got disconnected by the app.")
		}
	}
}

// insert and remove keep each subscription's index, so that both are O(1).
func (f *feed) insert(sub *Subscription) {
	sub.index, sub.present = len(f.subs), true
	f.subs = append(f.subs, sub)
}

func (f *feed) remove(sub *Subscription) {
	sub.present = false
	last := len(f.subs) - 1
	f.subs[sub.index] = f.subs[last]
	f.subs[sub.index].index = sub.index
	f.subs[last] = nil
	f.subs = f.subs[:last]
}
