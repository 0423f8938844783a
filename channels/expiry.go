package channels

import (
	"context"
	"time"

	"hark/authz"
	"hark/protocol"
)

const (
	// recheckGrace is how long a subscription stays whose policies cannot be asked
	// again, and recheckAgain how far the attempts are apart.
	recheckGrace = time.Minute
	recheckAgain = 5 * time.Second
	// recheckLane begins the names of the lanes in which policies are asked again, so
	// that what the client does on the channel does not wait for them. No channel has
	// such a name.
	recheckLane = "recheck "
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
			s.signoutNow(ctx, signedIn)
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

// recheck makes the policies be asked again about a subscription: it ends if they do
// not allow it any more, or cannot be asked for recheckGrace. In apps without
// Policies it does nothing. What it returns is closed when they have been asked,
// unless the hub ends before that; nil: they were not to be asked, or it is waited
// for already.
func (s *Socket) recheck(sub *Subscription) <-chan struct{} {
	if s.app.config.Policies == nil || sub.granted == nil {
		return nil
	}
	s.mu.Lock()
	waits := sub.granted.queued
	sub.granted.queued = true
	s.mu.Unlock()
	if waits {
		return nil
	}
	asked := make(chan struct{})
	s.impose(recheckLane+sub.name(), func(_ context.Context, wait bool) error {
		if !wait {
			return errWouldWait
		}
		defer close(asked)
		s.recheckNow(sub)
		return nil
	})
	return asked
}

// recheckNow is recheck's task.
func (s *Socket) recheckNow(sub *Subscription) {
	g := sub.granted
	q, id := s.begin(sub)
	if q == nil {
		return
	}
	defer s.answered(sub, q)
	var grant authz.Grant
	err := error(authz.ErrUnauthenticated)
	if !id.Expired(time.Now()) {
		grant, err = s.decide(q.ctx, g.channel, id, authz.Recheck)
	}
	if q.ctx.Err() != nil {
		return // it has ended meanwhile
	}
	now := s.hub.now()
	s.mu.Lock()
	patience := false
	switch {
	case err == nil:
		s.scheduleLocked(g, id, now, grant.TTL)
	case !isNo(err):
		if g.failing == 0 {
			g.failing = now
		}
		patience = now-g.failing < int64(recheckGrace)
		if patience {
			g.due = now + int64(recheckAgain)
			s.authLocked().armLocked(g.due)
		}
	}
	s.mu.Unlock()
	if err != nil && !patience {
		s.tellRefused(g.channel, id, err)
		s.revoke(sub, End{By: Revoked, Reason: "not allowed any more"}, "")
	}
}
