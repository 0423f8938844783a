package channels

import (
	"sync/atomic"

	"hark/protocol"
)

// A Subscription is a socket on a channel.
type Subscription struct {
	// Static after construction.
	socket   *Socket
	channel  *Channel
	occupant Occupant

	entered bool // the broker knows of it; owned by the lane

	// joined is set while the channel's lists serve the socket: that is when
	// subscription_succeeded has been sent, or will be before anything else.
	// Written under channel.mu.
	joined atomic.Bool

	// Owned by the flusher.
	index   int  // in its feed's subs
	present bool // among its feed's subs
	special bool // gets something else than the batch in this pass
}

// batch is what the subscription gets of the entries of one pass, where that
// is not simply all of their frames: it joins or leaves among them, or is the
// one that an event excludes.
func (sub *Subscription) batch(entries []entry) protocol.Batch {
	var frames []protocol.Frame
	present := sub.present
	for _, e := range entries {
		switch {
		case e.kind == entryFrame && present && e.sub != sub:
			frames = append(frames, e.frame)
		case e.kind == entryJoin && e.sub == sub:
			present = true
			frames = append(frames, e.frame)
		case e.kind == entryLeave && e.sub == sub:
			present = false
		}
	}
	return protocol.Join(frames...)
}
