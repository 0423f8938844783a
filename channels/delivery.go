package channels

import (
	"context"
	"errors"
	"fmt"

	"hark/authz"
	"hark/protocol"
)

// errDelivery says that a filter asked for a delivery that cannot be made.
var errDelivery = errors.New("channels: a delivery of a filter breaks the rules")

// A ready delivery is checked and complete: what is left is to publish it.
type ready struct {
	envelope Envelope
	channel  *Channel // with copies: where they go
	copies   *copies  // nil: the envelope is for everybody
}

// route makes the deliveries of a filter, in order, or none of them and
// errDelivery. Another error is that of the broker.
func (s *Socket) route(deliveries []Delivery, helped bool) error {
	all := make([]ready, 0, len(deliveries))
	for _, d := range deliveries {
		r, err := s.prepare(d)
		if err != nil {
			return fmt.Errorf("%w: to %q: %w", errDelivery, d.Channel, err)
		}
		r.envelope.helped = helped
		all = append(all, r)
	}
	for _, r := range all {
		if err := s.deliver(r); err != nil {
			return err
		}
	}
	return nil
}

// prepare checks a delivery and asks for the copies.
func (s *Socket) prepare(d Delivery) (ready, error) {
	if err := protocol.CheckChannel(d.Channel, s.app.config.Limits.ChannelName); err != nil {
		return ready{}, err
	}
	e := Envelope{Place: s.app.place(d.Channel), Name: d.Event.Name, Data: d.Event.Data, Except: s.id}
	if !d.Except.IsZero() {
		to := Everyone().But(d.Except)
		var err error
		if e.to, err = to.compile(); err != nil {
			return ready{}, err
		}
		e.To = &to
	}
	if d.Each == nil {
		return ready{envelope: e}, s.checkEvent(d.Event)
	}
	c := s.hub.channels.find(e.Place)
	copies, err := s.tailor(c, d, e.to)
	return ready{e, c, copies}, err
}

// deliver makes a delivery that is ready.
func (s *Socket) deliver(r ready) error {
	switch {
	case r.copies == nil:
		return s.publish(r.envelope)
	case r.copies.bytes == 0:
		return nil
	}
	n := r.copies.bytes + entryOverhead
	if err := r.channel.awaitRoom(context.Background(), n, s.hub.deadline()); err != nil {
		return err
	}
	defer r.channel.release(n)
	r.channel.deliverCopies(r.copies)
	return nil
}

// copies are what each subscriber gets of an event, where that differs. Who is
// not in it gets nothing.
type copies struct {
	frames map[*Subscription]protocol.Frame // users share theirs
	bytes  int                              // of all that differ
}

// tailor asks for the copy of every user on a channel, nil: nobody here is on it.
func (s *Socket) tailor(c *Channel, d Delivery, to *matcher) (*copies, error) {
	made := &copies{frames: make(map[*Subscription]protocol.Frame)}
	if c == nil {
		return made, nil
	}
	subscribers := c.subscribers(s.hub.flushers)
	err := s.call(s.calling().ctx, &s.app.filters, func(ctx context.Context) error {
		byUser := make(map[string]protocol.Frame)
		for _, sub := range subscribers {
			if sub.socket == s || to != nil && !to.matches(sub.socket) {
				continue
			}
			id := sub.socket.Identity()
			if id.Guest() {
				id = authz.Identity{}
			}
			frame, asked := byUser[id.ID]
			if !asked {
				var err error
				if frame, err = s.copyFor(id, d); err != nil {
					return err
				}
				byUser[id.ID] = frame
				made.bytes += len(frame.Wire())
			}
			if !frame.IsZero() {
				made.frames[sub] = frame
			}
			if ctx.Err() != nil {
				return ctx.Err() // nobody waits any more
			}
		}
		return nil
	})
	if err != nil {
		return nil, err // what made holds is not ours: the call may go on
	}
	return made, nil
}

// copyFor asks for the copy of one user; zero: the user gets none.
func (s *Socket) copyFor(id authz.Identity, d Delivery) (protocol.Frame, error) {
	e, ok := d.Each(id)
	if !ok {
		return protocol.Frame{}, nil
	}
	if err := s.checkEvent(e); err != nil {
		return protocol.Frame{}, err
	}
	return protocol.Event{Name: e.Name, Channel: d.Channel, Data: e.Data}.Frame(), nil
}

// subscribers returns who is on the channel here, once everything in its lists is
// done.
func (c *Channel) subscribers(flushers []*flusher) []*Subscription {
	var all []*Subscription
	for _, fl := range flushers {
		fl.turn.Lock()
		c.mu.Lock()
		if f := c.feeds[fl.index]; f != nil {
			all = append(all, f.subscribersLocked()...)
		}
		c.mu.Unlock()
		fl.turn.Unlock()
	}
	return all
}

// subscribersLocked is subscribers of one flusher, whose turn the caller holds.
func (f *feed) subscribersLocked() []*Subscription {
	all := make([]*Subscription, 0, f.joined)
	for _, sub := range f.subs {
		if sub.joined.Load() {
			all = append(all, sub)
		}
	}
	for _, e := range f.entries {
		if e.kind == entryJoin && e.sub.joined.Load() {
			all = append(all, e.sub)
		}
	}
	return all
}

// deliverCopies appends the copies to the lists.
func (c *Channel) deliverCopies(all *copies) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.appendLocked(entry{kind: entryCopies, audience: &audience{copies: all}})
}
