package channels

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"hark/authz"
	"hark/protocol"
)

// A Control is a command to all nodes: to do something to those connections of an
// app that they have. It is plain data; its JSON is for brokers that carry bytes.
type Control struct {
	// Version is ControlVersion of the node that asks.
	Version int `json:"version"`
	// ID is random. The node that asks knows by it when it has done its own part.
	ID uint64 `json:"id"`
	// Do is what is to be done: "broadcast", "revoke", "recheck",
	// "reauthenticate", "terminate" or "invalidate".
	Do string `json:"do"`
	// To selects the connections.
	To Selector `json:"to,omitzero"`
	// Channels is the pattern of the channels to revoke or recheck.
	Channels string `json:"channels,omitzero"`
	// Reason is what clients are told who lose something.
	Reason string `json:"reason,omitzero"`
	// SpreadMS is over what time connections are closed to be authenticated anew, in
	// milliseconds: 0: as it fits; negative: at once.
	SpreadMS int64 `json:"spread_ms,omitzero"`
	// Name and Data are the event to broadcast, Except are the sockets without it.
	Name   string              `json:"name,omitzero"`
	Data   string              `json:"data,omitzero"`
	Except []protocol.SocketID `json:"except,omitzero"`
	// User is whose answers are to be forgotten; "": everybody's.
	User string `json:"user,omitzero"`
}

// ControlVersion is raised when a Control begins to mean what older nodes would
// not understand. A node that is told something newer than it knows does the
// strictest it can: it has all clients of the app connect anew.
const ControlVersion = 1

// What a Control may ask for.
const (
	doBroadcast      = "broadcast"
	doRevoke         = "revoke"
	doRecheck        = "recheck"
	doReauthenticate = "reauthenticate"
	doTerminate      = "terminate"
	doInvalidate     = "invalidate"
)

// ErrBusy says that so much is being asked of an app's connections, or about them, that
// nothing is added to it; ask again later.
var ErrBusy = errors.New("channels: too much is asked of the app's connections at once, try again later")

const (
	// controlBytes bounds the commands of one app that a node has not carried out,
	// about. Half of it is for what this node asks, which is refused beyond it
	// (ErrBusy). What other nodes ask beyond the whole is made up for (control.lose).
	controlBytes = 8 << 20
	// controlOverhead and controlTerm are what a command, and an entry of its
	// selector's lists, count for.
	controlOverhead = 512
	controlTerm     = 64
)

// command has all nodes carry c out, and returns when this one has: what is
// triggered from then on finds it done here. An error other than ErrNoTarget,
// ErrBusy and what says that c is wrong leaves open whether it is carried out.
func (a *App) command(ctx context.Context, c Control) error {
	c.Version, c.ID = ControlVersion, rand.Uint64()
	cmd := newCommand(a, c)
	if err := cmd.compile(); err != nil {
		return err
	}
	if a.controlled.Load()+cmd.bytes > controlBytes/2 {
		return ErrBusy
	}
	cmd.done = make(chan error, 1)
	a.control.expect(cmd)
	defer a.control.forget(cmd)
	e := Envelope{Kind: KindControl, Place: a.place(ControlChannel), Control: &cmd.Control}
	if err := a.hub.publish(ctx, e, a.hub.deadline()); err != nil {
		return err
	}
	select {
	case err := <-cmd.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("channels: %s is still being carried out: %w", c.Do, context.Cause(ctx))
	}
}

// A command is a Control as one node carries it out.
type command struct {
	Control
	// Static after construction.
	app   *App
	bytes int64      // of controlBytes
	done  chan error // capacity 1; gets the outcome, once; nil: nobody waits

	// Static after compile.
	to       *matcher
	channels authz.Pattern
	batch    protocol.Batch // to broadcast

	// Static once it is carried out.
	number uint64    // in the app's order of grants and revocations; 0: not delivered yet
	taken  time.Time // when its moment passed here
	taking *taking   // what sockets remember of a revocation
	lost   bool      // it stands for commands that were lost

	left int32 // flushers that have not broadcast it; guarded by control.mu

	mu      sync.Mutex
	leaving []*Socket // whom it asks to connect anew; guarded by mu
}

func newCommand(a *App, c Control) *command {
	terms := c.To.terms()
	return &command{Control: c, app: a, bytes: int64(controlOverhead + controlTerm*terms + len(c.Data))}
}

// compile checks what is asked for, once.
func (cmd *command) compile() (err error) {
	if cmd.to != nil {
		return nil
	}
	if cmd.Version > ControlVersion {
		return fmt.Errorf("channels: a control of version %d, and this node knows %d", cmd.Version, ControlVersion)
	}
	if cmd.Do == doInvalidate {
		return nil
	}
	if cmd.to, err = cmd.To.compile(); err != nil {
		return err
	}
	switch cmd.Do {
	case doBroadcast:
		cmd.batch = protocol.Join(protocol.Event{Name: cmd.Name, Data: cmd.Data}.Frame())
	case doRevoke, doRecheck:
		cmd.channels, err = authz.ParsePattern(cmd.Channels)
	case doReauthenticate, doTerminate:
	default:
		err = fmt.Errorf("channels: no node knows how to %q", cmd.Do)
	}
	return err
}

// lose makes cmd stand for commands of which nobody knows what they were: the
// strictest is done that can be undone.
func (cmd *command) lose() {
	cmd.Control = Control{Version: ControlVersion, Do: doReauthenticate, To: Everyone()}
	cmd.to, _ = cmd.To.compile() // everyone can be compiled
	cmd.lost = true
}
