package channels

import (
	"context"
	"hash/maphash"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"

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
}

type memoryShard struct {
	mu     sync.RWMutex // before memoryPlace.mu
	places map[Place]*memoryPlace
}

// A memoryPlace exists while a socket is on the place.
type memoryPlace struct {
	place Place

	mu sync.Mutex
	// Guarded by mu.
	position Position
	sockets  map[protocol.SocketID]string // to the user's id
	roster   presence.Roster
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
	<-ctx.Done()
	return nil
}

// Publish implements Broker.
func (m *Memory) Publish(_ context.Context, e Envelope) (Position, error) {
	sink := m.sink.Load()
	if sink == nil {
		return Position{}, ErrUnavailable
	}
	p := m.lock(e.Place, false)
	if p == nil {
		return Position{}, nil
	}
	defer p.mu.Unlock()
	return p.deliverLocked(*sink, e), nil
}

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
	for _, o := range occupants {
		if _, here := p.sockets[o.Socket]; here {
			continue
		}
		p.sockets[o.Socket] = o.Member.UserID
		if o.Member.UserID == "" {
			continue
		}
		if d := p.roster.Join(o.Member); !d.IsZero() {
			p.deliverLocked(*sink, Envelope{Place: place, Diff: d})
		}
	}
	s := Snapshot{Position: p.position}
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
	for _, o := range occupants {
		user, here := p.sockets[o.Socket]
		if !here {
			continue
		}
		delete(p.sockets, o.Socket)
		if user == "" {
			continue
		}
		if d := p.roster.Leave(user); !d.IsZero() {
			p.deliverLocked(*sink, Envelope{Place: place, Diff: d})
		}
	}
	return nil
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
	return ChannelInfo{Name: p.place.Channel, Sockets: len(p.sockets), Users: p.roster.Len()}
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
	var places []*memoryPlace
	for i := range m.shards {
		shard := &m.shards[i]
		shard.mu.RLock()
		for place, p := range shard.places {
			if place.App == app && strings.HasPrefix(place.Channel, prefix) {
				places = append(places, p)
			}
		}
		shard.mu.RUnlock()
	}
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

func (m *Memory) shard(place Place) *memoryShard {
	return &m.shards[maphash.Comparable(m.seed, place)%registryShards]
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

// unlock gives up a place that lock returned, and forgets it if nobody is left.
func (m *Memory) unlock(p *memoryPlace) {
	empty := len(p.sockets) == 0
	p.mu.Unlock()
	if !empty {
		return
	}
	shard := m.shard(p.place)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.sockets) == 0 && !p.gone {
		p.gone = true
		delete(shard.places, p.place)
	}
}
