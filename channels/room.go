package channels

import (
	"context"
	"time"
)

// fullLocked reports whether n more bytes, beside those that are reserved,
// pass the bound of a list. One event always fits into an empty list.
func (c *Channel) fullLocked(reserved, n int) bool {
	for _, f := range c.feeds {
		if f == nil {
			continue
		}
		if before := f.size + reserved; before > 0 && before+n > c.bound {
			return true
		}
	}
	return false
}

// reserve keeps n bytes of the lists for an event about to be published, or
// returns a channel that is closed when there may be room.
func (c *Channel) reserve(n int) (wait <-chan struct{}, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.fullLocked(c.reserved, n) {
		c.reserved += n
		return nil, true
	}
	if c.room == nil {
		c.room = make(chan struct{})
	}
	return c.room, false
}

// awaitRoom reserves n bytes, and waits for them until the deadline or the end
// of ctx; a zero deadline: not at all.
func (c *Channel) awaitRoom(ctx context.Context, n int, deadline time.Time) error {
	room, ok := c.reserve(n)
	if ok {
		return nil
	}
	if deadline.IsZero() {
		return errWouldWait
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	for !ok {
		select {
		case <-room:
			room, ok = c.reserve(n)
		case <-ctx.Done():
			return errListFull
		}
	}
	return nil
}

// release gives back what reserve kept.
func (c *Channel) release(n int) {
	c.mu.Lock()
	c.reserved -= n
	c.roomLocked()
	c.mu.Unlock()
}

// roomLocked wakes the publishers that wait for a shorter list.
func (c *Channel) roomLocked() {
	if c.room != nil {
		close(c.room)
		c.room = nil
	}
}
