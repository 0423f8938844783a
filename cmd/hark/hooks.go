package main

import (
	"context"
	"errors"
	"fmt"

	"hark/authz"
	"hark/channels"
	"hark/httpapi/callback"
	"hark/protocol"
)

// register makes the hub ask applications what a new subscriber sees first, what becomes of client events, and what is
// answered to messages. A hook is for all apps of the hub, so each asks about those of its own app only.
func (all accesses) register(hub *channels.Hub) {
	messages := map[string]map[string]*callback.Client{} // name -> app -> who is asked
	for _, a := range all {
		c := a.config.Callback
		if c == nil {
			continue
		}
		app, asked := a.app.ID, a.askers[c.URL]
		for _, pattern := range c.Subscribed {
			hub.OnSubscribed(pattern, askInitial(app, pattern, asked))
		}
		for _, pattern := range c.ClientEvents {
			hub.Filter(pattern, askVerdict(app, pattern, asked))
		}
		for _, name := range c.Messages {
			if messages[name] == nil {
				messages[name] = map[string]*callback.Client{}
			}
			messages[name][app] = asked
		}
	}
	for name, asked := range messages {
		hub.HandleMessage(name, askMessage(asked))
	}
}

// askInitial returns a hook that asks for what a new subscriber of the app sees first.
func askInitial(app, pattern string, asked *callback.Client) func(context.Context, *channels.Subscription, authz.Captures) ([]channels.Event, error) {
	return func(ctx context.Context, sub *channels.Subscription, c authz.Captures) ([]channels.Event, error) {
		s := sub.Socket()
		if s.App().ID() != app {
			return nil, nil
		}
		events, err := asked.Subscribed(ctx, callback.Subscribed{
			Socket: s.ID(), Identity: s.Identity(), Channel: sub.Channel(), Pattern: pattern, Captures: c,
		})
		return hubEvents(events), err
	}
}

// askVerdict returns a filter that asks what becomes of client events of the app.
func askVerdict(app, pattern string, asked *callback.Client) func(context.Context, *channels.ClientEvent) (channels.Verdict, error) {
	return func(ctx context.Context, e *channels.ClientEvent) (channels.Verdict, error) {
		if e.Socket.App().ID() != app {
			return channels.Pass(), nil
		}
		v, err := asked.ClientEvent(ctx, callback.ClientEvent{
			Socket: e.Socket.ID(), Identity: e.Sender, Channel: e.Channel, Pattern: pattern, Captures: e.Captures,
			Event: callback.Event(e.Event),
		})
		if err != nil {
			return channels.Verdict{}, err
		}
		return hubVerdict(v)
	}
}

// askMessage returns a handler of messages of one name, which asks who is asked for an app. For the others there is no such
// message.
func askMessage(asked map[string]*callback.Client) func(context.Context, *channels.Socket, channels.Event) error {
	return func(ctx context.Context, s *channels.Socket, e channels.Event) error {
		c := asked[s.App().ID()]
		if c == nil {
			return protocol.UnsupportedEvent(e.Name)
		}
		events, err := c.Message(ctx, callback.Message{Socket: s.ID(), Identity: s.Identity(), Event: callback.Event(e)})
		switch {
		case errors.Is(err, authz.ErrDenied), errors.Is(err, authz.ErrUnauthenticated):
			return &protocol.Error{Message: "Message " + e.Name + " is not allowed"}
		case err != nil:
			return err
		}
		for _, answer := range events {
			if err := s.Send(channels.Event(answer)); err != nil {
				return fmt.Errorf("the answer %q: %s", answer.Name, err.Error()) // which is not for the client, as a protocol.Error would be
			}
		}
		return nil
	}
}

func hubEvents(from []callback.Event) []channels.Event {
	var to []channels.Event
	for _, e := range from {
		to = append(to, channels.Event(e))
	}
	return to
}

func hubVerdict(v callback.Verdict) (channels.Verdict, error) {
	switch v.Action {
	case callback.Pass:
		return channels.Pass(), nil
	case callback.Replace:
		return channels.Replace(channels.Event(v.Event)), nil
	case callback.Drop:
		return channels.Drop(), nil
	case callback.Route:
		return hubRoute(v.Deliveries)
	}
	return channels.Reject(v.Code, v.Message), nil
}

func hubRoute(from []callback.Delivery) (channels.Verdict, error) {
	var to []channels.Delivery
	for _, d := range from {
		one := channels.Delivery{Channel: d.Channel, Event: channels.Event(d.Event)}
		if d.Except != nil {
			var err error
			if one.Except, err = channels.ParseSelector(d.Except); err != nil {
				return channels.Verdict{}, fmt.Errorf("the delivery to %s, except: %w", d.Channel, err)
			}
		}
		to = append(to, one)
	}
	return channels.Route(to...), nil
}
