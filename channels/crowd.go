package channels

import (
	"context"
	"slices"
	"strings"

	"hark/protocol"
)

// Broadcast sends an event to the selected connections of the app, on all nodes,
// whatever they are subscribed to. It has no channel: pusher-js hands it to
// pusher.bind. The sockets named last do not get it. The caller has checked e
// against the app's limits; its name must not begin with pusher.
//
// When it returns nil, every selected connection of this node that reads gets the
// event. One broadcast follows another on each connection; there is no order between
// them and what happens on channels. The errors are those of Revoke.
func (a *App) Broadcast(ctx context.Context, to Selector, e Event, except ...protocol.SocketID) error {
	return a.command(ctx, Control{
		Do: doBroadcast, To: to, Except: except,
		Name: strings.ToValidUTF8(e.Name, "\uFFFD"), Data: strings.ToValidUTF8(e.Data, "\uFFFD"),
	})
}

// A crowd is a flusher's share of the connections of a broadcast's app, and the broadcasts that are
// still to be sent to them. A broadcast is served a slice at a time, in turn with
// the flusher's places.
type crowd struct {
	part *socketPart

	waiting []*command // behind the one that is served; guarded by flusher.mu

	// Guarded by the flusher's turn.
	now     *command // nil: none is served
	sockets []*Socket
	next    int // the first of sockets that has not got it
}

// broadcast has all flushers send a broadcast.
func (h *Hub) broadcast(cmd *command) {
	cmd.left = int32(len(h.flushers))
	for _, fl := range h.flushers {
		fl.mu.Lock()
		fl.crowd.waiting = append(fl.crowd.waiting, cmd)
		fl.mu.Unlock()
		fl.signal()
	}
}

// broadcast serves a slice of the crowd. It reports whether there was one to serve.
// The caller must hold fl.turn.
func (fl *flusher) broadcast() bool {
	c := &fl.crowd
	if c.now == nil {
		if c.now = fl.nextBroadcast(); c.now == nil {
			return false
		}
		c.sockets, c.next = c.part.listOf(c.now.app), 0
	}
	end := min(c.next+passSlice, len(c.sockets))
	for _, s := range c.sockets[c.next:end] {
		if c.now.reaches(s) {
			s.send(c.now.batch)
		}
	}
	if c.next = end; end == len(c.sockets) {
		c.now.app.control.sent(c.now)
		c.now, c.sockets = nil, nil
	}
	return true
}

func (fl *flusher) nextBroadcast() *command {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	w := &fl.crowd.waiting
	if len(*w) == 0 {
		return nil
	}
	next := (*w)[0]
	*w = slices.Delete(*w, 0, 1)
	return next
}

// reaches reports whether a broadcast is for the socket, which is one of the app's.
func (cmd *command) reaches(s *Socket) bool {
	return !slices.Contains(cmd.Except, s.id) && cmd.to.matches(s)
}
