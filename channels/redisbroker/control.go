package redisbroker

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"hark/channels"
)

const (
	// controlHistory is how long commands are kept for nodes that were away, and
	// controlMost about how many.
	controlHistory = 10 * time.Minute
	controlMost    = 10_000
	// controlEpoch is that of all commands: their numbers always increase.
	controlEpoch = 1
)

// A control hands over the commands to all nodes. They are in one stream for all apps;
// each knows the one before it, so that a hole is seen.
type control struct {
	// Static after construction.
	broker    *Broker
	keys      keys
	pipe      *pipe
	line      *line
	listens   chan struct{} // closed when the channel is subscribed to
	channelOf string

	once sync.Once
	turn sync.Mutex
	// Guarded by turn. Sink.Deliver and Sink.Gap are called under it.
	begun bool
	last  uint64
	apps  map[string]bool // of which this node has heard
}

func newControl(b *Broker) *control {
	c := &control{broker: b, keys: b.newKeys("c"), listens: make(chan struct{}), apps: make(map[string]bool)}
	c.pipe, c.line = b.pipes[0], b.lines[0]
	if b.config.cluster() { // its slot is one of its own
		c.pipe, c.line = newPipe(b.config), newLine(b, c.keys.base+"line")
		b.pipes, b.lines = append(b.pipes, c.pipe), append(b.lines, c.line)
	}
	c.channelOf = c.keys.base + "c"
	c.line.listen(c.channelOf, c)
	return c
}

// place is where an app's commands are ordered.
func (c *control) place(app string) channels.Place {
	return channels.Place{App: app, Channel: channels.ControlChannel}
}

// know notes an app.
func (c *control) know(app string) {
	c.turn.Lock()
	defer c.turn.Unlock()
	c.apps[app] = true
}

// publish orders a command.
func (c *control) publish(ctx context.Context, app, body, id string) (channels.Position, error) {
	ks := []string{c.keys.base + "about", c.keys.base + "s", c.channelOf, c.keys.base + "apps", c.keys.publish(id)}
	deadline := int64(0)
	if c.pipe == c.broker.pipes[0] {
		deadline = c.broker.partitions[0].deadline(ctx)
	}
	args := []any{deadline, app, body, id, 0, controlMost, controlHistory.Milliseconds()}
	reply, err := c.broker.insist(ctx, c.pipe, controlScript, ks, args, 4)
	if err != nil {
		return channels.Position{}, err
	}
	said, rest := status(reply)
	if said != "ok" || len(rest) != 1 {
		return channels.Position{}, errReply
	}
	seq, err := number(rest[0])
	return channels.Position{Epoch: controlEpoch, Seq: uint64(seq)}, err
}

// heard implements listener.
func (c *control) heard(payload string) {
	if question, ok := strings.CutPrefix(payload, "q"); ok {
		c.broker.asked(question)
		return
	}
	words := strings.SplitN(payload, " ", 3)
	if len(words) != 3 || words[0] == "" || words[0][0] != 'c' {
		return
	}
	seq, err1 := strconv.ParseUint(words[0][1:], 10, 64)
	before, err2 := strconv.ParseUint(words[1], 10, 64)
	app, body, err3 := sized(words[2])
	if err1 != nil || err2 != nil || err3 != nil {
		c.broker.config.Logger.Error("what is said to all nodes is no command")
		return
	}
	c.turn.Lock()
	defer c.turn.Unlock()
	if !c.begun || before != c.last {
		if !c.begun || seq > c.last {
			c.broker.look() // it is read from the stream
		}
		return
	}
	c.deliverLocked(app, body, seq)
}

func (c *control) deliverLocked(app, body string, seq uint64) {
	c.last = seq
	c.apps[app] = true
	at := channels.Position{Epoch: controlEpoch, Seq: seq}
	e, err := decode(body)
	if err != nil || e.Kind != channels.KindControl {
		c.broker.config.Logger.Error("a command to all nodes cannot be read", "app", app, "error", err)
		c.broker.config.Counters.Gap()
		c.broker.sink.Gap(c.place(app), channels.Snapshot{Position: at})
		return
	}
	e.Place, e.Position = c.place(app), at
	c.broker.sink.Deliver(e)
}

// listening implements listener.
func (c *control) listening() {
	c.once.Do(func() { close(c.listens) })
	c.broker.look()
}

// catchUp hands over what is in the stream and was not heard.
func (c *control) catchUp(ctx context.Context) error {
	ctx, cancel := c.broker.within(ctx)
	defer cancel()
	for {
		more, err := c.fill(ctx)
		if err != nil || !more {
			return err
		}
	}
}

func (c *control) fill(ctx context.Context) (more bool, err error) {
	c.turn.Lock()
	begun, last := c.begun, c.last
	c.turn.Unlock()
	reply, err := c.pipe.do(ctx, controlSinceScript, []string{c.keys.base + "about", c.keys.base + "s", c.channelOf, c.keys.base + "apps"},
		decimal(last), fillEntries, flag(!begun))
	if err != nil {
		return false, err
	}
	said, rest := status(reply)
	if len(rest) != 2 {
		return false, errReply
	}
	upTo, err := number(rest[0])
	list, ok := rest[1].([]any)
	if err != nil || !ok {
		return false, errReply
	}
	c.turn.Lock()
	defer c.turn.Unlock()
	if c.last != last { // something was heard meanwhile
		return true, nil
	}
	c.begun = true
	switch said {
	case "fill":
		for _, entry := range list {
			if err := c.entryLocked(entry); err != nil {
				return false, err
			}
		}
		return c.last < uint64(upTo), nil
	case "gap":
		return false, c.gapLocked(list, last, uint64(upTo), begun)
	}
	return false, errReply
}

// entryLocked hands over an entry of the stream.
func (c *control) entryLocked(entry any) error {
	pair, ok := entry.([]any)
	if !ok || len(pair) != 2 {
		return errReply
	}
	id, ok1 := pair[0].(string)
	fields, ok2 := pair[1].([]any)
	if !ok1 || !ok2 || len(fields) < 4 {
		return errReply
	}
	app, ok1 := fields[1].(string)
	body, ok2 := fields[3].(string)
	ms, _, _ := strings.Cut(id, "-")
	seq, err := strconv.ParseUint(ms, 10, 64)
	if !ok1 || !ok2 || err != nil {
		return errReply
	}
	c.deliverLocked(app, body, seq)
	return nil
}

// gapLocked says that commands were lost, or, at the beginning, where they stand.
func (c *control) gapLocked(list []any, last, upTo uint64, begun bool) error {
	there := make(map[string]bool)
	for i := 0; i+1 < len(list); i += 2 {
		app, ok := list[i].(string)
		seq, err := number(list[i+1])
		if !ok || err != nil {
			return errReply
		}
		there[app] = true
		if uint64(seq) > last {
			c.lostLocked(app, uint64(seq), begun)
		}
	}
	if begun { // what Redis has forgotten may have been for any app
		for app := range c.apps {
			if !there[app] {
				c.lostLocked(app, upTo, begun)
			}
		}
	}
	c.last = upTo
	return nil
}

func (c *control) lostLocked(app string, seq uint64, begun bool) {
	c.apps[app] = true
	if begun {
		c.broker.config.Counters.Gap()
	}
	c.broker.sink.Gap(c.place(app), channels.Snapshot{Position: channels.Position{Epoch: controlEpoch, Seq: seq}})
}
