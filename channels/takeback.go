package channels

import (
	"context"

	"hark/protocol"
)

// Revoke takes permissions back: the selected connections lose their subscriptions
// to channels that the pattern matches (authz.ParsePattern), those under way too.
// Their clients are told by a pusher:subscription_error of status 403 with the
// reason ("" takes words of its own), the others on a presence channel by
// member_removed, and what they publish is refused from then on. A subscription that
// was granted or signed for another user than its connection speaks for is that
// user's, so it is lost where that user is selected, too.
//
// What they had been signed or granted for these channels is worth nothing any
// more: a subscribe needs a grant that was decided after the revocation, or, in an
// app whose backend signs, a new connection. Who is selected only later, as a guest
// who signs in, meets the same for 75 s; a signature that a backend gave a guest, and
// that was not used for longer, still opens. Public channels are open to whoever asks
// again.
//
// When Revoke returns nil, nothing that is triggered on this node afterwards reaches
// those who were selected. Other nodes do it as soon as they are told: usually
// within milliseconds, and, if they cannot be reached now, before they deliver
// anything after that. What this app's policies allow should have been changed
// before: a grant that is decided from now on is valid.
//
// The errors of Revoke, and of the other methods that take a Selector: ErrNoTarget
// and errors that say what is wrong with an argument; ErrBusy and ErrUnavailable,
// to try again; the end of ctx, while it is being carried out.
func (a *App) Revoke(ctx context.Context, to Selector, pattern, reason string) error {
	return a.command(ctx, Control{Do: doRevoke, To: to, Channels: pattern, Reason: reason})
}

// revokeAll takes back from the socket what a Revoke says.
func (s *Socket) revokeAll(cmd *command) {
	s.mu.Lock()
	subs := append(s.matchingLocked(cmd), s.pendingMatchingLocked(cmd)...)
	remembered := s.rememberLocked(cmd.taking)
	s.mu.Unlock()
	if !remembered {
		s.tooMuchRevoked()
		return
	}
	for _, sub := range subs {
		s.revoke(sub, End{By: Revoked, Reason: cmd.Reason}, cmd.Reason)
	}
}

func (s *Socket) tooMuchRevoked() {
	s.closeFor(Revoked, protocol.CloseReconnect, "Too many permissions were taken back, connect again")
}

// becomeClaimed makes a guest's socket speak for whom a subscription under way is
// signed or granted for. It returns false, and ends it, if what allowed it was taken
// back, or such connections closed, before anybody could know whose it is. It is
// part of the task that enters the subscription.
func (s *Socket) becomeClaimed(ctx context.Context, sub *Subscription) bool {
	id, moment := s.claimed(sub), uint64(0)
	if sub.granted != nil {
		moment = sub.granted.moment
	}
	s.become(id, ByChannel)
	if s.overtook(id, moment) {
		return false
	}
	if s.revokedSince(sub.name(), id, moment) {
		s.revokeHere(ctx, sub, End{By: Revoked})
		return false
	}
	return true
}

// matchingLocked returns the subscriptions to channels that cmd is for. The caller
// must hold s.mu.
func (s *Socket) matchingLocked(cmd *command) []*Subscription {
	var subs []*Subscription
	for sub := range s.subs.all {
		if _, ok := cmd.channels.Match(sub.name()); ok {
			subs = append(subs, sub)
		}
	}
	return subs
}

// pendingMatchingLocked returns those that the policies are still to be asked about.
// The caller must hold s.mu.
func (s *Socket) pendingMatchingLocked(cmd *command) []*Subscription {
	var subs []*Subscription
	if auth := s.auth.Load(); auth != nil {
		for channel, sub := range auth.pending {
			if _, ok := cmd.channels.Match(channel); ok {
				subs = append(subs, sub)
			}
		}
	}
	return subs
}
