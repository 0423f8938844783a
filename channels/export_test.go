package channels

import (
	"context"
	"time"

	"hark/authz"
	"hark/protocol"
)

// Held returns how many channels this node has.
func (h *Hub) Held() int {
	n := 0
	for i := range h.channels.shards {
		shard := &h.channels.shards[i]
		shard.mu.RLock()
		n += len(shard.channels)
		shard.mu.RUnlock()
	}
	return n
}

// Revoke ends the socket's subscription on a channel, or the pending one.
func (s *Socket) Revoke(channel string) {
	if sub := s.anyOn(channel); sub != nil {
		s.revoke(sub, End{By: Revoked}, "")
	}
}

// Recheck makes the policies be asked again about the socket's subscription.
func (s *Socket) Recheck(channel string) {
	if sub := s.anyOn(channel); sub != nil {
		s.recheck(sub)
	}
}

// AskTwice begins a second question about the socket's subscription before the first
// is answered, as a Recheck may that comes just when a subscribe has been allowed. It
// reports whether the end of the first leaves the second alone.
func (s *Socket) AskTwice(channel string) bool {
	sub := s.anyOn(channel)
	first, _ := s.begin(sub)
	second, _ := s.begin(sub)
	s.answered(sub, first)
	alone := second.ctx.Err() == nil
	s.answered(sub, second)
	return alone
}

func (s *Socket) anyOn(channel string) *Subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sub := s.subs.find(channel); sub != nil {
		return sub
	}
	if a := s.auth.Load(); a != nil {
		return a.pending[channel]
	}
	return nil
}

// NewSocket returns a socket of no hub that speaks for somebody and is on channels,
// for Selectors to be asked about.
func NewSocket(id string, who authz.Identity, on ...string) *Socket {
	s := &Socket{id: protocol.SocketID(id)}
	s.identity.Store(&speaker{Identity: who})
	for _, name := range on {
		sub := &Subscription{socket: s, channel: &Channel{place: Place{Channel: name}}}
		sub.joined.Store(true)
		s.subs.add(sub)
	}
	return s
}

// Matches reports whether the selector selects the socket. It panics if it selects
// nobody by what it says.
func Matches(sel Selector, s *Socket) bool {
	m, err := sel.compile()
	if err != nil {
		panic(err)
	}
	return m.matches(s)
}

// Closings returns how many connections are still to be closed with 4200.
func (h *Hub) Closings() int {
	h.closings.mu.Lock()
	defer h.closings.mu.Unlock()
	return len(h.closings.next)
}

// CloseWithin lets the socket be closed with 4200 like the only one of a pass.
func (s *Socket) CloseWithin(d time.Duration) { s.hub.closings.spread([]*Socket{s}, d) }

// HoldAnswers lets no enumeration of an app be answered until release is called.
func (a *App) HoldAnswers() (release func()) {
	a.enumerating <- struct{}{}
	return func() { <-a.enumerating }
}

// Answer answers a question as this node.
func (h *Hub) Answer(ctx context.Context, question string) (string, error) {
	return (*sink)(h).Answer(ctx, question)
}
