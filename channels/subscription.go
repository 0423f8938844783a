package channels

import (
	"context"
	"sync/atomic"

	"hark/protocol"
)

// A Subscription is a socket on a channel. Hooks may keep it: it is the same from
// the beginning of a subscription to its end, and a later one is another.
type Subscription struct {
	// Static after construction.
	socket   *Socket
	channel  *Channel
	occupant Occupant
	granted  *granted // what the app has left to Hark to decide; nil: nothing

	role    role
	told    bool // a watcher has been told of the user; owned by the lane
	online  bool // what it was told; owned by the lane until joined
	entered bool // the broker knows of it; owned by the lane

	// joined is set while the channel's lists serve the socket: that is when
	// subscription_succeeded has been sent, or will be before anything else.
	// Written under channel.mu.
	joined atomic.Bool
	left   bool // it joins no more; guarded by channel.mu

	revoked bool // is being ended against the client's will; guarded by socket.mu

	// Guarded by the turn of the socket's flusher.
	index   int   // in its feed's subs
	present bool  // among its feed's subs
	special bool  // gets something else than the batch in this pass
	held    *held // live events for later; nil: they are for now

	// stop ends the loading of initial state; nil: there is none to be loaded. Set
	// before the subscription is in the channel's lists.
	stop context.CancelFunc
}

// Socket returns whose subscription it is.
func (sub *Subscription) Socket() *Socket { return sub.socket }

// Channel returns the name of the channel.
func (sub *Subscription) Channel() string { return sub.channel.place.Channel }

// member returns the user that the subscription stands for on a presence channel;
// "" on others.
func (sub *Subscription) member() string {
	if !sub.channel.kind.IsPresence() {
		return ""
	}
	return sub.occupant.Member.UserID
}

// A role says what a subscription is for.
type role uint8

const (
	roleSubscriber role = iota // hears what happens on a channel
	roleWatcher                // hears when a user comes online or goes
	roleSelf                   // is the user: hears nothing, and can be terminated
)

// name returns the channel's name. It is there before the channel is.
func (sub *Subscription) name() string {
	if sub.granted != nil {
		return sub.granted.channel
	}
	return sub.channel.place.Channel
}

// take gives the subscription what all get in a pass.
func (sub *Subscription) take(b protocol.Batch) {
	if !sub.special && sub.role != roleSelf {
		sub.socket.flusher.send(sub.socket, b)
	}
}

// batch is what the subscription gets of the entries of one pass, where that
// is not simply all of their frames: it joins or leaves among them, something is
// held for it, or it is the one that an event excludes.
func (sub *Subscription) batch(entries []entry) protocol.Batch {
	var frames []protocol.Frame
	present := sub.present
	for _, e := range entries {
		mine := e.sub == sub
		switch {
		case e.toAll():
			if present && !mine && sub.role != roleSelf && (e.audience == nil || e.audience.to.matches(sub.socket)) {
				frames = sub.hear(frames, e.frame)
			}
		case e.kind == entryCopies:
			if present {
				frames = sub.hear(frames, e.audience.copies.frames[sub])
			}
		case !mine:
		case e.kind == entryOnly:
			frames = sub.hear(frames, e.frame)
		case e.kind == entryJoin:
			present = true
			frames = append(frames, e.frame) // zero for a role that is told nothing; Join leaves it out
		case e.kind == entryHold:
			sub.held = new(held)
		case e.kind == entryInitial && sub.held != nil:
			frames = append(frames, e.frame)
		case e.kind == entryRelease:
			frames = sub.release(frames)
		case e.kind == entryLeave:
			present = false
			sub.held = nil
			frames = append(frames, e.frame) // zero unless it is ended against the client's will
		}
	}
	return protocol.Join(frames...)
}
