package channels

import (
	"slices"
	"time"

	"hark/protocol"
)

const (
	// countOften is up to how many sockets every change of the count is told.
	// Pusher: subscription_count event, "for channels with more than 100
	// subscribers the event is sent every 5 seconds".
	countOften = 100
	// countEvery is how often it is told above that, at most.
	countEvery = 5 * time.Second
)

// A count is how many sockets are on a channel, on all nodes, as far as its
// subscribers are told.
type count struct {
	sockets int
	told    time.Time // when it was told last
	due     bool      // it has changed since, and is among Hub.later
}

// countLocked takes the number of sockets and tells the subscribers, now or
// when it is time.
func (c *Channel) countLocked(sockets int) {
	if c.count.sockets == sockets {
		return
	}
	c.count.sockets = sockets
	if sockets <= countOften || time.Since(c.count.told) >= countEvery {
		c.tellCountLocked()
	} else if !c.count.due {
		c.count.due = true
		c.later.add(c)
	}
}

func (c *Channel) tellCountLocked() {
	c.count.told, c.count.due = time.Now(), false
	c.appendLocked(entry{kind: entryCount, frame: c.countFrameLocked()})
}

// dropOldCounts leaves one count in a pass, the last: however often a client
// comes and goes, the others hear of it no more often than they are served.
func dropOldCounts(entries []entry) {
	last := true
	for i := range slices.Backward(entries) {
		if entries[i].kind == entryCount {
			if !last {
				entries[i].frame = protocol.Frame{}
			}
			last = false
		}
	}
}

func (c *Channel) countFrameLocked() protocol.Frame {
	return protocol.SubscriptionCount(c.place.Channel, c.count.sockets).Frame()
}
