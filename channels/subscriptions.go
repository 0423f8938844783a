package channels

import "slices"

// subscriptions are those of one socket, by channel, the ones under way
// included. The zero value has none. Most sockets have very few, and a map of
// one takes 250 bytes; with more than fewSubscriptions it is a map.
type subscriptions struct {
	few  []*Subscription
	many map[string]*Subscription // all of them; nil: few has them
}

// fewSubscriptions is up to how many looking at each is no slower than a map.
const fewSubscriptions = 8

func (s *subscriptions) len() int { return len(s.few) + len(s.many) }

// find returns the subscription on a channel, or nil.
func (s *subscriptions) find(channel string) *Subscription {
	for _, sub := range s.few {
		if sub.channel.place.Channel == channel {
			return sub
		}
	}
	return s.many[channel]
}

// add adds sub; there is none on its channel.
func (s *subscriptions) add(sub *Subscription) {
	switch {
	case s.many != nil:
		s.many[sub.channel.place.Channel] = sub
	case len(s.few) < fewSubscriptions:
		s.few = append(s.few, sub)
	default:
		s.many = make(map[string]*Subscription, 2*fewSubscriptions)
		for _, sub := range append(s.few, sub) {
			s.many[sub.channel.place.Channel] = sub
		}
		s.few = nil
	}
}

// remove takes the subscription on a channel out and returns it, or nil.
func (s *subscriptions) remove(channel string) *Subscription {
	sub := s.find(channel)
	if i := slices.Index(s.few, sub); i >= 0 {
		s.few = slices.Delete(s.few, i, i+1)
	}
	delete(s.many, channel)
	return sub
}

// all goes over all subscriptions.
func (s *subscriptions) all(yield func(*Subscription) bool) {
	for _, sub := range s.few {
		if !yield(sub) {
			return
		}
	}
	for _, sub := range s.many {
		if !yield(sub) {
			return
		}
	}
}
