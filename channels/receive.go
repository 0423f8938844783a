package channels

import (
	"errors"
	"unicode/utf8"

	"hark/protocol"
)

// Receive takes one message from the client. What is wrong with it is answered
// to the client; the connection stays open but for text that is not UTF-8 and
// for a message over the limit. b is the caller's again when Receive returns.
// It waits when the client has asked for more than it may have under way.
//
//	Receive
//	├─ subscribe     check, then lane: Broker.Enter, Channel.join
//	├─ unsubscribe   lane: Channel.leave, Broker.Leave
//	├─ signin        check, then lane: enter the user's place, watch others
//	├─ clientEvent   check, then Hub.publish; with filters, lane: ask them before
//	└─ message       check, then lane: the application's handler
func (s *Socket) Receive(b []byte) {
	s.Alive()
	if len(b) > s.MessageLimit() {
		s.close(protocol.CloseTooBig, "")
		return
	}
	if !utf8.Valid(b) {
		s.close(protocol.CloseInvalidPayload, "")
		return
	}
	m, err := protocol.Decode(b)
	if err == nil {
		err = s.handle(m)
	}
	if wrong, ok := errors.AsType[*protocol.Error](err); ok {
		s.fail(wrong)
	} else if refused, ok := errors.AsType[*protocol.Rejection](err); ok {
		s.deny(refused)
	}
}

// ReceiveMore is Receive of a message behind which there is more from the same
// client at hand: what they publish may leave together.
func (s *Socket) ReceiveMore(b []byte) {
	s.more.Store(true)
	s.Receive(b)
	s.more.Store(false)
}

// handle carries out one message. The error is a *protocol.Error or a
// *protocol.Rejection, for the client.
func (s *Socket) handle(m protocol.Message) error {
	switch m.Name {
	case protocol.EventPing:
		s.send(pongFrame)
		return nil
	case protocol.EventPong:
		return nil
	case protocol.EventSubscribe:
		return s.subscribe(m)
	case protocol.EventUnsubscribe:
		return s.unsubscribe(m)
	case protocol.EventSignin:
		return s.signin(m)
	}
	if protocol.IsClientEvent(m.Name) {
		return s.clientEvent(m)
	}
	if f := s.hub.hooks.messages[m.Name]; f != nil && m.Channel == "" {
		return s.message(m, f)
	}
	return protocol.UnsupportedEvent(m.Name)
}
