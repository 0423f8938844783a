package channels

import (
	"time"

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

	helped bool // a publisher may serve it; guarded by flusher.mu

	// Guarded by the flusher's turn.
	subs     []*Subscription
	batch    protocol.Batch // of the pass under way
	audience *audience      // of it; nil: all
	next     int            // the first of subs that has not got it
	taken    int            // bytes of the pass under way
	busy     bool           // a pass is under way
	took     time.Duration  // the rounds in which it was served
	due      time.Time      // the next begins no earlier; zero: at once
	// special are those of subs who get something else in this pass.
	special []*Subscription
	// holding are those of subs for whom live events are held; they are special in
	// every pass.
	holding []*Subscription
}

// An entry is one thing to do on a place, in order.
type entry struct {
	kind     entryKind
	helped   bool // whoever appends it helps the flusher, as far as it has few to serve
	frame    protocol.Frame
	sub      *Subscription
	audience *audience // of what has a pass of its own; else nil
}

// An audience says who of the subscribers gets something, or what.
type audience struct {
	to     *matcher // entrySome: those whom it matches get the frame
	copies *copies  // entryCopies: these are what each gets
}

type entryKind uint8

const (
	entryFrame     entryKind = iota // frame to every subscriber but sub
	entrySome                       // frame to every subscriber of audience.to but sub; a pass of its own
	entryCount                      // frame to every subscriber, unless another count follows in the pass
	entryOnly                       // frame to sub alone
	entryJoin                       // sub becomes a subscriber; frame to it alone
	entryTerminate                  // close the sockets of those who are the user
	entryLeave                      // sub is no subscriber any more; frame to it alone
	entryHold                       // sub gets nothing from here on, until entryRelease
	entryInitial                    // frame to sub alone, before what is held for it
	entryRelease                    // sub gets what was held for it
	entryCopies                     // to each subscriber its own of audience.copies, or nothing; a pass of its own
)

func (e *entry) bytes() int {
	n := len(e.frame.Wire()) + entryOverhead
	if e.kind == entryCopies {
		n += e.audience.copies.bytes
	}
	return n
}

// forOne reports whether e concerns one subscriber.
func (e *entry) forOne() bool { return e.kind == entryJoin || e.kind == entryLeave }

// toAll reports whether e's frame is for all subscribers of the pass, but for sub.
func (e *entry) toAll() bool { return e.kind <= entryCount }

// alone reports whether e has a pass of its own.
func (e *entry) alone() bool { return e.audience != nil }

// appendLocked appends e. The caller must hold channel.mu.
func (f *feed) appendLocked(e entry) {
	f.entries = append(f.entries, e)
	f.size += e.bytes()
	f.flusher.counters.Listed(e.bytes())
	if !f.queued {
		f.queued = true
		f.flusher.enqueue(f, e.helped && (e.forOne() || f.joined <= few))
	}
}

// step serves at most passSlice subscribers.
func (f *feed) step() {
	if !f.busy {
		f.begin()
	}
	if f.batch.Len() == 0 && f.audience == nil { // there was only something for some of them
		f.next = len(f.subs)
		return
	}
	end := min(f.next+passSlice, len(f.subs))
	slice := f.subs[f.next:end]
	f.next = end
	if f.audience != nil {
		f.stepSome(slice)
		return
	}
	for _, sub := range slice {
		sub.take(f.batch)
	}
}

// stepSome gives the batch to those subscribers whom it is for, or each its own.
func (f *feed) stepSome(slice []*Subscription) {
	for _, sub := range slice {
		switch a := f.audience; {
		case a.copies != nil:
			sub.take(protocol.Join(a.copies.frames[sub]))
		case a.to.matches(sub.socket):
			sub.take(f.batch)
		}
	}
}

// stepped is called when what a step served is out, now, after a round that took some
// time. It reports whether there is more to do.
func (f *feed) stepped(now time.Time, took time.Duration) bool {
	f.took += took
	return f.next < len(f.subs) || f.end(now)
}

// begin takes the next entries, brings the subscribers up to date, and serves
// those that get something else than the batch.
func (f *feed) begin() {
	entries := f.take()
	f.busy, f.next, f.took = true, 0, 0
	f.audience = entries[0].audience
	dropOldCounts(entries)
	frames := make([]protocol.Frame, 0, len(entries))
	for _, e := range entries {
		if e.toAll() {
			frames = append(frames, e.frame)
		}
		if e.sub != nil {
			f.single(e.sub)
		}
	}
	for _, sub := range f.holding {
		f.single(sub)
	}
	for _, sub := range f.special {
		f.flusher.send(sub.socket, sub.batch(entries))
	}
	f.keepHolding()
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

// single makes sub one of those who get something else in this pass.
func (f *feed) single(sub *Subscription) {
	if !sub.special {
		sub.special = true
		f.special = append(f.special, sub)
	}
}

// take takes what one pass may hold off the list: there is something. What is not
// for all is alone.
func (f *feed) take() []entry {
	c := f.channel
	c.mu.Lock()
	defer c.mu.Unlock()
	n, bytes := 0, 0
	for n < len(f.entries) && n < passEntries && (n == 0 || bytes+f.entries[n].bytes() <= passBytes) {
		alone := f.entries[n].alone()
		if alone && n > 0 {
			break
		}
		bytes += f.entries[n].bytes()
		n++
		if alone {
			break
		}
	}
	f.taken = bytes
	entries := f.entries[:n:n]
	f.entries = f.entries[n:]
	if len(f.entries) == 0 {
		f.entries = nil
	}
	return entries
}

// end finishes the pass, now, and reports whether another is due.
func (f *feed) end(now time.Time) bool {
	for i, sub := range f.special {
		sub.special = false
		f.special[i] = nil
	}
	f.special = f.special[:0]
	more := f.settle(now)
	f.batch, f.busy, f.audience = protocol.Batch{}, false, nil
	if !more {
		f.channel.registry.forget(f.channel)
	}
	return more
}

// settle gives the pass's bytes back, and reports whether there are entries.
func (f *feed) settle(now time.Time) bool {
	c := f.channel
	c.mu.Lock()
	defer c.mu.Unlock()
	f.size -= f.taken
	f.flusher.counters.Listed(-f.taken)
	c.roomLocked()
	f.queued = len(f.entries) > 0
	f.due = time.Time{}
	if pressed := f.queued || f.batch.Len() > 1; pressed && f.size < passBytes {
		f.due = restUntil(now, f.took, f.flusher.pacing)
	}
	return f.queued
}

// terminate closes the sockets that are signed in as the user of the place,
// after what they were to hear before.
func (f *feed) terminate() {
	f.flusher.out.flush()
	for _, sub := range f.subs {
		if sub.role == roleSelf {
			sub.socket.closeFor(Revoked, protocol.CloseUnauthorized, terminated)
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
