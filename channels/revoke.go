package channels

import (
	"context"

	"hark/protocol"
)

// revoke ends a subscription against the client's will: from now on no client event
// of its own passes, and nothing that is published reaches it; behind what was
// published before it is told so (pusher:subscription_error, 403). A subscribe that
// is under way comes to nothing, whatever the answer to it is. why.By is Revoked;
// words are the application's, for the client who has been on the channel, or "". It
// does not wait for the channel's lane; one that has ended already stays so.
func (s *Socket) revoke(sub *Subscription, why End, words string) {
	name := sub.name()
	s.mu.Lock()
	pending := sub.granted != nil && s.pendingLocked(sub)
	if pending {
		s.dropLocked(name)
	}
	over := sub.revoked || s.subs.find(name) != sub
	sub.revoked = true
	s.mu.Unlock()
	switch {
	case pending:
		s.hurry(name)
		s.deny(protocol.NotAuthorized(name))
	case !over:
		s.expel(sub, why, words)
		// The socket forgets it there, not before: else a new subscribe might enter
		// first, and the broker would take that off the place.
		s.impose(name, func(ctx context.Context, _ bool) error {
			s.end(ctx, sub, why)
			return nil
		})
		s.hurry(name)
	}
}

// revokeHere is revoke for a task of the subscription's own lane, which cannot wait
// for another one of that: the subscription is one of the socket's, or was.
func (s *Socket) revokeHere(ctx context.Context, sub *Subscription, why End) {
	s.mu.Lock()
	over := sub.revoked || s.subs.find(sub.name()) != sub
	sub.revoked = true
	s.mu.Unlock()
	if !over {
		s.expel(sub, why, "")
		s.end(ctx, sub, why)
	}
}

// expel takes a subscription out of the channel's lists at once, however long its
// lane takes, and tells the client.
func (s *Socket) expel(sub *Subscription, why End, words string) {
	notice := protocol.NotAuthorized(sub.name())
	if words != "" {
		notice.Message = words
	}
	told := notice.Event().Frame()
	if !s.silence(sub, why, told) && s.has(sub) {
		s.send(protocol.Join(told))
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

// has reports whether sub is one of the socket's; the client may have given it up.
func (s *Socket) has(sub *Subscription) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.subs.find(sub.name()) == sub
}

// revoking reports whether the subscription is being ended against the client's
// will.
func (s *Socket) revoking(sub *Subscription) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sub.revoked
}
