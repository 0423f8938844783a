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
	all  []*Socket // each at its slot
}

func newSockets(parts int) *sockets {
	s := &sockets{seed: maphash.MakeSeed(), parts: make([]socketPart, parts)}
	for i := range s.parts {
		s.parts[i].byID = make(map[protocol.SocketID]*Socket)
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
	socket.slot = len(p.all)
	p.all = append(p.all, socket)
}

func (s *sockets) remove(socket *Socket) {
	p := &s.parts[socket.flusher.index]
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.byID, socket.id)
	last := len(p.all) - 1
	p.all[socket.slot] = p.all[last]
	p.all[socket.slot].slot = socket.slot
	p.all[last] = nil
	p.all = p.all[:last]
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
	return slices.Clone(p.all)
}

// sweepStep is how many sockets a sweep looks at before it lets others at the
// part.
const sweepStep = 1024

// each calls f for the sockets of a part. One that comes or goes meanwhile may
// be passed over.
func (p *socketPart) each(buf []*Socket, f func(*Socket)) []*Socket {
	for from := 0; ; from += sweepStep {
		p.mu.Lock()
		end := min(from+sweepStep, len(p.all))
		buf = buf[:0]
		if from < end {
			buf = append(buf, p.all[from:end]...)
		}
		p.mu.Unlock()
		if len(buf) == 0 {
			return buf
		}
		for _, s := range buf {
			f(s)
		}
		clear(buf)
	}
}

// idlestFirst orders sockets by when they were last heard of.
func idlestFirst(all []*Socket) {
	slices.SortFunc(all, func(a, b *Socket) int {
		return cmp.Compare(a.heard.Load(), b.heard.Load())
	})
}
