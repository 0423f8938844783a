package channels

import (
	"context"
	"hash/maphash"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"hark/presence"
	"hark/protocol"
)

// Memory is the Broker of a single node: a mutex and a counter per place.
// It calls Sink.Deliver while it holds the place's mutex; that is what makes
// its order the order of delivery.
type Memory struct {
	seed   maphash.Seed
	shards [registryShards]memoryShard
	sink   atomic.Pointer[Sink] // nil until Run
	cached atomic.Int64         // bytes of all cached events
}

const (
	// memoryCache bounds the cached events of all places together, in bytes. An
	// event beyond it is not kept: whoever comes later is told cache_miss.
	memoryCache = 256 << 20
	// memorySweep is how often cached events that nobody can ask for any more
	// are let go.
	memorySweep = time.Minute
)

type memoryShard struct {
	mu     sync.RWMutex // before memoryPlace.mu
	places map[Place]*memoryPlace
}

// A memoryPlace exists while a socket is on the place, or its cached event is
// not yet to be forgotten; ControlChannel's from its first command on.
type memoryPlace struct {
	place Place

	mu sync.Mutex
	// Guarded by mu.
	position Position
	sockets  map[protocol.SocketID]string // to the user's id
	roster   presence.Roster
	cached   Cached
	gone     bool // taken out of its shard: look again
}

// NewMemory returns a broker with no places.
func NewMemory() *Memory {
	m := &Memory{seed: maphash.MakeSeed()}
	for i := range m.shards {
		m.shards[i].places = make(map[Place]*memoryPlace)
	}
	return m
}

// Local marks that no call waits.
func (m *Memory) Local() {}

// Run delivers to s until ctx ends.
func (m *Memory) Run(ctx context.Context, s Sink) error {
	m.sink.Store(&s)
	s.State(nil)
	ticker := time.NewTicker(memorySweep)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			m.sweep()
		case <-ctx.Done():
			return nil
		}
	}
}

// sweep forgets the places that have nothing but a cached event whose time is
// over.
func (m *Memory) sweep() {
	for _, p := range m.match(func(Place) bool { return true }) {
		p.mu.Lock()
		m.unlock(p)
	}
}

// Publish implements Broker.
func (m *Memory) Publish(_ context.Context, e Envelope) (Position, error) {
	sink := m.sink.Load()
	if sink == nil {
		return Position{}, ErrUnavailable
	}
	p := m.lock(e.Place, e.Cache > 0 || e.Kind == KindControl)
	if p == nil {
		return Position{}, nil
	}
	if e.Cache == 0 {
		defer p.mu.Unlock()
		return p.deliverLocked(*sink, e), nil
	}
	defer m.unlock(p)
	m.cacheLocked(p, Cached{Name: e.Name, Data: e.Data, Until: time.Now().Add(e.Cache)})
	return p.deliverLocked(*sink, e), nil
}

// cacheLocked makes c the cached event of p, or leaves p without one if that
// would be too much in all.
func (m *Memory) cacheLocked(p *memoryPlace, c Cached) {
	if m.cached.Add(c.bytes()-p.cached.bytes()) > memoryCache {
		m.cached.Add(-c.bytes())
		c = Cached{}
	}
	p.cached = c
}

func (c Cached) bytes() int64 { return int64(len(c.Name) + len(c.Data)) }

// deliverLocked gives e the place's next position and hands it over.
func (p *memoryPlace) deliverLocked(s Sink, e Envelope) Position {
	p.position.Seq++
	e.Position = p.position
	s.Deliver(e)
	return e.Position
}

// Enter implements Broker.
func (m *Memory) Enter(_ context.Context, place Place, occupants ...Occupant) (Snapshot, error) {
	sink := m.sink.Load()
	if sink == nil {
		return Snapshot{}, ErrUnavailable
	}
	p := m.lock(place, true)
	defer m.unlock(p)
	if !p.hasRoomLocked(occupants) {
		return Snapshot{}, ErrFull
	}
	counted := false
	for _, o := range occupants {
		if _, here := p.sockets[o.Socket]; here {
			continue
		}
		p.sockets[o.Socket] = o.Member.UserID
		counted = counted || o.Counted
		if o.Member.UserID != "" {
			p.changeLocked(*sink, p.roster.Join(o.Member))
		}
	}
	if counted {
		p.deliverLocked(*sink, Envelope{Kind: KindCount, Place: place, Sockets: len(p.sockets)})
	}
	s := Snapshot{Position: p.position, Sockets: len(p.sockets), Cached: p.cached}
	if n := p.roster.Len(); n > 0 {
		s.Members = make([]protocol.Member, 0, n)
		for member := range p.roster.All() {
			s.Members = append(s.Members, member)
		}
	}
	return s, nil
}

// hasRoomLocked reports whether the users among occupants who are not there
// yet may all come in.
func (p *memoryPlace) hasRoomLocked(occupants []Occupant) bool {
	var newcomers map[string]bool
	for _, o := range occupants {
		if o.MaxMembers == 0 || o.Member.UserID == "" || p.roster.Has(o.Member.UserID) {
			continue
		}
		if newcomers == nil {
			newcomers = make(map[string]bool, len(occupants))
		}
		newcomers[o.Member.UserID] = true
		if p.roster.Len()+len(newcomers) > o.MaxMembers {
			return false
		}
	}
	return true
}

// Leave implements Broker.
func (m *Memory) Leave(_ context.Context, place Place, occupants ...Occupant) error {
	sink := m.sink.Load()
	if sink == nil {
		return ErrUnavailable
	}
	p := m.lock(place, false)
	if p == nil {
		return nil
	}
	defer m.unlock(p)
	counted := false
	for _, o := range occupants {
		user, here := p.sockets[o.Socket]
		if !here {
			continue
		}
		delete(p.sockets, o.Socket)
		counted = counted || o.Counted
		if user != "" {
			p.changeLocked(*sink, p.roster.Leave(user))
		}
	}
	if counted {
		p.deliverLocked(*sink, Envelope{Kind: KindCount, Place: place, Sockets: len(p.sockets)})
	}
	return nil
}

// changeLocked announces d, if anything happened.
func (p *memoryPlace) changeLocked(s Sink, d presence.Diff) {
	if !d.IsZero() {
		p.deliverLocked(s, Envelope{Kind: KindChange, Place: p.place, Diff: d})
	}
}

// Info implements Questions.
func (m *Memory) Info(_ context.Context, place Place) (ChannelInfo, error) {
	p := m.lock(place, false)
	if p == nil {
		return ChannelInfo{Name: place.Channel}, nil
	}
	defer p.mu.Unlock()
	return p.infoLocked(), nil
}

func (p *memoryPlace) infoLocked() ChannelInfo {
	return ChannelInfo{Name: p.place.Channel, Sockets: len(p.sockets), Users: p.roster.Len(), Cached: p.cached}
}

// Members implements Questions.
func (m *Memory) Members(_ context.Context, place Place) ([]protocol.Member, error) {
	p := m.lock(place, false)
	if p == nil {
		return nil, nil
	}
	defer p.mu.Unlock()
	members := make([]protocol.Member, 0, p.roster.Len())
	for member := range p.roster.All() {
		members = append(members, member)
	}
	return members, nil
}

// Occupied implements Questions.
func (m *Memory) Occupied(_ context.Context, app, prefix string) ([]ChannelInfo, error) {
	places := m.match(func(p Place) bool { return p.App == app && strings.HasPrefix(p.Channel, prefix) })
	infos := make([]ChannelInfo, 0, len(places))
	for _, p := range places {
		p.mu.Lock()
		info := p.infoLocked()
		p.mu.Unlock()
		if info.Sockets > 0 {
			infos = append(infos, info)
		}
	}
	return infos, nil
}

// memoryNode is the name of the only node there is.
const memoryNode = "local"

// Ask implements Questions.
func (m *Memory) Ask(ctx context.Context, question string) ([]Answer, error) {
	sink := m.sink.Load()
	if sink == nil {
		return nil, ErrUnavailable
	}
	text, err := (*sink).Answer(ctx, question)
	if err != nil {
		return nil, &SilentError{Nodes: []string{memoryNode}, Err: err}
	}
	return []Answer{{memoryNode, text}}, nil
}

// match returns the places that f is true for.
func (m *Memory) match(f func(Place) bool) []*memoryPlace {
	var places []*memoryPlace
	for i := range m.shards {
		shard := &m.shards[i]
		shard.mu.RLock()
		for place, p := range shard.places {
			if f(place) {
				places = append(places, p)
			}
		}
		shard.mu.RUnlock()
	}
	return places
}

func (m *Memory) shard(place Place) *memoryShard {
	return &m.shards[place.hash(m.seed)%registryShards]
}

// lock returns the place with its mutex held. Where nobody is on the place it
// makes one, or returns nil if create is false.
func (m *Memory) lock(place Place, create bool) *memoryPlace {
	shard := m.shard(place)
	for {
		shard.mu.RLock()
		p := shard.places[place]
		shard.mu.RUnlock()
		if p == nil {
			if !create {
				return nil
			}
			p = shard.create(place)
		}
		p.mu.Lock()
		if !p.gone {
			return p
		}
		p.mu.Unlock()
	}
}

func (s *memoryShard) create(place Place) *memoryPlace {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.places[place]
	if p == nil {
		p = &memoryPlace{
			place:    place,
			position: Position{Epoch: rand.Uint64()},
			sockets:  make(map[protocol.SocketID]string),
		}
		s.places[place] = p
	}
	return p
}

// unlock gives up a place that lock returned, and forgets it if there is nothing
// on it any more.
func (m *Memory) unlock(p *memoryPlace) {
	empty := p.emptyLocked()
	p.mu.Unlock()
	if !empty {
		return
	}
	shard := m.shard(p.place)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.emptyLocked() && !p.gone {
		p.gone = true
		m.cacheLocked(p, Cached{})
		delete(shard.places, p.place)
	}
}

func (p *memoryPlace) emptyLocked() bool {
	return len(p.sockets) == 0 && !p.cached.fresh() && p.place.Channel != ControlChannel
}

// fresh reports whether c may still be given out.
func (c Cached) fresh() bool { return time.Now().Before(c.Until) }
