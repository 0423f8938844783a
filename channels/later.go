package channels

import (
	"context"
	"sync"
	"time"
)

// later are the channels that have something to tell when it is time.
type later struct {
	mu       sync.Mutex
	channels map[*Channel]bool
}

func (l *later) add(c *Channel) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.channels[c] = true
}

// run looks after them every second until ctx ends.
func (l *later) run(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			l.tell()
		case <-ctx.Done():
			return
		}
	}
}

func (l *later) tell() {
	l.mu.Lock()
	due := make([]*Channel, 0, len(l.channels))
	for c := range l.channels {
		due = append(due, c)
	}
	clear(l.channels)
	l.mu.Unlock()
	for _, c := range due {
		if !c.tellDue() {
			l.add(c)
		}
	}
}

// tellDue tells what it is time for, and reports whether there is nothing left
// to tell.
func (c *Channel) tellDue() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count.due && time.Since(c.count.told) >= countEvery {
		c.tellCountLocked()
	}
	c.tellOfflineLocked()
	return !c.count.due && c.offline.IsZero()
}
