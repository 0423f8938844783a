package channels

import (
	"context"
	"errors"

	"hark/authz"
	"hark/protocol"
)

func (s *Socket) subscribe(m protocol.Message) error {
	request, err := protocol.ParseSubscribe(m.Data)
	if err != nil {
		return err
	}
	occupant, err := s.check(request)
	if err != nil {
		if refused, ok := errors.AsType[*protocol.Rejection](err); ok && refused.Type == protocol.AuthError {
			s.tellRefused(request.Channel, s.Identity(), err)
		}
		return err
	}
	if s.app.config.Policies != nil && protocol.KindOf(request.Channel).NeedsAuth() {
		return s.subscribeGranted(request.Channel, occupant)
	}
	sub := &Subscription{socket: s, occupant: occupant}
	s.noteSigned(sub, request)
	return s.enrol(sub, request.Channel, s.Identity(), 0)
}

// enrol makes sub one of the socket's, on the channel, and begins to enter it. It
// is refused if the identity's permission was taken back since a moment.
func (s *Socket) enrol(sub *Subscription, channel string, id authz.Identity, moment uint64) error {
	s.hold(sub, channel)
	if who, others := s.isOthers(sub); others {
		id = who
	} else if id.Guest() {
		id = s.claimed(sub)
	}
	s.mu.Lock()
	s.subs.add(sub)
	s.mu.Unlock()
	// Whoever takes it back notes that before it looks at the subscriptions.
	if sub.channel.kind.NeedsAuth() && s.revokedSince(channel, id, moment) {
		if !s.forget(sub) {
			return nil
		}
		return s.refuse(channel, id, errRevoked)
	}
	s.recheckOutdated(sub)
	s.do(channel, func(ctx context.Context, _ bool) error { return s.enter(ctx, sub) })
	return nil
}

// hold gives sub its channel.
func (s *Socket) hold(sub *Subscription, channel string) {
	sub.channel = s.hub.channels.hold(s.app.place(channel), s.hub.newChannel)
	sub.occupant.Counted = sub.channel.counted
}

// check decides whether the client may subscribe, and as whom. The order of
// the checks decides which of several faults is told.
func (s *Socket) check(r protocol.Subscribe) (Occupant, error) {
	limits := s.app.config.Limits
	s.mu.Lock()
	n, existing := s.askedForLocked(r.Channel)
	s.mu.Unlock()
	if n >= limits.Channels && !existing {
		return Occupant{}, protocol.TooManyChannels(r.Channel, limits.Channels)
	}
	if err := protocol.CheckChannel(r.Channel, limits.ChannelName); err != nil {
		return Occupant{}, err
	}
	if existing {
		return Occupant{}, protocol.ExistingSubscription(r.Channel)
	}
	kind := protocol.KindOf(r.Channel)
	o := Occupant{Socket: s.id}
	session := s.session.Load()
	if kind == protocol.ServerToUser {
		if session == nil || r.Channel != protocol.ServerToUserPrefix+session.user.ID {
			return o, protocol.NotThatUser(r.Channel)
		}
		return o, nil
	}
	if !kind.NeedsAuth() {
		if !s.app.hasPublic(r.Channel) {
			return o, protocol.NotAuthorized(r.Channel)
		}
		return o, nil
	}
	if err := s.app.verifier.VerifyChannel(s.id, r); err != nil {
		return o, err
	}
	if !kind.IsPresence() {
		return o, nil
	}
	o.MaxMembers = limits.Members
	if !r.HasChannelData {
		if s.app.config.Policies != nil {
			return o, nil // it becomes whoever it is granted to
		}
		if session == nil {
			return o, protocol.ChannelDataRequired(r.Channel)
		}
		o.Member = session.user.Member()
		return o, nil
	}
	member, err := protocol.ParseMember(r.ChannelData, limits)
	if refused, ok := errors.AsType[*protocol.Rejection](err); ok {
		refused.Channel = r.Channel
		return o, refused
	}
	o.Member = member
	return o, nil
}

// enter puts the subscription on its channel. An error says that the broker
// could not be asked: it is called again, since pusher-js would not ask again.
func (s *Socket) enter(ctx context.Context, sub *Subscription) error {
	for !s.gone.Load() && !s.revoking(sub) {
		sub.entered = true // an answer that is lost may have taken effect
		snapshot, err := s.hub.broker.Enter(ctx, sub.channel.place, sub.occupant)
		if errors.Is(err, ErrFull) {
			sub.entered = false
			if s.forget(sub) {
				s.deny(protocol.TooManyMembers(sub.channel.place.Channel, sub.occupant.MaxMembers))
			}
			return nil
		}
		if err != nil {
			return err
		}
		if sub.channel.kind.NeedsAuth() {
			if !s.identify() {
				return nil
			}
			if s.identity.Load() == nil && !s.becomeClaimed(ctx, sub) {
				return nil
			}
		}
		helped := !s.more.Load()
		err = sub.channel.join(sub, snapshot, helped)
		if helped {
			s.flusher.help(publisherLull)
		}
		if !errors.Is(err, errStale) {
			sub.occupant.Member.UserInfo = nil // it is in the rosters now
			return err
		}
	}
	return nil
}

// forget drops a subscription that was refused after all. One that the client
// has given up meanwhile is dropped by its leave, and one that is being revoked by
// that: then it returns false, for the client has been told already.
func (s *Socket) forget(sub *Subscription) (untold bool) {
	name := sub.channel.place.Channel
	s.mu.Lock()
	untold = !sub.revoked
	mine := untold && s.subs.find(name) == sub
	if mine {
		s.subs.remove(name)
	}
	s.mu.Unlock()
	if mine {
		s.hub.channels.release(sub.channel)
	}
	return untold
}

func (s *Socket) unsubscribe(m protocol.Message) error {
	name, err := protocol.ParseUnsubscribe(m.Data)
	if err != nil {
		return err
	}
	s.mu.Lock()
	sub := s.subs.remove(name)
	pending := s.dropLocked(name)
	s.mu.Unlock()
	if sub != nil {
		s.leave(sub, End{By: ByClient})
	} else if pending {
		s.hurry(name)
	}
	return nil
}

// leave takes a subscription off its channel, after what was asked for there
// before. The socket has forgotten it already, and hears nothing more.
func (s *Socket) leave(sub *Subscription, why End) {
	name := sub.channel.place.Channel
	task := func(ctx context.Context, _ bool) error {
		s.leaveNow(ctx, sub, why)
		return nil
	}
	if l := s.atOnce(name, task); l != nil {
		if sub.joined.Load() {
			s.silence(sub, why, protocol.Frame{})
		}
		l.await()
		l.add(name, task)
	}
}

// leaveNow is leave's task.
func (s *Socket) leaveNow(ctx context.Context, sub *Subscription, why End) {
	s.silence(sub, why, protocol.Frame{})
	s.hub.channels.release(sub.channel)
	if !sub.entered {
		return
	}
	o := sub.occupant
	o.Returning = s.ending(why).By == Shutdown
	if err := s.hub.broker.Leave(ctx, sub.channel.place, o); err != nil {
		s.hub.config.Counters.Dropped(DropUnavailable, 1)
	}
}

// silence takes a subscription out of the channel's lists; a client that had joined
// hears what was published before, and then last, unless that is zero.
func (s *Socket) silence(sub *Subscription, why End, last protocol.Frame) (joined bool) {
	helped := !s.more.Load()
	joined = sub.channel.leave(sub, why, last, helped)
	if helped {
		s.flusher.help(publisherLull)
	}
	return joined
}
