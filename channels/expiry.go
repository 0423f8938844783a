package channels

import (
	"context"
	"time"

	"hark/authz"
	"hark/protocol"
)

// checkDue looks at what ends of a socket by itself: its identity, grants that it
// has not redeemed, subscriptions that were granted for a time. It is called by the
// sweeper of the socket's part.
func (s *Socket) checkDue(now int64) {
	a := s.auth.Load()
	if a == nil {
		return
	}
	if due := a.due.Load(); due == 0 || now < due {
		return
	}
	s.mu.Lock()
	a.due.Store(0)
	over := s.expiredLocked()
	var ended, rechecks []*Subscription
	var signedIn *session
	switch {
	case over && s.app.config.GuestOnExpiry:
		ended, signedIn = s.becomeGuestLocked()
	case !over:
		s.forgetGrantsLocked(now)
		rechecks = s.recheckableLocked(now)
	}
	s.mu.Unlock()
	if over && !s.app.config.GuestOnExpiry {
		s.close(protocol.CloseReconnect, "The identity has expired, connect anew")
	}
	for _, sub := range ended {
		s.revoke(sub, End{By: Revoked, Reason: "the identity has expired"}, "")
	}
	if signedIn != nil {
		s.impose(userPlace+signedIn.user.ID, func(ctx context.Context, _ bool) error {
			s.signoutNow(ctx, signedIn, End{By: ByServer})
			return nil
		})
	}
	for _, sub := range rechecks {
		s.recheck(sub)
	}
}

// expiredLocked reports whether the socket's identity has ended; else it is looked
// at again when it does.
func (s *Socket) expiredLocked() bool {
	who := s.identity.Load()
	if who == nil || who.ExpiresAt.IsZero() {
		return false
	}
	if who.Expired(time.Now()) {
		return true
	}
	s.authLocked().armLocked(s.hub.at(who.ExpiresAt))
	return false
}

func (s *Socket) forgetGrantsLocked(now int64) {
	a := s.auth.Load()
	for channel, k := range a.grants {
		if now >= k.until() {
			delete(a.grants, channel)
		} else {
			a.armLocked(k.until())
		}
	}
}

// recheckableLocked returns the subscriptions whose time is over. They are due again
// if nothing comes of asking the policies.
func (s *Socket) recheckableLocked(now int64) []*Subscription {
	var over []*Subscription
	for sub := range s.subs.all {
		g := sub.granted
		if g == nil || g.due == 0 {
			continue
		}
		if now >= g.due {
			over = append(over, sub)
			g.due = now + int64(recheckAgain)
		}
		s.authLocked().armLocked(g.due)
	}
	return over
}

// scheduleLocked makes a grant end ttl after since, or with the identity for which
// the policies were asked.
func (s *Socket) scheduleLocked(g *granted, id authz.Identity, since int64, ttl time.Duration) {
	g.due, g.failing = 0, 0
	if ttl != 0 {
		g.due = since + int64(min(ttl, farAway))
	}
	if !id.ExpiresAt.IsZero() {
		if at := s.hub.at(id.ExpiresAt); g.due == 0 || at < g.due {
			g.due = at
		}
	}
	if g.due != 0 {
		s.authLocked().armLocked(g.due)
	}
}

// becomeGuestLocked ends the socket's identity, and returns what has to end with it.
// Where the app leaves it to Hark who may do what, nothing that was signed before
// opens anything any more.
func (s *Socket) becomeGuestLocked() (subs []*Subscription, signedIn *session) {
	s.identity.Store(nil)
	if signedIn = s.session.Swap(nil); signedIn != nil {
		for _, sub := range signedIn.all() {
			sub.revoked = true
		}
	}
	a := s.auth.Load()
	a.lapsed, a.grants = true, nil
	for sub := range s.subs.all {
		if kind := sub.channel.kind; kind.NeedsAuth() || kind == protocol.ServerToUser {
			subs = append(subs, sub)
		}
	}
	for _, sub := range a.pending {
		subs = append(subs, sub)
	}
	return subs, signedIn
}
