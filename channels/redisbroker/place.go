package redisbroker

import (
	"context"
	"errors"
	"sync"
	"time"

	"hark/channels"
	"hark/protocol"
)

// A place is one that this node has sockets on, or is about to have, or of which Redis
// was not told yet that it has none any more.
//
// What is asked for waits in a queue. One sync at a time tells Redis what has become
// of all that waited: how many sockets this node has there and which users came or
// went, so that a repetition changes nothing. In the meantime the next gathers:
//
//	Broker.Enter, Leave   queue, wait
//	place.run
//	├─ ready              subscribed: nothing that happens from here on is missed
//	├─ build              what is to be told
//	├─ sync.lua
//	└─ settle             keep it or take it back, answer who waits
type place struct {
	// Static after construction.
	broker    *Broker
	at        channels.Place
	partition *partition
	channel   string        // its pub/sub channel
	ready     chan struct{} // closed when that is subscribed to

	mu sync.Mutex // after Broker.mu
	// Guarded by mu.
	sockets map[protocol.SocketID]string // to the user's id
	users   map[string]*user
	doubts  map[string]bool // users whom Redis may have here, and who are not
	dirty   bool            // Redis may not know how many sockets there are
	unsure  time.Time       // until then a call may arrive that was given up
	counted bool            // somebody wants to be told how many they are
	kept    bool            // it is to stay occupied for sockets that are Returning
	queue   []*op
	running bool
	gone    bool   // forgotten: look again
	want    uint64 // how often Redis is to have been told everything
	have    uint64 // how often it was
	silent  bool   // the next time nobody is to be told: Redis had forgotten it
	held    bool   // Redis has somebody here who is not, and was to keep them until it knows all again

	delivery delivery
}

// A user is on the place with sockets of this node.
type user struct {
	sockets int
	member  protocol.Member
	known   bool // Redis knows
	doubted bool // Redis may know, since before they came
	kept    bool // stays for a socket that is Returning
}

// An op is one Enter or Leave.
type op struct {
	enter     bool
	occupants []channels.Occupant
	given     bool // up, by who asked; guarded by place.mu

	done     chan struct{} // closed when it has been settled
	snapshot channels.Snapshot
	err      error

	// Of the sync that it is in.
	added   []protocol.SocketID
	group   bool     // its users are an E of the sync
	removed []string // the users that are gone from this node
}

const (
	// syncsAtOnce bounds the places that tell Redis who is there, or catch up, at the
	// same time.
	syncsAtOnce = 256
	// syncOps bounds what one sync may hold.
	syncOps = 256
	// syncPause is how long a place rests after a sync that failed.
	syncPause = 50 * time.Millisecond
)

// hold returns the place with its mutex held. Where this node does not hold it, it
// makes one, or returns nil if create is false.
func (b *Broker) hold(at channels.Place, create bool) *place {
	for {
		b.mu.RLock()
		p := b.places[at]
		b.mu.RUnlock()
		if p == nil {
			if !create {
				return nil
			}
			p = b.create(at)
		}
		p.mu.Lock()
		if !p.gone {
			return p
		}
		p.mu.Unlock()
	}
}

func (b *Broker) create(at channels.Place) *place {
	b.control.know(at.App)
	b.mu.Lock()
	defer b.mu.Unlock()
	if p := b.places[at]; p != nil {
		return p
	}
	part := b.partitionOf(at)
	p := &place{
		broker: b, at: at, partition: part, channel: part.keys.channel(at), ready: make(chan struct{}),
		sockets: make(map[protocol.SocketID]string),
	}
	p.delivery.place = p
	b.places[at] = p
	part.line.listen(p.channel, &p.delivery)
	return p
}

// Enter implements channels.Broker.
func (b *Broker) Enter(ctx context.Context, at channels.Place, occupants ...channels.Occupant) (channels.Snapshot, error) {
	if err := b.ready(); err != nil {
		return channels.Snapshot{}, err
	}
	ctx, cancel := b.within(ctx)
	defer cancel()
	o := &op{enter: true, occupants: occupants, done: make(chan struct{})}
	p := b.hold(at, true)
	p.addLocked(o)
	p.mu.Unlock()
	if err := p.await(ctx, o); err != nil {
		return channels.Snapshot{}, err
	}
	return o.snapshot, nil
}

// Leave implements channels.Broker. While Redis is away it is applied here, and told
// to Redis when that is back.
func (b *Broker) Leave(ctx context.Context, at channels.Place, occupants ...channels.Occupant) error {
	if !b.running.Load() {
		return channels.ErrUnavailable
	}
	p := b.hold(at, false)
	if p == nil {
		return nil
	}
	if !p.concernsLocked(occupants) {
		p.mu.Unlock()
		return nil
	}
	ctx, cancel := b.within(ctx)
	defer cancel()
	o := &op{occupants: occupants, done: make(chan struct{})}
	p.addLocked(o)
	p.mu.Unlock()
	if !b.up.Load() {
		return nil
	}
	select {
	case <-o.done:
	case <-ctx.Done():
	}
	return nil
}

// concernsLocked reports whether one of the occupants is here, or on the way.
func (p *place) concernsLocked(occupants []channels.Occupant) bool {
	for _, o := range occupants {
		if _, here := p.sockets[o.Socket]; here {
			return true
		}
	}
	return len(p.queue) > 0 || p.running
}

// addLocked queues o, and has it worked off.
func (p *place) addLocked(o *op) {
	p.queue = append(p.queue, o)
	p.startLocked()
}

func (p *place) startLocked() {
	if !p.running {
		p.running = p.broker.tasks.start(p.run)
	}
}

// await waits until o is settled. One that is given up before its sync is left out.
func (p *place) await(ctx context.Context, o *op) error {
	select {
	case <-o.done:
		return o.err
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-o.done:
		return o.err
	default:
		o.given = true
		return unavailable(context.Cause(ctx))
	}
}

// run works off what waits. It ends when there is nothing to do, or Redis is away, or
// cannot say yet who comes and goes: then the return of Redis starts it again, or
// repairs do.
func (p *place) run(ctx context.Context) {
	for {
		if !p.subscribed(ctx) {
			if p.stop(errNotSubscribed, 0) {
				return
			}
			continue
		}
		s := p.build()
		if s == nil {
			return
		}
		reply, err := p.tell(ctx, s)
		p.settle(s, reply, err)
		if err == nil {
			continue
		}
		if errors.Is(err, errSettling) || !p.broker.up.Load() || ctx.Err() != nil {
			if p.stop(err, s.want) {
				return
			}
		}
		pause(ctx, syncPause)
	}
}

var errNotSubscribed = errors.New("redisbroker: the place could not be subscribed to in time")

// subscribed waits until what happens on the place is heard.
func (p *place) subscribed(ctx context.Context) bool {
	ctx, cancel := p.broker.within(ctx)
	defer cancel()
	select {
	case <-p.ready:
		return true
	case <-ctx.Done():
		return false
	}
}

// stop ends run, and answers who waits to enter. What has left is gone from here, and
// is told to Redis later. It returns false if Redis can be told something now: that is not
// what it has just been told (how often everything, says told) if it is settling.
func (p *place) stop(err error, told uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range p.queue {
		if o.enter {
			o.err = unavailable(err)
			close(o.done)
			continue
		}
		for _, user := range p.leaveLocked(o) {
			p.doubtLocked(user)
		}
		p.dirty = true
		close(o.done)
	}
	p.queue = nil
	waits := p.dirty || p.want != p.have
	if errors.Is(err, errSettling) {
		waits = p.want != told
	}
	if p.broker.up.Load() && p.broker.tasks.ctx.Err() == nil && waits {
		return false
	}
	p.running = false
	return true
}

// resume has told to Redis what could not be.
func (p *place) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held {
		p.held = false
		p.want++
	}
	if !p.gone && (p.dirty || p.want != p.have || len(p.queue) > 0) {
		p.startLocked()
	}
}

func (p *place) isGone() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gone
}

// isUntold reports whether Redis is still to be told everything about the place.
func (p *place) isUntold() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.want != p.have
}

// again has Redis told everything about the place once more, silently.
func (p *place) again() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.want == p.have {
		p.want++
		p.silent = true
		p.startLocked()
	}
}

// emptyLocked reports whether nothing of the place is left.
func (p *place) emptyLocked() bool {
	return len(p.sockets) == 0 && !p.kept && len(p.queue) == 0 && !p.dirty && p.want == p.have && !p.held
}

// forget ends run when there is nothing to do.
func (p *place) forget() {
	b := p.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) > 0 || p.dirty || p.want != p.have {
		p.running = b.tasks.start(p.run)
		return
	}
	p.running = false
	if p.emptyLocked() {
		p.gone = true
		delete(b.places, p.at)
		p.partition.line.ignore(p.channel, &p.delivery)
	}
}

// enterLocked puts o's occupants on the place, as far as they are not, and returns the
// users whom Redis has to let in.
func (p *place) enterLocked(o *op) (users []*user, bound int) {
	var news map[string]bool
	for _, occ := range o.occupants {
		p.counted = p.counted || occ.Counted
		if _, here := p.sockets[occ.Socket]; here {
			continue
		}
		id := occ.Member.UserID
		p.sockets[occ.Socket] = id
		o.added = append(o.added, occ.Socket)
		if id == "" {
			continue
		}
		u := p.users[id]
		if u == nil {
			u = &user{member: occ.Member, doubted: p.doubts[id]}
			delete(p.doubts, id)
			if p.users == nil {
				p.users = make(map[string]*user)
			}
			p.users[id] = u
		}
		u.sockets++
		if !u.known && !news[id] {
			if news == nil {
				news = make(map[string]bool)
			}
			news[id] = true
			users = append(users, u)
			if occ.MaxMembers > 0 && (bound == 0 || occ.MaxMembers < bound) {
				bound = occ.MaxMembers
			}
		}
	}
	return users, bound
}

// leaveLocked takes o's occupants off the place, and returns the users who are gone
// from this node.
func (p *place) leaveLocked(o *op) (users []string) {
	for _, occ := range o.occupants {
		if occ.Returning {
			p.keepLocked(occ.Socket)
		}
		if id, gone := p.dropLocked(occ.Socket); gone {
			users = append(users, id)
		}
	}
	return users
}

// keepLocked has a socket's user, and the place, stay when it goes.
func (p *place) keepLocked(s protocol.SocketID) {
	id, here := p.sockets[s]
	if !here || p.broker.config.Handover < 0 {
		return
	}
	p.kept = true
	if u := p.users[id]; u != nil {
		u.kept = true
	}
}

// loseLocked forgets who was to stay: Redis has taken them away.
func (p *place) loseLocked() {
	p.kept = false
	for id, u := range p.users {
		u.kept = false
		if u.sockets == 0 {
			delete(p.users, id)
		}
	}
}

// dropLocked takes a socket off the place. It reports whether its user is gone too.
func (p *place) dropLocked(s protocol.SocketID) (userID string, gone bool) {
	id, here := p.sockets[s]
	if !here {
		return "", false
	}
	delete(p.sockets, s)
	u := p.users[id]
	if u == nil {
		return "", false
	}
	u.sockets--
	if u.sockets > 0 || u.kept {
		return "", false
	}
	delete(p.users, id)
	return id, true
}

func (p *place) doubtLocked(user string) {
	if p.doubts == nil {
		p.doubts = make(map[string]bool)
	}
	p.doubts[user] = true
}
