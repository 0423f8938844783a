package channels

import (
	"context"
	"strings"

	"hark/authz"
	"hark/protocol"
)

// An onChannel is a hook for the channels that a pattern matches.
type onChannel[F any] struct {
	pattern authz.Pattern
	hook    F
}

// add registers f for a pattern. It panics if that is malformed.
func add[F any](h *Hub, to *[]onChannel[F], pattern string, f F) {
	h.registering()
	p, err := authz.ParsePattern(pattern)
	if err != nil {
		panic(err)
	}
	*to = append(*to, onChannel[F]{p, f})
}

// A matched is a hook whose pattern matches a channel, and what it captures there.
type matched[F any] struct {
	hook     F
	captures authz.Captures
}

// matching returns the hooks for a channel, in order of registration.
func matching[F any](all []onChannel[F], channel string) []matched[F] {
	var found []matched[F]
	for _, h := range all {
		if captures, ok := h.pattern.Match(channel); ok {
			found = append(found, matched[F]{h.hook, captures})
		}
	}
	return found
}

// channelHooks are the hooks of one channel. They are looked for when the channel
// comes into being, so that nobody who uses it has to match patterns.
type channelHooks struct {
	observers     *observers
	joined        []matched[func(context.Context, *Subscription, authz.Captures)]
	unsubscribed  []matched[func(context.Context, *Subscription, authz.Captures, End)]
	occupied      []matched[func(context.Context, Place, authz.Captures)]
	vacated       []matched[func(context.Context, Place, authz.Captures)]
	memberAdded   []matched[func(context.Context, Place, authz.Captures, protocol.Member)]
	memberRemoved []matched[func(context.Context, Place, authz.Captures, string)]
	initial       []matched[func(context.Context, *Subscription, authz.Captures) ([]Event, error)]
	filters       []matched[func(context.Context, *ClientEvent) (Verdict, error)]
}

// hooksOf returns the hooks of a channel; nil: there are none. The places of users
// are the hub's own.
func (h *Hub) hooksOf(p Place) *channelHooks {
	channel := p.Channel
	if strings.HasPrefix(channel, userPlace) {
		return nil
	}
	all := &h.hooks
	c := channelHooks{
		observers:     h.apps[p.App].observers,
		joined:        matching(all.joined, channel),
		unsubscribed:  matching(all.unsubscribed, channel),
		occupied:      matching(all.occupied, channel),
		vacated:       matching(all.vacated, channel),
		memberAdded:   matching(all.memberAdded, channel),
		memberRemoved: matching(all.memberRemoved, channel),
		initial:       matching(all.initial, channel),
		filters:       matching(all.filters, channel),
	}
	if len(c.joined)+len(c.unsubscribed)+len(c.occupied)+len(c.vacated)+
		len(c.memberAdded)+len(c.memberRemoved)+len(c.initial)+len(c.filters) == 0 {
		return nil
	}
	return &c
}
