package channels

import "hark/protocol"

const (
	// heldFrames and heldBytes bound what is held for one subscription while its
	// initial state is loaded.
	heldFrames = 256
	heldBytes  = 256 << 10
)

// held are live events that wait for a subscription's initial state.
type held struct {
	frames []protocol.Frame // shared with the other subscribers
	bytes  int
}

// hear adds what is said on the channel to what the subscription gets in a pass,
// or to what is held for it. Too much for that ends the holding.
func (sub *Subscription) hear(frames []protocol.Frame, f protocol.Frame) []protocol.Frame {
	h := sub.held
	switch {
	case f.IsZero():
		return frames
	case h == nil:
		return append(frames, f)
	case len(h.frames) < heldFrames && h.bytes+len(f.Wire()) <= heldBytes:
		h.frames = append(h.frames, f)
		h.bytes += len(f.Wire())
		return frames
	}
	sub.stopLoading() // what it brings comes too late
	sub.socket.hub.config.Counters.Dropped(DropInitial, 1)
	frames = append(frames, stateUnavailable(sub.channel.place.Channel))
	return append(sub.release(frames), f)
}

// release adds what is held to what the subscription gets in a pass.
func (sub *Subscription) release(frames []protocol.Frame) []protocol.Frame {
	if sub.held != nil {
		frames = append(frames, sub.held.frames...)
		sub.held = nil
	}
	return frames
}

// keepHolding notes for which subscriptions something is held after this pass.
func (f *feed) keepHolding() {
	clear(f.holding)
	f.holding = f.holding[:0]
	for _, sub := range f.special {
		if sub.held != nil {
			f.holding = append(f.holding, sub)
		}
	}
}
