package chaos

import (
	"context"
	"sync"
	"time"
)

// again is how long a client waits before it tries to connect again, and a publisher before it publishes again, when nobody
// took it.
const again = 20 * time.Millisecond

// A client is somebody who wants to be on channels, wherever there is a node: it connects anew when its connection ends, as
// pusher-js does.
type client struct {
	// Static after construction.
	play     *play
	name     string
	user     string
	channels []string
	passing  bool // it goes again soon

	mu sync.Mutex
	// Guarded by mu.
	line  *line  // nil: it is not connected
	want  string // the node that it connects to next, if it can; "": any
	final bool   // it does not connect anew

	leave context.CancelFunc // ends its run
	gone  chan struct{}      // closed when its run has ended
}

// run is there until ctx ends.
func (c *client) run(ctx context.Context) {
	defer close(c.gone)
	for ctx.Err() == nil {
		l := c.connect()
		if l == nil {
			pause(ctx, again)
			continue
		}
		c.subscribe(ctx, l)
		select {
		case <-l.ended:
		case <-ctx.Done():
			l.hangup()
			<-l.ended
		}
		if c.set(nil) {
			return
		}
	}
}

// connect connects to the node that it wants, or to one of those that there are; nil: nobody took it.
func (c *client) connect() *line {
	c.mu.Lock()
	want := c.want
	c.want = ""
	c.mu.Unlock()
	n := c.play.node(want)
	if n == nil {
		return nil
	}
	l := newLine(c.play, c, n.name())
	if err := n.connect(l); err != nil {
		return nil
	}
	c.set(l)
	return l
}

// set notes the connection, nil: it has none, and reports whether the client does not connect anew.
func (c *client) set(l *line) (final bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.line = l
	return c.final
}

// last makes this connection the client's last.
func (c *client) last() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.final = true
}

// connected returns the connection; nil: there is none.
func (c *client) connected() *line {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.line
}

// subscribe asks for all channels. They are answered when they are.
func (c *client) subscribe(ctx context.Context, l *line) {
	select {
	case <-l.established:
	case <-l.ended:
		return
	case <-ctx.Done():
		return
	}
	for _, channel := range c.channels {
		l.subscribe(channel, c.user)
	}
}

// move has the client connect to another node, at once.
func (c *client) move(node string) {
	c.mu.Lock()
	c.want = node
	l := c.line
	c.mu.Unlock()
	if l != nil {
		l.hangup()
	}
}

// pause waits for d, or until ctx ends. It is for those who act in a play; nobody waits by it for something to happen.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
