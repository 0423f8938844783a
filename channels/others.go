package channels

import (
	"slices"

	"hark/authz"
)

// A connection speaks for one user, and may have subscriptions that were granted or
// signed for another: somebody has signed in anew on a page that stays open, or the
// backend signs what it likes. Who is taken something back from is then the user of the
// subscription, on whichever connection that is.

// holder returns whom the subscription was granted or signed for, where that says it:
// else it is a guest, and the subscription is whoever's the connection is.
func (sub *Subscription) holder() authz.Identity {
	if sub.granted != nil {
		return sub.granted.identity
	}
	return authz.Identity{ID: sub.occupant.Member.UserID}
}

// isOthers reports whether the subscription is another user's than the socket speaks
// for, and whose. Of a guest's socket that is not said: who joins there first is who it
// speaks for (Socket.becomeClaimed).
func (s *Socket) isOthers(sub *Subscription) (authz.Identity, bool) {
	who, now := sub.holder(), s.identity.Load()
	return who, now != nil && !who.Guest() && who.ID != now.ID
}

// obeyForOthers does what a command that is not for the socket asks of subscriptions
// which others hold on it.
func (s *Socket) obeyForOthers(cmd *command) {
	if cmd.Do != doRevoke && cmd.Do != doRecheck {
		return
	}
	subs := slices.DeleteFunc(s.ofOthers(), func(sub *Subscription) bool {
		_, on := cmd.channels.Match(sub.name())
		return !on || !cmd.to.matchesAs(s, sub.holder())
	})
	if cmd.Do == doRecheck {
		s.app.rechecks.add(s.hub, subs)
		return
	}
	for _, sub := range subs {
		s.revokeOf(sub, cmd)
	}
}

// revokeOf takes a subscription back, and what its user was signed or granted like it
// on this connection.
func (s *Socket) revokeOf(sub *Subscription, cmd *command) {
	s.mu.Lock()
	remembered := s.rememberLocked(&taking{cmd.channels, cmd.number, sub.holder().ID})
	s.mu.Unlock()
	if !remembered {
		s.tooMuchRevoked()
		return
	}
	s.revoke(sub, End{By: Revoked, Reason: cmd.Reason}, cmd.Reason)
}

// ofOthers returns the subscriptions that others hold.
func (s *Socket) ofOthers() []*Subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	var subs []*Subscription
	for sub := range s.subs.all {
		if _, others := s.isOthers(sub); others {
			subs = append(subs, sub)
		}
	}
	return subs
}
