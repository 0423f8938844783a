package channels

import (
	"context"
	"time"

	"hark/protocol"
)

// sweepEvery is how exactly silence is measured: a client is pinged and closed
// up to this much late, never early.
const sweepEvery = time.Second

// pingFrame and pongFrame are the same for everybody.
var (
	pingFrame = protocol.Join(protocol.Ping().Frame())
	pongFrame = protocol.Join(protocol.Pong().Frame())
)

// sweep looks after the silent sockets of one part until ctx ends. It stands
// for a timer per connection.
func (h *Hub) sweep(ctx context.Context, part int) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	var buf []*Socket
	for {
		select {
		case <-ticker.C:
			now := h.now()
			buf = h.sockets.parts[part].each(buf, func(s *Socket) {
				s.checkSilence(now)
				s.checkStranger(now)
				s.checkDue(now)
			})
		case <-ctx.Done():
			return
		}
	}
}

// checkSilence pings a client that has not been heard of for the activity
// timeout, and closes it when that brought no answer within the pong wait.
// Only what is received counts: a client that is merely sent to may be long
// gone. Pusher: "Ping and pong messages" of the WebSocket protocol page.
//
// It is called by the sweeper of the socket's part.
func (s *Socket) checkSilence(now int64) {
	heard := s.heard.Load()
	if s.held.Load() || heard >= s.pinged {
		s.pinged = 0 // alive; or the hub itself reads no further, which says nothing
	}
	switch {
	case s.pinged == 0:
		if now-heard >= int64(s.hub.config.ActivityTimeout) && !s.held.Load() {
			s.pinged = now
			s.ping()
		}
	case now-s.pinged >= int64(s.hub.config.PongWait):
		s.close(protocol.ClosePongNotReceived, "")
	}
}

// checkStranger closes a client that has not shown in time that it may be here. One
// that has, as soon as somebody can be asked about it, is none: it would not come
// back.
func (s *Socket) checkStranger(now int64) {
	if !s.known.Load() && now-s.since >= int64(s.app.config.AuthorizeWithin) && !s.awaitsPermission() {
		s.close(protocol.CloseUnauthorized, "Connection not authorized within timeout")
	}
}

// awaitsPermission reports whether a subscribe is under way for which the client had
// a signature.
func (s *Socket) awaitsPermission() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for sub := range s.subs.all {
		if sub.channel.kind.NeedsAuth() {
			return true
		}
	}
	a := s.auth.Load()
	return a != nil && len(a.pending) > 0
}

// ping asks the client for a sign of life in the way its protocol knows.
func (s *Socket) ping() {
	if pinger, ok := s.conn.(Pinger); ok && s.version < 5 {
		pinger.Ping()
		return
	}
	s.send(pingFrame)
}
