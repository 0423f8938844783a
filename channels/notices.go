package channels

import (
	"context"

	"hark/presence"
	"hark/protocol"
)

// What is told to observers, and where. Whoever tells does no more than append to
// a list, so it may hold locks; what nobody asked for costs a look at an empty
// slice.
//
//	Socket                 connected, disconnected, error, message
//	Channel, under its mu  occupied, member added, joined; unsubscribed, member
//	                       removed, vacated

func (s *Socket) tellConnected() {
	for _, f := range s.hub.hooks.connected {
		s.app.observers.add(s, func(ctx context.Context) { f(ctx, s) })
	}
}

func (s *Socket) tellDisconnected() {
	for _, f := range s.hub.hooks.disconnected {
		s.app.observers.add(s, func(ctx context.Context) { f(ctx, s, s.ending(End{By: withConnection})) })
	}
}

// withConnection stands for how the connection has ended. That is looked at when it
// is told: a client that did not read is known to be closed over that only after
// its End, maybe.
const withConnection EndedBy = 255

// ending returns why something of the socket's has ended.
func (s *Socket) ending(why End) End {
	if why.By != withConnection {
		return why
	}
	if closing := s.closing.Load(); closing != nil {
		return *closing
	}
	return End{By: ByClient}
}

// tellError tells why a message of the client was answered with an error.
func (s *Socket) tellError(err error) {
	for _, f := range s.hub.hooks.failed {
		s.app.observers.add(s, func(ctx context.Context) { f(ctx, s, err) })
	}
}

// tellMessage tells that a message of the client has been carried out; "": it
// named no channel.
func (s *Socket) tellMessage(channel string, e Event) {
	for _, f := range s.hub.hooks.messaged {
		s.app.observers.add(s, func(ctx context.Context) { f(ctx, s, channel, e) })
	}
}

// tellJoinedLocked tells that sub has become a subscription.
func (c *Channel) tellJoinedLocked(sub *Subscription) {
	if c.hooks == nil {
		return
	}
	if c.joined == 1 {
		c.tellOccupiedLocked()
	}
	for _, h := range c.hooks.joined {
		c.hooks.observers.add(sub.socket, func(ctx context.Context) { h.hook(ctx, sub, h.captures) })
	}
}

// tellLeftLocked tells that sub has ended, which was one.
func (c *Channel) tellLeftLocked(sub *Subscription, why End) {
	if c.hooks == nil {
		return
	}
	for _, h := range c.hooks.unsubscribed {
		c.hooks.observers.add(sub.socket, func(ctx context.Context) { h.hook(ctx, sub, h.captures, sub.socket.ending(why)) })
	}
	if c.joined == 0 {
		c.tellVacatedLocked()
	}
}

// tellOccupiedLocked tells that there is a subscriber here, and so of the members
// whom this node knows from now on.
func (c *Channel) tellOccupiedLocked() {
	for _, h := range c.hooks.occupied {
		c.hooks.observers.add(c.place, func(ctx context.Context) { h.hook(ctx, c.place, h.captures) })
	}
	if len(c.hooks.memberAdded) > 0 {
		for m := range c.roster.All() {
			c.tellChangeLocked(presence.AddedDiff(m))
		}
	}
}

// tellVacatedLocked is the reverse.
func (c *Channel) tellVacatedLocked() {
	if len(c.hooks.memberRemoved) > 0 {
		for m := range c.roster.All() {
			c.tellChangeLocked(presence.RemovedDiff(m.UserID))
		}
	}
	for _, h := range c.hooks.vacated {
		c.hooks.observers.add(c.place, func(ctx context.Context) { h.hook(ctx, c.place, h.captures) })
	}
}

// tellChangeLocked tells that a member came or went.
func (c *Channel) tellChangeLocked(d presence.Diff) {
	if m, ok := d.Added(); ok {
		for _, h := range c.hooks.memberAdded {
			c.hooks.observers.add(c.place, func(ctx context.Context) { h.hook(ctx, c.place, h.captures, m) })
		}
	}
	if id, ok := d.Removed(); ok {
		for _, h := range c.hooks.memberRemoved {
			c.hooks.observers.add(c.place, func(ctx context.Context) { h.hook(ctx, c.place, h.captures, id) })
		}
	}
}

// fail answers a message of the client with an error.
func (s *Socket) fail(e *protocol.Error) { s.failOver(e, e) }

// failOver answers with an error; why says more than the client is told.
func (s *Socket) failOver(e *protocol.Error, why error) {
	s.send(protocol.Join(e.Frame()))
	s.tellError(why)
}

// deny answers a subscribe with a refusal.
func (s *Socket) deny(r *protocol.Rejection) {
	s.send(protocol.Join(r.Frames()...))
	s.tellError(r)
}
