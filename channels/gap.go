package channels

import (
	"time"

	"hark/presence"
	"hark/protocol"
)

// EventGap tells a channel that events on it may be missing at this point, so
// that an application can fetch its state anew. Its data is {}.
const EventGap = "hark:gap"

// overdue is how long a join waits that has its turn when the state is known again: the
// broker may have lost what ordered it. What is only late comes sooner.
const overdue = time.Second

// gap takes the state of the place after envelopes were lost: members who came
// or went meanwhile are announced, and the channel is told of the gap.
func (c *Channel) gap(now Snapshot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.opened {
		return
	}
	c.position = now.Position
	if !now.Unsettled {
		c.correctLocked(now)
	}
	c.gapLocked()
	c.hurryLocked(now)
}

// hurryLocked has the joins admitted whose position may never be reached.
func (c *Channel) hurryLocked(now Snapshot) {
	for i := range c.waiting {
		if w := &c.waiting[i]; w.at.Epoch != now.Position.Epoch || !now.Unsettled && time.Since(w.since) > overdue {
			w.at = now.Position
		}
	}
	c.admitLocked()
}

// correct takes the state of the place, where nothing was lost: only members who came
// or went are announced. A channel that was opened by a later Snapshot has that.
func (c *Channel) correct(now Snapshot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.opened && c.position == now.Position {
		c.correctLocked(now)
		c.hurryLocked(now)
	}
}

// correctLocked tells the subscribers of the members who came or went, and of the
// number of sockets.
func (c *Channel) correctLocked(now Snapshot) {
	present := make(map[string]protocol.Member, len(now.Members))
	for _, m := range now.Members {
		present[m.UserID] = m
	}
	gone := make(map[string]bool)
	for m := range c.roster.All() {
		if _, here := present[m.UserID]; !here {
			gone[m.UserID] = true
		}
		delete(present, m.UserID)
	}
	for id := range gone {
		c.changeLocked(presence.RemovedDiff(id))
	}
	for _, m := range now.Members {
		if _, came := present[m.UserID]; came {
			c.changeLocked(presence.AddedDiff(m))
		}
	}
	if c.counted {
		c.countLocked(now.Sockets)
	}
}

// gapLocked tells the subscribers, once until something gets through again,
// that events are missing here.
func (c *Channel) gapLocked() {
	if c.gapped {
		return
	}
	c.gapped = true
	gap := protocol.Event{Name: EventGap, Channel: c.place.Channel, Data: "{}"}
	c.appendLocked(entry{kind: entryFrame, frame: gap.Frame()})
}
