package redisbroker

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"hark/channels"
)

const (
	// probeEvery is how often it is tried whether Redis is back.
	probeEvery = 200 * time.Millisecond
	// lookEvery bounds how often beats come that something has asked for.
	lookEvery = 50 * time.Millisecond
	// expiryMargin is how long after the end of another node's lease it is looked for.
	expiryMargin = 10 * time.Millisecond
)

// nameNow returns the name of this node in the partition, which is another for each
// lease; "": it has none.
func (p *partition) nameNow() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.name
}

// beats says that this node lives until ctx ends, and sees whether Redis does:
//
//	beats
//	├─ pulse
//	│  ├─ begin           before the first beat: who lives is asked, so first it listens
//	│  │  └─ check        is it a Redis that will do?
//	│  ├─ beat            a lease in each partition; a new one if it was taken away
//	│  │  └─ resync       then Redis is told everything about the places there
//	│  ├─ clearEnded      the first time: nodes whose clients are not expected back any more
//	│  └─ control.catchUp before anything else is handed over
//	├─ away               Redis cannot be reached
//	└─ alive              it can
//	   ├─ sweep           nodes whose lease has run out
//	   └─ repairs.due     states to be taken anew
//
// The error is that of a Redis that will not do.
func (b *Broker) beats(ctx context.Context) error {
	b.outage = channels.ErrUnavailable
	for due := time.Now(); ctx.Err() == nil; {
		began := time.Now()
		if due.After(began) { // something has asked for it
			due = began
		}
		found, next, err := b.pulse(ctx)
		rest := min(b.config.Beat, next)
		switch {
		case errors.Is(err, errUnfit):
			return err
		case ctx.Err() != nil:
			return nil
		case err != nil:
			b.away(began, err)
			rest = probeEvery
		default:
			b.alive(began, due, found)
		}
		due = time.Now().Add(rest)
		b.rest(ctx, rest)
	}
	return nil
}

// pulse sees whether Redis lives, and has read what this node has to know first. It
// returns what beat does, after three times Config.Timeout at most.
func (b *Broker) pulse(ctx context.Context) (found []finding, next time.Duration, err error) {
	ctx, cancel := within(ctx, 3*b.config.Timeout)
	defer cancel()
	if !b.begun {
		if err := b.begin(ctx); err != nil {
			return nil, b.config.Lease, err
		}
	}
	err = b.twice(ctx, func() (err error) {
		found, next, err = b.beat(ctx)
		return err
	})
	if err == nil && !b.begun {
		b.begun = true
		b.clearEnded(ctx, found)
	}
	if err == nil {
		err = b.twice(ctx, func() error { return b.control.catchUp(ctx) })
	}
	return found, next, err
}

// twice calls f again if it fails while Redis can be reached: one lost answer is no outage.
func (b *Broker) twice(ctx context.Context, f func() error) error {
	err := f()
	if err != nil && b.up.Load() && ctx.Err() == nil {
		err = f()
	}
	return err
}

// away says that Redis cannot be reached: at once, then about once a second.
func (b *Broker) away(began time.Time, err error) {
	b.up.Store(false)
	if b.outage == nil {
		b.config.Logger.Error("Redis cannot be reached", "error", err)
	}
	if b.outage == nil || began.Sub(b.since) > time.Second {
		b.since = began
		b.sink.State(unavailable(err))
	}
	b.outage = err
}

// alive has done what is to be done while Redis can be reached, in a beat that was due
// and then began.
func (b *Broker) alive(began, due time.Time, found []finding) {
	b.lease.extend(began.Add(b.config.Lease))
	if b.outage != nil {
		b.outage = nil
		b.since = time.Now()
		b.up.Store(true)
		b.config.Logger.Info("Redis can be reached", "node", b.name)
		b.sink.State(nil)
		b.startAll()
	} else if time.Since(due) > b.config.Beat {
		b.since = time.Now() // Redis or this machine stood still: leases have run out of which the beats are on their way
	}
	if time.Since(b.since) >= b.config.Lease {
		for _, f := range found {
			b.startSweep(f.partition, f.node)
		}
	}
	b.repairs.due()
}

// begin returns nil when Redis is one that will do, and questions to all nodes are heard:
// a node that has a lease is waited for.
func (b *Broker) begin(ctx context.Context) error {
	if err := b.check(ctx); err != nil {
		return err
	}
	ctx, cancel := b.within(ctx)
	defer cancel()
	select {
	case <-b.control.listens:
		return nil
	case <-ctx.Done():
		return errNotSubscribed
	}
}

// rest waits until the next beat, or until something is wrong.
func (b *Broker) rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-b.beatNow:
		pause(ctx, min(lookEvery, d))
	case <-ctx.Done():
	}
}

// A finding is a dead node in a partition.
type finding struct {
	partition *partition
	node      string
	ended     bool // its lease was ended, and nobody clears it away or is expected back from it
}

// beat renews the lease in all partitions. It returns the nodes that are dead, and in
// what time another may be.
func (b *Broker) beat(ctx context.Context) (found []finding, next time.Duration, err error) {
	ctx, cancel := b.within(ctx)
	defer cancel()
	var wg sync.WaitGroup
	answers := make([]beatAnswer, len(b.partitions))
	errs := make([]error, len(b.partitions))
	for i, p := range b.partitions {
		wg.Go(func() { answers[i], errs[i] = b.beatIn(ctx, p) })
	}
	wg.Wait()
	next = b.config.Lease
	for i, p := range b.partitions {
		if errs[i] != nil {
			return nil, next, errs[i]
		}
		next = min(next, answers[i].next)
		for _, node := range answers[i].expired {
			found = append(found, finding{partition: p, node: node})
		}
		for _, node := range answers[i].ended {
			found = append(found, finding{partition: p, node: node, ended: true})
		}
	}
	return found, next, nil
}

// beatIn renews the lease in one partition, takes a new one if there is none, and
// returns what the last answer was.
func (b *Broker) beatIn(ctx context.Context, p *partition) (beatAnswer, error) {
	p.mu.Lock()
	name, instance, run := p.name, p.instance, p.run
	p.mu.Unlock()
	first := name == ""
	if first {
		name = b.name + ".0"
	}
	answer, err := b.beatAs(ctx, p, name, instance, first)
	if err != nil {
		return answer, err
	}
	// What Redis has forgotten it is told again, and nobody else hears of it: to them
	// nothing has happened.
	forgot := !first && (answer.status == "forgotten" || answer.status == "ok" && answer.run != run)
	fenced := answer.status != "ok"
	if fenced {
		p.mu.Lock()
		p.generation++
		name = b.name + "." + strconv.Itoa(p.generation)
		p.mu.Unlock()
		if answer, err = b.beatAs(ctx, p, name, answer.instance, true); err != nil {
			return answer, err
		}
		if !forgot {
			b.config.Counters.Fenced()
		}
		b.config.Logger.Warn("this node's lease in Redis had run out or was lost, it takes another one", "partition", p.keys.base)
	}
	if forgot {
		if err := b.verify(ctx, p); err != nil {
			return answer, err
		}
	}
	p.mu.Lock()
	p.readLocked(answer)
	p.name, p.instance, p.run = name, answer.instance, answer.run
	p.mu.Unlock()
	if fenced || forgot {
		b.resync(p, forgot)
	}
	if forgot && !fenced {
		b.tasks.start(func(ctx context.Context) { b.dropOthers(ctx, p, name) })
	}
	return answer, nil
}

// clockLasts is how long a reading of Redis's clock is kept that was answered sooner
// than those after it.
const clockLasts = time.Minute

// readLocked takes a reading of Redis's clock. It was that late when the answer came,
// or later: so no call is taken for one that is still in time. An answer that took
// long says less than an older one.
func (p *partition) readLocked(a beatAnswer) {
	took := a.answered.Sub(a.asked)
	if p.run == a.run && took > p.clockTook+10*time.Millisecond && time.Since(p.clockAt) < clockLasts {
		return
	}
	p.clock, p.clockAt, p.clockTook = a.now, a.answered, took
}

// A beatAnswer is what beat.lua says.
type beatAnswer struct {
	status        string // ok, fenced or forgotten
	instance, run string
	now           int64
	asked         time.Time
	answered      time.Time
	next          time.Duration // until somebody is to be cleared away
	expired       []string      // nodes whose lease has run out
	ended         []string      // nodes that are to be cleared away
}

func (b *Broker) beatAs(ctx context.Context, p *partition, name, instance string, register bool) (a beatAnswer, err error) {
	a.asked = time.Now()
	reply, err := p.pipe.do(ctx, beatScript, []string{p.keys.leases(), p.keys.about(), p.keys.dead(), p.keys.fenced()},
		name, b.config.Lease.Milliseconds(), randomName(), instance, flag(register))
	if err != nil {
		return a, err
	}
	a.answered = time.Now()
	if len(reply) != 7 {
		return a, errReply
	}
	var ok [3]bool
	a.status, ok[0] = reply[0].(string)
	a.instance, ok[1] = reply[1].(string)
	a.run, ok[2] = reply[3].(string)
	if a.now, err = number(reply[2]); err != nil || ok != [3]bool{true, true, true} {
		return a, errReply
	}
	left, err := number(reply[4])
	if err != nil {
		return a, err
	}
	a.next = time.Duration(left)*time.Millisecond + expiryMargin
	if a.expired, err = othersOf(reply[5], name); err != nil {
		return a, err
	}
	a.ended, err = othersOf(reply[6], name)
	return a, err
}

// othersOf reads a list of nodes, but for one.
func othersOf(v any, name string) (nodes []string, err error) {
	names, ok := v.([]any)
	if !ok {
		return nil, errReply
	}
	for _, n := range names {
		if node, ok := n.(string); ok && node != name {
			nodes = append(nodes, node)
		}
	}
	return nodes, nil
}

// resync has Redis told everything about the places of a partition.
func (b *Broker) resync(part *partition, silent bool) {
	for _, p := range b.all() {
		if p.partition != part {
			continue
		}
		p.mu.Lock()
		if !p.gone {
			p.silent = silent && (p.silent || p.want == p.have) // what was to be told to all still is
			p.want++
			if !silent {
				p.loseLocked()
			}
			p.startLocked()
		}
		p.mu.Unlock()
	}
}

// all returns the places of this node.
func (b *Broker) all() []*place {
	b.mu.RLock()
	defer b.mu.RUnlock()
	all := make([]*place, 0, len(b.places))
	for _, p := range b.places {
		all = append(all, p)
	}
	return all
}

// startAll has told to Redis what could not be while it was away.
func (b *Broker) startAll() {
	for _, p := range b.all() {
		p.resume()
	}
}

// dropOthers takes this node off places that Redis thinks it is on, after Redis has
// lost the last of what it was told.
func (b *Broker) dropOthers(ctx context.Context, part *partition, name string) {
	call, cancel := b.within(ctx)
	defer cancel()
	members, err := b.client.SMembers(call, part.keys.holds(name)).Result()
	if err != nil {
		b.look()
		return
	}
	for _, m := range members {
		at, ok := placeOf(m)
		if !ok {
			continue
		}
		p := b.hold(at, true)
		if len(p.sockets) == 0 && p.want == p.have {
			p.want++
			p.silent = true
			p.startLocked()
		}
		p.mu.Unlock()
	}
}
