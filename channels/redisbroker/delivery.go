package redisbroker

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"hark/channels"
)

const (
	// pendingMessages and pendingBytes bound what waits on one place while it is
	// being put in order. What is more is read from the stream.
	pendingMessages = 1024
	pendingBytes    = 1 << 20
	// fillEntries is how many entries of a stream are read at a time.
	fillEntries = 200
	// fillRetry is how long a place rests that could not be caught up.
	fillRetry = 100 * time.Millisecond
	// untoldRetry is when the state of a place is taken again that was taken before
	// Redis had been told who is there from this node.
	untoldRetry = 200 * time.Millisecond
)

// A delivery hands what happens on a place to the sink, in order and without holes:
//
//	opening    wait for the first sync to say from where on; keep what comes
//	open       hand over what is next
//	catching   a goroutine reads what is missing from the stream; keep what comes
//
// Past this node's lease nothing is handed over: it is kept, and caught up.
//
// Sink.Deliver, Gap and Correct are called under turn: that is what makes the order of the
// broker the order of delivery.
type delivery struct {
	place *place // static

	turn sync.Mutex
	// Guarded by turn.
	phase   phase
	last    message // what was handed over last; without its body
	pending []message
	bytes   int
	missed  bool  // while opening: something may have been missed
	afresh  bool  // the state is to be taken, whatever is in the stream
	check   bool  // the state is to be handed over when nothing is missing
	repairs int64 // of the place that are known here
	again   bool  // while catching: look once more
}

type phase uint8

const (
	opening phase = iota
	open
	catching
)

// heard implements listener.
func (d *delivery) heard(payload string) {
	b := d.place.broker
	if how, ok := strings.CutPrefix(payload, "r"); ok {
		if times, err := strconv.ParseInt(how, 10, 64); err == nil {
			d.repaired(times)
		}
		return
	}
	if payload == "" || payload[0] != 'p' {
		return
	}
	m, err := parseMessage(payload[1:])
	if err != nil {
		b.config.Logger.Error("what is said on a place is no message", "channel", d.place.at.Channel, "error", err)
		return
	}
	d.turn.Lock()
	defer d.turn.Unlock()
	if d.phase != open {
		d.keepLocked(m)
		return
	}
	if !b.lease.holds() || d.forkedLocked(m) || !d.nextLocked(m) {
		d.keepLocked(m)
		d.catchLocked()
	}
}

// forkedLocked reports whether m is of a master that does not know what was handed over
// last: it has an earlier position, and a later time.
func (d *delivery) forkedLocked(m message) bool {
	return m.epoch == d.last.epoch && m.seq <= d.last.seq && m.ms > d.last.ms
}

// repaired has the state checked if the place was repaired: when all nodes that have to
// tell Redis something will have done it.
func (d *delivery) repaired(times int64) {
	d.turn.Lock()
	defer d.turn.Unlock()
	d.repairedLocked(times)
}

func (d *delivery) repairedLocked(times int64) {
	if d.repairs != times {
		d.repairs = times
		d.place.broker.repairs.add(d.place, d.place.broker.config.Lease)
	}
}

// listening implements listener.
func (d *delivery) listening() {
	select {
	case <-d.place.ready:
	default:
		close(d.place.ready)
		return
	}
	d.turn.Lock()
	defer d.turn.Unlock()
	// What was kept is in the stream, or was lost with the master that said it.
	d.pending, d.bytes = nil, 0
	if d.phase == opening {
		d.missed = true
		return
	}
	d.catchLocked()
}

// keepLocked keeps a message for later. What is too much is dropped: the stream has
// it.
func (d *delivery) keepLocked(m message) {
	if len(d.pending) >= pendingMessages || d.bytes+len(m.body) > pendingBytes {
		d.place.broker.config.Counters.Overflow(len(d.pending) + 1)
		d.pending, d.bytes = nil, 0
		d.missed, d.again = true, true
		return
	}
	d.pending = append(d.pending, m)
	d.bytes += len(m.body)
}

// open begins, after a position.
func (d *delivery) open(from message) {
	d.turn.Lock()
	defer d.turn.Unlock()
	if d.phase != opening {
		return
	}
	d.last, d.phase, d.repairs = from, open, from.repairs
	if !d.place.broker.lease.holds() || !d.drainLocked() || d.missed || d.again {
		d.missed, d.again = false, false
		d.catchLocked()
	}
}

// drainLocked hands over what was kept, and reports whether nothing is missing before
// any of it.
func (d *delivery) drainLocked() bool {
	pending := d.pending
	d.pending, d.bytes = nil, 0
	for i, m := range pending {
		if m.epoch != d.last.epoch { // from before a gap, or behind another one
			d.again = true
			continue
		}
		if !d.nextLocked(m) {
			for _, m := range pending[i:] {
				d.keepLocked(m)
			}
			return false
		}
	}
	return true
}

// nextLocked hands m over if it is the next; one that was handed over before is passed
// over. It returns false if something is missing before it.
func (d *delivery) nextLocked(m message) bool {
	if m.epoch != d.last.epoch || m.seq > d.last.seq+1 {
		return false
	}
	if m.seq <= d.last.seq {
		return true
	}
	d.last = message{epoch: m.epoch, seq: m.seq, ms: m.ms}
	if m.body == lostBody {
		d.gapLocked(d.place.broker.config.Lease)
		return true
	}
	e, err := decode(m.body)
	if err != nil {
		if !errors.Is(err, errVersion) {
			d.place.broker.config.Logger.Error("what happened on a place cannot be read", "channel", d.place.at.Channel, "error", err)
		}
		d.afresh = true
		d.catchLocked()
		return true
	}
	e.Place = d.place.at
	e.Position = channels.Position{Epoch: m.epoch, Seq: m.seq}
	d.place.broker.sink.Deliver(e)
	return true
}

// catchLocked has what is missing read.
func (d *delivery) catchLocked() {
	if d.phase == catching {
		d.again = true
		return
	}
	d.phase = catching
	d.place.broker.tasks.start(d.catchUp)
}

// refresh has the state of the place handed over anew.
func (d *delivery) refresh() {
	d.turn.Lock()
	defer d.turn.Unlock()
	if d.phase == opening {
		return
	}
	d.check = true
	d.catchLocked()
}

// catchUp reads what is missing, until nothing is.
func (d *delivery) catchUp(ctx context.Context) {
	for ctx.Err() == nil && !d.place.isGone() {
		if !d.place.broker.lease.await(ctx) {
			return
		}
		more, err := d.fill(ctx)
		if err != nil {
			pause(ctx, fillRetry)
			continue
		}
		if !more {
			return
		}
	}
}

// fill reads some of what is missing, and reports whether there is more to do.
func (d *delivery) fill(ctx context.Context) (more bool, err error) {
	p := d.place
	d.turn.Lock()
	last, check := d.last, d.check
	if d.afresh {
		last.epoch = 0
	}
	d.again = false
	d.turn.Unlock()
	untold := p.isUntold()
	reply, err := d.ask(ctx, last, check)
	if err != nil {
		p.broker.look()
		return true, err
	}
	said, rest := status(reply)
	if said == "none" { // Redis has forgotten it, and will be told
		p.broker.look()
		p.again()
		return true, channels.ErrUnavailable
	}
	d.turn.Lock()
	defer d.turn.Unlock()
	if !p.broker.lease.holds() { // it ran out meanwhile
		return true, nil
	}
	switch {
	case said == "fill" && (len(rest) == 3 || len(rest) == 5):
		more, err = d.fillLocked(rest[0], rest[1], rest[2])
		if !more && err == nil && len(rest) == 5 {
			err = d.stateLocked(rest[3], rest[4], untold, false)
		}
	case said == "forked" && len(rest) == 2:
		more, err = true, d.forkLocked(rest[0], rest[1])
	case said == "gap" && len(rest) == 2:
		err = d.stateLocked(rest[0], rest[1], untold, true)
	default:
		err = errReply
	}
	if more || err != nil || !d.drainLocked() || d.again || d.afresh || d.check {
		return true, err
	}
	d.phase = open
	return false, nil
}

// fillLocked hands over what was missing, and reports whether that was not all.
func (d *delivery) fillLocked(upTo, repairs, list any) (more bool, err error) {
	until, err1 := number(upTo)
	times, err2 := number(repairs)
	entries, ok := list.([]any)
	if err1 != nil || err2 != nil || !ok {
		return true, errReply
	}
	d.repairedLocked(times)
	for _, entry := range entries {
		m, err := parseEntry(entry)
		if err != nil {
			return true, err
		}
		m.epoch = d.last.epoch
		if !d.nextLocked(m) {
			d.afresh = true // there is a hole in the stream itself
		}
		if d.afresh {
			return true, nil
		}
	}
	d.place.broker.config.Counters.CaughtUp(len(entries))
	return len(entries) > 0 && d.last.seq < uint64(until), nil
}

// stateLocked hands over the place's state, after what was lost or after all that there
// was. Nodes, this one perhaps, may not have told Redis yet what it lost: those who are
// on them would seem to have gone. Then the state follows when they have.
func (d *delivery) stateLocked(settle, state any, untold, lost bool) error {
	p, b := d.place, d.place.broker
	ms, err := number(settle)
	if err != nil {
		return err
	}
	snapshot, at, err := parseState(state)
	if err != nil {
		return err
	}
	d.last, d.afresh, d.repairs = at, false, at.repairs
	d.check = d.check && d.again // asked for meanwhile
	if untold {
		ms = max(ms, untoldRetry.Milliseconds())
	}
	if ms > 0 {
		b.repairs.add(p, time.Duration(ms)*time.Millisecond)
		snapshot.Unsettled = true
	}
	switch {
	case lost:
		b.config.Counters.Gap()
		b.sink.Gap(p.at, snapshot)
	case ms <= 0:
		b.sink.Correct(p.at, snapshot)
	}
	return nil
}

// forkLocked goes back to where the new master goes on: what was handed over after that
// it does not know, and what came after that there is read next. Who is there follows,
// when the nodes have told it.
func (d *delivery) forkLocked(settle, entry any) error {
	ms, err := number(settle)
	if err != nil {
		return err
	}
	id, _ := entry.(string)
	both, err := parseID(id)
	if err != nil {
		return err
	}
	d.last = message{epoch: d.last.epoch, seq: both.seq, ms: both.ms}
	d.gapLocked(max(time.Duration(ms)*time.Millisecond, untoldRetry))
	return nil
}

// gapLocked says that something was lost before what was handed over last. The state
// follows in a while.
func (d *delivery) gapLocked(in time.Duration) {
	b := d.place.broker
	b.repairs.add(d.place, in)
	b.config.Counters.Gap()
	at := channels.Position{Epoch: d.last.epoch, Seq: d.last.seq}
	b.sink.Gap(d.place.at, channels.Snapshot{Position: at, Unsettled: true})
}

// ask asks what came after a position, and, to check it, for the state.
func (d *delivery) ask(ctx context.Context, last message, check bool) ([]any, error) {
	p := d.place
	b := p.broker
	select {
	case b.syncs <- struct{}{}:
		defer func() { <-b.syncs }()
	case <-ctx.Done():
		return nil, errEnded
	}
	ctx, cancel := b.within(ctx)
	defer cancel()
	return p.partition.pipe.do(ctx, catchUpScript, p.partition.keys.all(p.at, p.partition.nameNow()),
		decimal(last.epoch), decimal(last.seq), last.ms, fillEntries, flag(check))
}
