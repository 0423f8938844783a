package channels

import (
	"cmp"
	"hash/maphash"
	"slices"
	"sync"

	"hark/protocol"
)

// sockets are the connections of this node, in a part for each flusher.
type sockets struct {
	seed  maphash.Seed
	parts []socketPart
}

// A socketPart holds the sockets that one flusher serves and one sweeper
// watches.
type socketPart struct {
	mu sync.Mutex
	// Guarded by mu.
	byID map[protocol.SocketID]*Socket
	of   [][]*Socket // of each app, at its index; each socket at its slot
}

func newSockets(parts, apps int) *sockets {
	s := &sockets{seed: maphash.MakeSeed(), parts: make([]socketPart, parts)}
	for i := range s.parts {
		s.parts[i].byID, s.parts[i].of = make(map[protocol.SocketID]*Socket), make([][]*Socket, apps)
	}
	return s
}

// part returns the index of the part that id belongs to, for its whole life.
func (s *sockets) part(id protocol.SocketID) int {
	return int(maphash.String(s.seed, string(id)) % uint64(len(s.parts)))
}

// add registers a socket and sends it what comes first: before anything else, and
// not before it can be found, since a client that has been told its id counts on it.
func (s *sockets) add(socket *Socket, first protocol.Batch) {
	p := &s.parts[socket.flusher.index]
	p.mu.Lock()
	defer p.mu.Unlock()
	socket.send(first)
	p.byID[socket.id] = socket
	of := &p.of[socket.app.index]
	socket.slot = len(*of)
	*of = append(*of, socket)
}

func (s *sockets) remove(socket *Socket) {
	p := &s.parts[socket.flusher.index]
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.byID, socket.id)
	of := &p.of[socket.app.index]
	last := len(*of) - 1
	(*of)[socket.slot] = (*of)[last]
	(*of)[socket.slot].slot = socket.slot
	(*of)[last] = nil
	*of = (*of)[:last]
}

// find returns the socket with an id, or nil.
func (s *sockets) find(id protocol.SocketID) *Socket {
	p := &s.parts[s.part(id)]
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.byID[id]
}

// list returns all sockets as they are now.
func (s *sockets) list() []*Socket {
	var all []*Socket
	for i := range s.parts {
		all = append(all, s.parts[i].list()...)
	}
	return all
}

// list returns the part's sockets as they are now.
func (p *socketPart) list() []*Socket {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Concat(p.of...)
}

// listOf returns those of an app.
func (p *socketPart) listOf(a *App) []*Socket {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.of[a.index])
}

// sweepStep is how many sockets a sweep looks at before it lets others at the
// part.
const sweepStep = 1024

// each calls f for the sockets of a part. One that comes or goes meanwhile may
// be passed over.
func (p *socketPart) each(buf []*Socket, f func(*Socket)) []*Socket {
	for app, from := 0, 0; app < len(p.of); {
		buf, app, from = p.step(buf[:0], app, from)
		for _, s := range buf {
			f(s)
		}
		clear(buf)
	}
	return buf
}

// step appends to buf up to sweepStep sockets, from those of an app at a slot on, and
// returns where it goes on.
func (p *socketPart) step(buf []*Socket, app, from int) (_ []*Socket, nextApp, nextSlot int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for ; app < len(p.of); app, from = app+1, 0 {
		rest := p.of[app][min(from, len(p.of[app])):]
		if room := sweepStep - len(buf); len(rest) > room {
			return append(buf, rest[:room]...), app, from + room
		}
		buf = append(buf, rest...)
	}
	return buf, app, 0
}

// idlestFirst orders sockets by when they were last heard of.
func idlestFirst(all []*Socket) {
	slices.SortFunc(all, func(a, b *Socket) int {
		return cmp.Compare(a.heard.Load(), b.heard.Load())
	})
}
