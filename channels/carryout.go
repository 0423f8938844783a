package channels

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"hark/protocol"
)

// control is what an app's commands wait in until this node carries them out, in the
// broker's order. Each app has its own: one whose AppConfig.Invalidate hangs holds up no
// other.
//
//	sink.Deliver
//	└─ control.add          never waits; what is too much is lost, and made up for
//	App.runControl
//	├─ App.prepare          what is remembered is forgotten, then the moment passes
//	├─ App.pass             all connections: revoke, recheck, terminate, …
//	├─ Hub.broadcast        leave it to the flushers
//	└─ command.settle       the App method returns
type control struct {
	mu sync.Mutex
	// Guarded by mu.
	queue    []*command
	losing   *command            // the last of the queue, if it stands for some that were lost
	expected map[uint64]*command // which somebody here waits for, by ID
	ended    bool

	wake chan struct{} // capacity 1, never closed
}

// passCommands is how many commands are carried out in one pass over all
// connections.
const passCommands = 32

func newControl() *control {
	return &control{expected: make(map[uint64]*command), wake: make(chan struct{}, 1)}
}

// expect makes cmd the one that is carried out when its Control is delivered.
func (c *control) expect(cmd *command) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		cmd.finish(errHubEnded)
	}
	c.expected[cmd.ID] = cmd
}

// forget undoes expect: nobody waits any more.
func (c *control) forget(cmd *command) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.expected, cmd.ID)
}

// add queues what e asks for. The commands of an app that asks for too much are
// lost.
func (c *control) add(a *App, e Envelope, counters Counters) {
	c.mu.Lock()
	defer c.mu.Unlock()
	number := e.Position.Seq + 1 // the moment before the first is 1
	cmd := c.expected[e.Control.ID]
	if cmd == nil || cmd.number > 0 {
		cmd = newCommand(a, *e.Control)
	}
	switch {
	case c.ended:
		cmd.finish(errHubEnded)
	case a.controlled.Load()+cmd.bytes > controlBytes:
		counters.Dropped(DropControl, 1)
		cmd.finish(ErrBusy)
		c.loseLocked(a, number)
	default:
		cmd.number = number
		c.appendLocked(cmd)
		c.losing = nil // what is lost from now on comes after this one
	}
}

// lose makes up for commands of the app that were lost, the last with a number.
func (c *control) lose(a *App, number uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		c.loseLocked(a, number)
	}
}

func (c *control) loseLocked(a *App, number uint64) {
	if c.losing == nil {
		c.losing = newCommand(a, Control{})
		c.losing.lose()
		c.appendLocked(c.losing)
	}
	c.losing.number = number
}

func (c *control) appendLocked(cmd *command) {
	cmd.app.controlled.Add(cmd.bytes)
	c.queue = append(c.queue, cmd)
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// take takes what can be carried out together: a broadcast is the last of it.
func (c *control) take() []*command {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for n < min(len(c.queue), passCommands) {
		n++
		if c.queue[n-1].Do == doBroadcast {
			break
		}
	}
	batch := slices.Clone(c.queue[:n])
	c.queue = slices.Delete(c.queue, 0, n)
	if len(c.queue) == 0 {
		c.losing = nil
	}
	return batch
}

// sent notes that a flusher has broadcast cmd.
func (c *control) sent(cmd *command) {
	c.mu.Lock()
	cmd.left--
	last := cmd.left == 0
	c.mu.Unlock()
	if last {
		cmd.settle()
	}
}

// settle ends a command that was carried out.
func (cmd *command) settle() {
	cmd.app.controlled.Add(-cmd.bytes)
	cmd.finish(nil)
}

// finish tells who waits for the command.
func (cmd *command) finish(err error) {
	select {
	case cmd.done <- err:
	default: // nobody, or the hub's end was first
	}
}

// errHubEnded answers a command that this node did not carry out any more. It has
// no connections either.
var errHubEnded = errors.New("channels: the hub has ended")

// end lets go of all who wait.
func (c *control) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended, c.queue = true, nil
	for _, cmd := range c.expected {
		cmd.finish(errHubEnded)
	}
}

// runControl carries commands out until ctx ends.
func (a *App) runControl(ctx context.Context) {
	defer a.control.end()
	for ctx.Err() == nil {
		if batch := a.control.take(); len(batch) > 0 {
			a.carryOut(batch)
			continue
		}
		select {
		case <-a.control.wake:
		case <-ctx.Done():
		}
	}
}

func (a *App) carryOut(batch []*command) {
	for _, cmd := range batch {
		a.prepare(cmd)
	}
	a.pass(batch)
	for _, cmd := range batch {
		if cmd.Do == doBroadcast {
			a.hub.broadcast(cmd)
		} else {
			cmd.settle()
		}
	}
}

// prepare lets the moment of a command pass: decisions that began before it are
// older than the command from now on. Answers that were remembered are forgotten
// first, or one of them would pass for a decision that began after it.
func (a *App) prepare(cmd *command) {
	if err := cmd.compile(); err != nil {
		a.hub.config.Logger.Error("a command of another node cannot be carried out, all clients are asked to connect anew",
			"app", a.ID(), "do", cmd.Do, "error", err)
		cmd.lose()
	}
	cmd.taking = &taking{channels: cmd.channels, number: cmd.number}
	a.forgetAnswers(cmd)
	a.revocations.note(cmd)
	a.moment.Store(cmd.number)
}

// pass does what the commands ask for to all connections that they select, the
// parts at the same time. A connection that comes during the pass is none of those
// that they were for; what it may still have been granted before is looked up when
// it makes use of it (Socket.revokedSince).
func (a *App) pass(batch []*command) {
	batch = slices.DeleteFunc(slices.Clone(batch), func(cmd *command) bool {
		return cmd.Do == doBroadcast || cmd.Do == doInvalidate
	})
	if len(batch) == 0 {
		return
	}
	var parts sync.WaitGroup
	for i := range a.hub.sockets.parts {
		parts.Go(func() {
			for _, s := range a.hub.sockets.parts[i].listOf(a) {
				for _, cmd := range batch {
					if cmd.to.matches(s) {
						s.obey(cmd)
					} else {
						s.obeyForOthers(cmd)
					}
				}
			}
		})
	}
	parts.Wait()
	for _, cmd := range batch {
		a.hub.closings.spread(cmd.leaving, time.Duration(cmd.SpreadMS)*time.Millisecond)
		cmd.leaving = nil
	}
}

// obey does to the socket what a command asks for.
func (s *Socket) obey(cmd *command) {
	switch cmd.Do {
	case doRevoke:
		s.revokeAll(cmd)
	case doRecheck:
		s.mu.Lock()
		subs := s.matchingLocked(cmd)
		s.mu.Unlock()
		s.app.rechecks.add(s.hub, subs)
	case doReauthenticate:
		cmd.mu.Lock()
		cmd.leaving = append(cmd.leaving, s)
		cmd.mu.Unlock()
	case doTerminate:
		s.closeFor(Revoked, protocol.CloseUnauthorized, cmd.Reason)
	}
}
