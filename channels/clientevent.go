package channels

import (
	"context"
	"time"

	"hark/protocol"
)

func (s *Socket) clientEvent(m protocol.Message) error {
	sub, err := s.checkClientEvent(m)
	if err != nil {
		return err
	}
	e := Envelope{Place: sub.channel.place, Name: m.Name, Data: m.Data, UserID: sub.member(), Except: s.id, helped: !s.more.Load()}
	if hooks := sub.channel.hooks; hooks != nil && len(hooks.filters) > 0 {
		s.do(m.Channel, func(_ context.Context, wait bool) error {
			if !wait {
				return errWouldWait
			}
			s.filter(sub, e)
			return nil
		})
		return nil
	}
	s.do(m.Channel, func(ctx context.Context, wait bool) error {
		var deadline time.Time
		if wait {
			deadline = s.hub.deadline()
			if s.revoking(sub) {
				s.fail(protocol.ClientEventNotSubscribed(m.Channel)) // it has lost its permission while this waited
				return nil
			}
		}
		err := s.hub.publish(ctx, e, deadline)
		switch {
		case err == nil:
			s.tellMessage(m.Channel, Event{m.Name, m.Data})
		case !wait:
			return err
		default:
			s.undelivered(m.Name, err)
		}
		return nil
	})
	return nil
}

// undelivered answers a client event that could not be published.
func (s *Socket) undelivered(name string, err error) {
	s.hub.config.Counters.Dropped(dropReason(err), 1)
	s.failOver(&protocol.Error{Message: "Client event " + name + " was not delivered, send it again later"}, err)
}

// checkClientEvent decides whether a client event may be published, and returns
// the sender's subscription.
func (s *Socket) checkClientEvent(m protocol.Message) (*Subscription, error) {
	limits := s.app.config.Limits
	if m.Channel == "" || !m.HasData {
		return nil, protocol.InvalidClientEvent()
	}
	if !s.app.config.ClientEvents {
		return nil, protocol.ClientEventsDisabled()
	}
	kind := protocol.KindOf(m.Channel)
	if !kind.AllowsClientEvents() {
		return nil, protocol.ClientEventKind()
	}
	s.mu.Lock()
	sub := s.subs.find(m.Channel)
	ended := sub == nil || sub.revoked
	s.mu.Unlock()
	if ended || !sub.joined.Load() {
		return nil, protocol.ClientEventNotSubscribed(m.Channel)
	}
	if err := protocol.CheckEvent(m.Name, limits.EventName); err != nil {
		return nil, err
	}
	if len(m.Data) > limits.EventData {
		return nil, protocol.ClientEventData(limits.EventData)
	}
	if err := s.checkRate(); err != nil {
		return nil, err
	}
	return sub, nil
}

// checkRate counts a client event or a custom message.
func (s *Socket) checkRate() error {
	if !s.bucket.take(s.hub.now()) {
		s.hub.config.Counters.Dropped(DropRate, 1)
		return protocol.ClientEventRate(s.app.config.Limits.ClientEvents)
	}
	return nil
}
