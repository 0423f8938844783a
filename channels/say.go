package channels

import (
	"errors"
	"slices"

	"hark/protocol"
)

// ErrNotSubscribed says that a socket is not on the channel.
var ErrNotSubscribed = errors.New("channels: the socket is not subscribed to the channel")

// Send sends an event to this client alone, without a channel: pusher-js hands it
// to pusher.bind. It does not block. ErrSlow: the client does not read, and is
// being closed; ErrClosed: the connection has ended. A name that the protocol keeps
// for itself is an error too.
func (s *Socket) Send(e Event) error {
	if err := protocol.CheckEvent(e.Name, s.app.config.Limits.EventName); err != nil {
		return err
	}
	return s.trySend(protocol.Join(protocol.Event{Name: e.Name, Data: e.Data}.Frame()))
}

// SendOn sends an event to this client alone, as one of a channel that it is on, in
// order with what is published there: behind the initial state, if that is still
// being loaded. It does not block. ErrNotSubscribed: the client is not on the
// channel. A name that the protocol keeps for itself, and a channel on which too
// much waits to be sent, are errors too.
func (s *Socket) SendOn(channel string, e Event) error {
	if err := protocol.CheckEvent(e.Name, s.app.config.Limits.EventName); err != nil {
		return err
	}
	s.mu.Lock()
	sub := s.subs.find(channel)
	s.mu.Unlock()
	if sub == nil {
		return ErrNotSubscribed
	}
	return sub.channel.tell(sub, protocol.Event{Name: e.Name, Channel: channel, Data: e.Data}.Frame())
}

// tell appends a frame that only sub gets.
func (c *Channel) tell(sub *Subscription, frame protocol.Frame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !sub.joined.Load() {
		return ErrNotSubscribed
	}
	if c.fullLocked(c.reserved, len(frame.Wire())+entryOverhead) {
		sub.socket.hub.config.Counters.Dropped(DropListFull, 1)
		return errListFull
	}
	c.feeds[sub.socket.flusher.index].appendLocked(entry{kind: entryOnly, sub: sub, frame: frame})
	return nil
}

// Subscriptions returns the names of the channels that the socket is on, sorted.
func (s *Socket) Subscriptions() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := make([]string, 0, s.subs.len())
	for sub := range s.subs.all {
		if sub.joined.Load() {
			names = append(names, sub.channel.place.Channel)
		}
	}
	slices.Sort(names)
	return names
}

// Value returns what SetValue has kept under key; nil: nothing.
func (s *Socket) Value(key any) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.values[key]
}

// SetValue keeps a value of the application's with the connection, as long as that
// lasts; nil: no longer. key is comparable, and best of a type of the
// application's own.
func (s *Socket) SetValue(key, value any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if value == nil {
		delete(s.values, key)
		return
	}
	if s.values == nil {
		s.values = make(map[any]any)
	}
	s.values[key] = value
}
