package channels

import (
	"context"

	"hark/protocol"
)

// revoke ends a subscription against the client's will: no client event of its own
// passes any more, then it is off the channel behind what was published before, and
// is told so (pusher:subscription_error, 403). A subscribe that is under way comes
// to nothing, whatever the answer to it is. why.By is Revoked. It does not wait; one
// that has ended already stays so.
func (s *Socket) revoke(sub *Subscription, why End) {
	name := sub.name()
	s.mu.Lock()
	pending := sub.granted != nil && s.pendingLocked(sub)
	if pending {
		s.dropLocked(name)
	}
	begun := sub.revoked
	sub.revoked = true
	s.mu.Unlock()
	switch {
	case pending:
		s.hurry(name)
		s.deny(protocol.NotAuthorized(name))
	case !begun:
		// The socket forgets it there, not before: else a new subscribe might enter
		// first, and the broker would take that off the place.
		s.impose(name, func(ctx context.Context, _ bool) error {
			s.end(ctx, sub, why)
			return nil
		})
		s.hurry(name)
	}
}

// end is revoke's task.
func (s *Socket) end(ctx context.Context, sub *Subscription, why End) {
	s.mu.Lock()
	mine := s.subs.find(sub.name()) == sub
	if mine {
		s.subs.remove(sub.name())
	}
	s.mu.Unlock()
	if mine {
		s.leaveNow(ctx, sub, why)
	}
}

// revoking reports whether the subscription is being ended against the client's
// will.
func (s *Socket) revoking(sub *Subscription) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sub.revoked
}
