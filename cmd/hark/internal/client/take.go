package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"hark/protocol"
)

// take hands a message on and does what a client has to do on it.
func (s *session) take(ctx context.Context, text []byte) error {
	e, err := decode(text)
	if err != nil {
		return err
	}
	s.asked = false
	if s.id != "" {
		s.silence.Reset(s.activity)
	}
	if err := s.listener.Handle(e); err != nil {
		return errHandle{err}
	}
	switch e.Name {
	case protocol.EventConnectionEstablished:
		err = s.established(ctx, e)
	case protocol.EventPing:
		err = s.send(ctx, command{protocol.EventPong, struct{}{}})
	case protocol.EventSubscriptionSucceeded:
		delete(s.pending, e.Channel)
	case protocol.EventError:
		err = s.errorEvent(e)
	case protocol.EventSubscriptionError, "pusher_internal:subscription_error":
		err = s.subscriptionError(e)
	}
	return err
}

func (s *session) established(ctx context.Context, e Event) error {
	var data established
	if err := json.Unmarshal([]byte(e.Data), &data); err != nil || data.SocketID == "" {
		return fmt.Errorf("%s does not speak the Pusher protocol: its first message has no socket_id", s.url.WebSocket())
	}
	const longest = 120 // seconds; what pusher-js would wait by itself
	if data.ActivityTimeout <= 0 || data.ActivityTimeout > longest {
		data.ActivityTimeout = longest
	}
	s.id, s.activity = data.SocketID, time.Duration(data.ActivityTimeout)*time.Second
	s.silence.Reset(s.activity)
	s.pending = make(map[string]bool, len(s.listener.Channels))
	for _, channel := range s.listener.Channels {
		s.pending[channel] = true
		text, err := subscribe(s.url.App.Key, s.id, channel, s.listener.Who)
		if err != nil {
			return errHandle{err}
		}
		if err := s.write(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

// errorEvent notes what a pusher:error says. Before the connection is established a close frame follows. While a
// subscription is pending it may be the refusal of it: Hark says so in a message of its own right after it, the
// official server does not.
func (s *session) errorEvent(e Event) error {
	const patience = time.Second
	var data refusal
	if err := json.Unmarshal([]byte(e.Data), &data); err != nil {
		return errors.New("the server sent a pusher:error that cannot be read")
	}
	s.refused = data.serverError()
	if s.id == "" || len(s.pending) == 0 {
		return nil
	}
	for channel := range s.pending {
		if s.refused.Code == 0 && protocol.KindOf(channel).NeedsAuth() {
			s.refused.Status = http.StatusUnauthorized
		}
	}
	s.verdict.Reset(patience)
	return nil
}

// verdictOn says what becomes of the connection some time after a pusher:error.
func (s *session) verdictOn() error {
	if len(s.pending) == 0 {
		return nil // it was about something else
	}
	return s.refused
}

func (s *session) subscriptionError(e Event) error {
	var data refusal
	if err := json.Unmarshal([]byte(e.Data), &data); err != nil || data.serverError().Text == "" {
		return &ServerError{Text: "no subscription to " + e.Channel + ": " + e.Data}
	}
	return data.serverError()
}
