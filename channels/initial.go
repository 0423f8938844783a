package channels

import (
	"context"
	"fmt"

	"hark/authz"
	"hark/protocol"
)

// EventStateUnavailable tells a subscriber that the initial state of a channel
// could not be loaded: live events follow, and the application may fetch the state
// in another way. Its data is {}.
const EventStateUnavailable = "hark:state_unavailable"

const (
	// initialEvents and initialBytes bound the initial state of one subscription:
	// with what is held meanwhile it fits into a connection's outbox.
	initialEvents = 1000
	initialBytes  = 512 << 10
)

// OnSubscribed registers what loads the initial state of channels that the pattern
// matches: events for a new subscriber alone, on the channel.
//
// It is called for each subscription, once that has succeeded. The subscriber hears
// subscription_succeeded, the cached event or cache_miss of a cache channel, what
// is returned here, and then everything that has happened on the channel since it
// succeeded: nothing is missing and nothing is there twice, but what the state
// loaded includes already. Several that match a channel are called in order of
// registration and their events follow each other.
//
// Nobody else waits meanwhile, and up to 8 are called at once for a connection.
// ctx ends after 3 s, for all that match together, and when the subscription ends.
// An error, a panic, no return in time, and more than 1000 events or 512 KiB mean
// that the client gets EventStateUnavailable in place of the events; so does more
// than 256 events or 256 KiB on the channel meanwhile. Names that the protocol
// keeps for itself are an error.
func (h *Hub) OnSubscribed(pattern string, f func(ctx context.Context, sub *Subscription, c authz.Captures) ([]Event, error)) {
	add(h, &h.hooks.initial, pattern, f)
}

// loadInitialLocked holds what happens on the channel for a new subscriber, and
// begins to load its initial state, if it is to have any.
func (c *Channel) loadInitialLocked(f *feed, sub *Subscription) {
	if c.hooks == nil || len(c.hooks.initial) == 0 {
		return
	}
	called := sub.socket.calling()
	ctx, stop := context.WithCancel(called.ctx)
	sub.stop = stop
	f.appendLocked(entry{kind: entryHold, sub: sub})
	called.loads.add(c.place.Channel, func(context.Context, bool) error {
		defer stop()
		sub.load(ctx)
		return nil
	})
}

// stopLoading ends the loading of the initial state.
func (sub *Subscription) stopLoading() {
	if sub.stop != nil {
		sub.stop()
	}
}

// load loads the initial state and lets the subscriber hear it, with what was held
// meanwhile. ctx ends when nobody waits for it any more.
func (sub *Subscription) load(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	s, c := sub.socket, sub.channel
	var loaded []protocol.Frame // not touched after an error: the call may go on
	err := s.call(ctx, &s.app.loaders, func(ctx context.Context) (err error) {
		loaded, err = sub.initial(ctx)
		return err
	})
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		c.begin(sub, loaded)
		return
	}
	s.hub.config.Counters.Dropped(DropInitial, 1)
	s.hub.config.Logger.Warn("the initial state of a channel was not loaded",
		"app", c.place.App, "channel", c.place.Channel, "error", err)
	c.begin(sub, []protocol.Frame{stateUnavailable(c.place.Channel)})
}

// initial asks the hooks for the initial state.
func (sub *Subscription) initial(ctx context.Context) ([]protocol.Frame, error) {
	var frames []protocol.Frame
	bytes := 0
	for _, h := range sub.channel.hooks.initial {
		events, err := h.hook(ctx, sub, h.captures)
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			if err := protocol.CheckEvent(e.Name, sub.socket.app.config.Limits.EventName); err != nil {
				return nil, err
			}
			f := protocol.Event{Name: e.Name, Channel: sub.Channel(), Data: e.Data}.Frame()
			frames = append(frames, f)
			if bytes += len(f.Wire()); bytes > initialBytes || len(frames) > initialEvents {
				return nil, fmt.Errorf("the initial state has more than %d events or %d bytes", initialEvents, initialBytes)
			}
		}
	}
	return frames, nil
}

// begin lets a subscriber hear its initial state, and then what goes on.
func (c *Channel) begin(sub *Subscription, frames []protocol.Frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !sub.joined.Load() {
		return
	}
	f := c.feeds[sub.socket.flusher.index]
	for _, frame := range frames {
		f.appendLocked(entry{kind: entryInitial, sub: sub, frame: frame})
	}
	f.appendLocked(entry{kind: entryRelease, sub: sub})
}

func stateUnavailable(channel string) protocol.Frame {
	return protocol.Event{Name: EventStateUnavailable, Channel: channel, Data: "{}"}.Frame()
}
