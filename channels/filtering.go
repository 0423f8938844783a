package channels

import (
	"context"
	"errors"
	"fmt"

	"hark/protocol"
)

// filter asks the channel's filters about a client event and does what they say.
// It runs in the channel's lane.
//
//	filter
//	├─ verdict          one call for each filter, until it is decided
//	├─ Hub.publish      it passed, maybe changed
//	└─ route            other deliveries in its place
func (s *Socket) filter(sub *Subscription, e Envelope) {
	if s.gone.Load() {
		return
	}
	sent := Event{e.Name, e.Data}
	v, err := s.verdict(sub, sent)
	if s.gone.Load() {
		return
	}
	if err == nil && v.action != reject && s.revoking(sub) {
		s.fail(protocol.ClientEventNotSubscribed(e.Place.Channel)) // it has lost its permission meanwhile
		return
	}
	switch {
	case err != nil:
		s.unchecked(e, err)
		return
	case v.action == reject:
		s.fail(v.refusalOf(e))
		return
	case v.action == pass:
		e.Name, e.Data = v.event.Name, v.event.Data
		if err := s.publish(e); err != nil {
			s.undelivered(sent.Name, err)
			return
		}
	case v.action == route:
		err := s.route(v.deliveries, e.helped)
		switch {
		case errors.Is(err, errDelivery):
			s.unchecked(e, err)
			return
		case err != nil:
			s.undelivered(sent.Name, err)
			return
		}
	}
	s.tellMessage(e.Place.Channel, sent)
}

// verdict is what the filters say in the end: pass, with the event that they have
// made of it, drop, reject or route.
func (s *Socket) verdict(sub *Subscription, sent Event) (Verdict, error) {
	now := sent
	for _, f := range sub.channel.hooks.filters {
		var v Verdict
		err := s.call(s.calling().ctx, &s.app.filters, func(ctx context.Context) (err error) {
			v, err = f.hook(ctx, &ClientEvent{
				Socket: s, Sender: s.Identity(), Channel: sub.channel.place.Channel, Captures: f.captures, Event: now,
			})
			return err
		})
		if err != nil {
			return Verdict{}, err
		}
		switch v.action {
		case pass:
		case replace:
			if err := s.checkReplacement(v.event); err != nil {
				return Verdict{}, err
			}
			now = v.event
		default:
			return v, nil
		}
	}
	return Verdict{action: pass, event: now}, nil
}

// checkReplacement holds what a filter made of a client event to the rules of one.
func (s *Socket) checkReplacement(e Event) error {
	if !protocol.IsClientEvent(e.Name) {
		return fmt.Errorf("a filter has replaced a client event by %q, which lacks client-; use Route", e.Name)
	}
	return s.checkEvent(e)
}

// checkEvent holds an event of the application to the app's limits.
func (s *Socket) checkEvent(e Event) error {
	limits := s.app.config.Limits
	if err := protocol.CheckEvent(e.Name, limits.EventName); err != nil {
		return err
	}
	if len(e.Data) > limits.EventData {
		return fmt.Errorf("the data of event %q is over the app's limit of %d bytes", e.Name, limits.EventData)
	}
	return nil
}

// refusalOf is what the sender of a client event that was rejected is told.
func (v *Verdict) refusalOf(e Envelope) *protocol.Error {
	refusal := v.refusal
	refusal.Channel = e.Place.Channel
	if refusal.Code == 0 {
		refusal.Code = protocol.ErrorClientEventRate
	}
	if refusal.Message == "" {
		refusal.Message = "Client event " + e.Name + " was rejected"
	}
	return &refusal
}

// unchecked answers a client event that the filters could not judge.
func (s *Socket) unchecked(e Envelope, err error) {
	s.hub.config.Counters.Dropped(DropFilter, 1)
	s.hub.config.Logger.Warn("a client event was not filtered, and so rejected",
		"app", s.app.ID(), "channel", e.Place.Channel, "event", e.Name, "error", err)
	s.failOver(&protocol.Error{
		Code:    protocol.ErrorClientEventRate,
		Message: "Client event " + e.Name + " could not be checked, send it again later",
		Channel: e.Place.Channel,
	}, err)
}

// publish publishes an event that has been filtered.
func (s *Socket) publish(e Envelope) error {
	ctx, cancel := s.hub.brokerContext(context.Background())
	defer cancel()
	return s.hub.publish(ctx, e, s.hub.deadline())
}
