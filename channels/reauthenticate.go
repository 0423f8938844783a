package channels

import (
	"container/heap"
	"context"
	"fmt"
	"sync"
	"time"

	"hark/protocol"
)

const (
	// spreadLot is how many connections of a node come back at the same moment
	// without anybody noticing: no more are closed at once unless that was said.
	spreadLot = 10
	// spreadOver is over what time more are closed.
	spreadOver = 30 * time.Second
	// closingStep is how far the times at which connections are closed are apart, at
	// least.
	closingStep = 10 * time.Millisecond
)

// MaxSpread is the longest time over which Reauthenticate closes connections.
const MaxSpread = time.Hour

// Reauthenticate closes the selected connections with 4200: clients come back at
// once, and are authenticated and authorized afresh, channel by channel. That is
// the answer to a changed role, and, for one user, to a logout.
//
// They are closed evenly over a time, the longest silent first, so that the
// application is not asked for all of them at the same moment: within spread, at
// once if it is negative, and with 0 as it fits: up to 10 connections of a node at
// once, more over 30 s. It may be MaxSpread at most. A connection that is to be
// closed already is closed at the earlier of the two times. Reauthenticate does not
// wait for that. Who is selected is who a connection speaks for, whatever else was
// signed for other users on it: Revoke looks at that.
//
// The errors are those of Revoke.
func (a *App) Reauthenticate(ctx context.Context, to Selector, spread time.Duration) error {
	if spread > MaxSpread {
		return fmt.Errorf("channels: connections cannot be closed over %v, %v is the most", spread, MaxSpread)
	}
	ms := spread.Milliseconds()
	if ms == 0 && spread != 0 {
		ms = -1
	}
	return a.command(ctx, Control{Do: doReauthenticate, To: to, SpreadMS: ms})
}

// closings are the connections that are to be closed with 4200 when it is time.
type closings struct {
	hub  *Hub
	wake chan struct{} // capacity 1, never closed

	mu   sync.Mutex
	next schedule // each socket at most once; guarded by mu
}

// spread closes sockets over a time.
func (c *closings) spread(sockets []*Socket, over time.Duration) {
	if over == 0 && len(sockets) > spreadLot {
		over = spreadOver
	}
	if over <= 0 {
		for _, s := range sockets {
			s.reauthenticate()
		}
		return
	}
	idlestFirst(sockets)
	now := c.hub.now()
	for i, s := range sockets {
		c.set(s, now+int64(over)/int64(len(sockets))*int64(i))
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// set makes a socket be closed at a time, or earlier if that is said already. One that
// has ended meanwhile is not kept: nobody would take it out.
func (c *closings) set(s *Socket, due int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := int(s.closes) - 1
	switch {
	case s.ended.Load():
	case i < 0:
		heap.Push(&c.next, closing{due, s})
	case due < c.next[i].due:
		c.next[i].due = due
		heap.Fix(&c.next, i)
	}
}

// remove forgets a socket that has ended.
func (c *closings) remove(s *Socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.closes > 0 {
		heap.Remove(&c.next, int(s.closes)-1)
	}
}

// run closes them until ctx ends.
func (c *closings) run(ctx context.Context) {
	for {
		due, pause := c.take()
		for _, s := range due {
			s.reauthenticate()
		}
		var next <-chan time.Time // nil: there is none
		if pause > 0 {
			next = time.After(pause)
		}
		select {
		case <-next:
		case <-c.wake:
		case <-ctx.Done():
			return
		}
	}
}

// take takes those whose time has come, and returns when to look again; 0: not.
func (c *closings) take() (due []*Socket, pause time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.hub.now()
	for len(c.next) > 0 && c.next[0].due <= now {
		due = append(due, heap.Pop(&c.next).(closing).socket)
	}
	if len(c.next) > 0 {
		pause = max(time.Duration(c.next[0].due-now), closingStep)
	}
	return due, pause
}

func (s *Socket) reauthenticate() {
	s.close(protocol.CloseReconnect, "Permissions have changed, connect again")
}

// A closing is the time at which a socket is closed, as Hub.now.
type closing struct {
	due    int64
	socket *Socket
}

// A schedule is a heap of closings, the next first. Sockets know where theirs is.
type schedule []closing

func (q schedule) Len() int           { return len(q) }
func (q schedule) Less(i, j int) bool { return q[i].due < q[j].due }
func (q schedule) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].socket.closes, q[j].socket.closes = int32(i)+1, int32(j)+1
}

func (q *schedule) Push(x any) {
	c := x.(closing)
	*q = append(*q, c)
	c.socket.closes = int32(len(*q))
}

func (q *schedule) Pop() any {
	last := len(*q) - 1
	c := (*q)[last]
	c.socket.closes = 0
	(*q)[last] = closing{}
	*q = (*q)[:last]
	return c
}
