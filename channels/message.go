package channels

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"hark/protocol"
)

// HandleMessage registers the handler of a custom message: a frame that is neither
// the protocol's nor a client event and names no channel, as pusher-js sends it
// for pusher.send_event(name, data). Where there is none it is refused.
//
// The handler answers with Socket.Send, if at all. The messages of one socket are
// handled one after the other, in the order in which they came; what the socket
// asks for on channels does not wait for them. They count for the app's rate of
// client events. ctx ends after 3 s, or with the connection.
//
// An error means that the client is told so: a *protocol.Error as it is, any other,
// and a panic or no return in time, as a message that could not be handled.
//
// HandleMessage panics for a name that the protocol keeps for itself, that begins
// with client-, or that has a handler.
func (h *Hub) HandleMessage(name string, f func(ctx context.Context, s *Socket, e Event) error) {
	h.registering()
	switch {
	case name == "" || strings.HasPrefix(name, "pusher:") || strings.HasPrefix(name, "pusher_internal:") || protocol.IsClientEvent(name):
		panic(fmt.Sprintf("channels: no handler can be registered for %q: pusher:, pusher_internal: and client- have a meaning of their own", name))
	case h.hooks.messages[name] != nil:
		panic(fmt.Sprintf("channels: %q has a handler", name))
	case h.hooks.messages == nil:
		h.hooks.messages = make(map[string]func(context.Context, *Socket, Event) error)
	}
	h.hooks.messages[name] = f
}

// messageLane is the lane of custom messages: no channel has that name.
const messageLane = ""

// message has a custom message handled.
func (s *Socket) message(m protocol.Message, f func(context.Context, *Socket, Event) error) error {
	if err := s.checkRate(); err != nil {
		return err
	}
	e := Event{m.Name, m.Data}
	s.do(messageLane, func(_ context.Context, wait bool) error {
		if !wait {
			return errWouldWait
		}
		s.handleMessage(e, f)
		return nil
	})
	return nil
}

// handleMessage is message's task.
func (s *Socket) handleMessage(e Event, f func(context.Context, *Socket, Event) error) {
	if s.gone.Load() {
		return
	}
	err := s.call(s.calling().ctx, &s.app.handlers, func(ctx context.Context) error { return f(ctx, s, e) })
	if err == nil {
		s.tellMessage("", e)
		return
	}
	told, ok := errors.AsType[*protocol.Error](err)
	if !ok {
		s.hub.config.Logger.Warn("a custom message was not handled", "app", s.app.ID(), "event", e.Name, "error", err)
		told = &protocol.Error{Message: "Message " + e.Name + " could not be handled, send it again later"}
	}
	s.failOver(told, err)
}
