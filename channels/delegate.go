package channels

import (
	"context"
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"hark/authz"
	"hark/protocol"
)

// granted is to whom a subscription was granted, and until when.
type granted struct {
	channel string // static

	// Static once the subscription is among the socket's.
	identity authz.Identity
	moment   uint64 // the app's when that was decided

	// Guarded by Socket.mu.
	asking  *question // the last that has begun; nil: it has ended
	due     int64     // Hub.now when the policies are to be asked again; 0: never
	failing int64     // Hub.now since when they could not be; 0: they could
	queued  bool      // it waits in a lane that they are asked again

	listed bool // among App.rechecks; guarded by their mu
}

// A question is one call of the policies about a subscription. Its context ends when
// nobody wants to know any more.
type question struct {
	ctx context.Context
	end context.CancelFunc
}

var (
	errRevoked = fmt.Errorf("%w: the permission was taken back", authz.ErrDenied)
	errAnother = fmt.Errorf("%w: the socket speaks for another user", authz.ErrDenied)
)

// subscribeGranted subscribes to a channel for which the client has a signature,
// where the app leaves it to Hark who may be there. If the auth endpoint has just
// said yes that was kept, and settles it. Otherwise the policies are asked:
//
//	subscribeGranted
//	├─ redeem, fit, enrol        at once
//	└─ admit                     in the channel's lane
//	   ├─ redeemElsewhere       what another node was asked for
//	   ├─ ask                    the policies; again, until they can be asked
//	   │  └─ settle              the channel is held from here on
//	   └─ enter
//
// Until it is settled nothing is known of the subscription but that it counts for
// the socket's limit.
func (s *Socket) subscribeGranted(channel string, o Occupant) error {
	sub := &Subscription{socket: s, occupant: o, granted: &granted{channel: channel}}
	if k, ok := s.redeem(channel); ok && (!k.Identity.Guest() || s.Identity().Guest()) {
		sub.granted.moment = k.Moment
		err := sub.fit(k.Identity, k.Info)
		if s.taken(k.Identity.ID) {
			err = errAnother
		}
		switch {
		case err == nil:
			s.mu.Lock()
			s.scheduleLocked(sub.granted, k.Identity, k.since, k.TTL)
			s.mu.Unlock()
			return s.enrol(sub, channel, k.Identity, k.Moment)
		case isNo(err):
			return s.refuse(channel, k.Identity, err)
		}
	}
	s.mu.Lock()
	a := s.authLocked()
	if a.pending == nil {
		a.pending = make(map[string]*Subscription)
	}
	a.pending[channel] = sub
	s.mu.Unlock()
	s.do(channel, func(_ context.Context, wait bool) error {
		if !wait {
			return errWouldWait
		}
		return s.admit(sub)
	})
	return nil
}

// fit grants the subscription to an identity, or says why it cannot be: a member
// of a presence channel is who it is granted to, whatever else was signed.
func (sub *Subscription) fit(id authz.Identity, info jsontext.Value) error {
	if protocol.KindOf(sub.granted.channel).IsPresence() {
		m := &sub.occupant.Member
		switch limit := sub.socket.app.config.Limits.UserInfo; {
		case id.Guest():
			return fmt.Errorf("%w: guests are on no presence channel", authz.ErrDenied)
		case m.UserID != "" && m.UserID != id.ID:
			return fmt.Errorf("%w: the channel_data is that of user %q", authz.ErrDenied, m.UserID)
		case m.UserID == "" && len(info) > limit:
			return fmt.Errorf("%w: the info may have %d bytes, not %d", authz.ErrUnavailable, limit, len(info))
		case m.UserID == "":
			*m = protocol.Member{UserID: id.ID, UserInfo: info}
		}
	}
	sub.granted.identity = id
	return nil
}

// admit asks the policies whether a pending subscription may be, and enters it if
// so. An error says that they, or the broker, could not be asked: it is called
// again.
func (s *Socket) admit(sub *Subscription) error {
	if sub.channel == nil {
		settled, done := s.redeemElsewhere(sub)
		var err error
		if !done {
			settled, err = s.ask(sub)
		}
		if !settled {
			return err
		}
		s.recheckOutdated(sub)
	}
	ctx, cancel := s.hub.brokerContext(context.Background())
	defer cancel()
	return s.enter(ctx, sub)
}

// ask asks the policies about a pending subscription, for whom the socket speaks
// for by now. A client that hears of a refusal does not ask again; so it hears of
// none but a definite no.
func (s *Socket) ask(sub *Subscription) (settled bool, err error) {
	channel := sub.granted.channel
	q, id := s.begin(sub)
	if q == nil {
		return false, nil
	}
	defer s.answered(sub, q)
	moment := s.app.Moment()
	var g authz.Grant
	if s.revokedSince(channel, id, 0) {
		err = errRevoked
	} else {
		g, err = s.decide(q.ctx, channel, id, authz.Join)
	}
	if err == nil {
		err = sub.fit(id, g.Info)
	}
	if err == nil {
		return s.settle(sub, s.hub.now(), g.TTL, moment), nil
	}
	if !isNo(err) {
		if q.ctx.Err() != nil {
			err = nil // nobody wants to know any more
		}
		return false, err
	}
	s.refusePending(sub, id, err)
	return false, nil
}

// refusePending refuses a pending subscription, unless it was given up.
func (s *Socket) refusePending(sub *Subscription, id authz.Identity, why error) {
	channel := sub.granted.channel
	s.mu.Lock()
	pending := s.pendingLocked(sub)
	if pending {
		s.dropLocked(channel)
	}
	s.mu.Unlock()
	if pending {
		s.deny(s.refuse(channel, id, why))
	}
}

// redeemElsewhere settles a pending subscription with what another node's auth endpoint
// has granted. It is not done where there is no such grant.
func (s *Socket) redeemElsewhere(sub *Subscription) (settled, done bool) {
	if s.hub.grants == nil {
		return false, false
	}
	channel := sub.granted.channel
	s.fetch(channel)
	k, ok := s.redeem(channel)
	if !ok || k.Identity.Guest() && !s.Identity().Guest() {
		return false, false
	}
	err := sub.fit(k.Identity, k.Info)
	if s.taken(k.Identity.ID) {
		err = errAnother
	}
	switch {
	case err == nil:
		return s.settle(sub, k.since, k.TTL, k.Moment), true
	case isNo(err):
		s.refusePending(sub, k.Identity, err)
		return false, true
	}
	return false, false
}

// begin begins a question about a subscription and returns for whom it is asked, or
// nil if nobody wants to know any more. Otherwise answered ends it.
func (s *Socket) begin(sub *Subscription) (*question, authz.Identity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := sub.granted
	g.queued = false
	pending := s.pendingLocked(sub)
	if !pending && (sub.revoked || s.subs.find(g.channel) != sub) {
		return nil, authz.Identity{}
	}
	id := s.Identity()
	if !pending && id.ID != g.identity.ID {
		id = g.identity
	}
	q := new(question)
	q.ctx, q.end = context.WithCancel(context.Background())
	g.asking = q
	return q, id
}

// answered ends a question. As soon as it has made a subscription of a pending one,
// the next about the same may have begun, in another lane.
func (s *Socket) answered(sub *Subscription, q *question) {
	q.end()
	s.mu.Lock()
	defer s.mu.Unlock()
	if sub.granted.asking == q {
		sub.granted.asking = nil
	}
}

// decide asks the policies.
func (s *Socket) decide(ctx context.Context, channel string, id authz.Identity, why authz.Cause) (authz.Grant, error) {
	return s.app.config.Policies.Decide(ctx, authz.Request{
		App: s.app.ID(), Channel: channel, Identity: id, Socket: s.id, Cause: why,
	})
}

// settle makes a pending subscription one of the socket's, unless it was given up,
// or what allowed it, at a Hub.now since, taken back meanwhile.
func (s *Socket) settle(sub *Subscription, since int64, ttl time.Duration, moment uint64) bool {
	g := sub.granted
	g.moment = moment
	s.hold(sub, g.channel)
	s.mu.Lock()
	pending := s.pendingLocked(sub)
	if pending {
		delete(s.auth.Load().pending, g.channel)
		s.subs.add(sub)
		s.scheduleLocked(g, g.identity, since, ttl)
	}
	s.mu.Unlock()
	switch {
	case !pending:
		s.hub.channels.release(sub.channel)
		return false
	case s.revokedSince(g.channel, g.identity, moment):
		if s.forget(sub) {
			s.deny(s.refuse(g.channel, g.identity, errRevoked))
		}
		return false
	}
	return true
}
