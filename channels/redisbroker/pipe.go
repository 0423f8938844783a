package redisbroker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// pipeCalls and pipeBytes bound what one pipeline carries.
	pipeCalls = 128
	pipeBytes = 1 << 20
	// movedTries is how often a call that a master has refused, since its slot is
	// elsewhere, is sent again, and movedPause is the time before that.
	movedTries = 5
	movedPause = 100 * time.Millisecond
)

// A pipe sends calls to Redis, one batch after the other. Who makes a call while none is
// under way sends it, so that no other goroutine has to be woken, twice; what is made
// meanwhile gathers, and run sends it, in one pipeline. Calls of one pipe are carried out
// in the order in which they were made, but for those that were given up: what follows
// them takes another connection.
//
//	pipe.do            take: is nothing under way?
//	└─ sendOwn         then at once, on the caller's goroutine
//	   ├─ send
//	   │  └─ try       a round trip, again if Redis has done nothing
//	   └─ release      has something gathered meanwhile?
//	pipe.run           then it is run's turn
//	├─ gather          until nothing waits
//	└─ send
type pipe struct {
	client  redis.UniversalClient // set by Run
	bound   int                   // of queue
	timeout time.Duration         // of a batch
	turn    chan struct{}         // capacity 1, never closed: run is to send what has gathered, or to end

	mu sync.Mutex
	// Guarded by mu.
	busy  bool    // somebody sends
	ended bool    // nothing is sent any more
	queue []*call // has gathered
}

// A call is a script that is to be run, or has been.
type call struct {
	script *script
	keys   []string
	args   []any
	ctx    context.Context // only until it is answered: who calls waits for that, or for its end

	done  chan struct{} // closed when it is answered; nil: who makes the call sends it
	reply any
	err   error
}

var errQueueFull = errors.New("redisbroker: too much waits to be sent to Redis")

func newPipe(c Config) *pipe {
	return &pipe{bound: c.Queue, timeout: c.Timeout, turn: make(chan struct{}, 1)}
}

// do runs a script. An error that isLost says is one leaves open whether it ran. It waits
// until ctx ends at most, and Config.Timeout; but who sends the call itself notices that
// ctx is canceled, before its deadline, only then.
func (p *pipe) do(ctx context.Context, s *script, keys []string, args ...any) ([]any, error) {
	c := &call{script: s, keys: keys, args: args, ctx: ctx}
	if err := p.take(c); err != nil {
		return nil, err
	}
	if c.done == nil {
		p.sendOwn(ctx, c)
	} else {
		select {
		case <-c.done:
		case <-ctx.Done():
			return nil, fmt.Errorf("redisbroker: no answer from Redis: %w", context.Cause(ctx))
		}
	}
	if c.err != nil {
		return nil, c.err
	}
	switch reply := c.reply.(type) {
	case []any:
		return reply, nil
	default:
		return []any{reply}, nil
	}
}

// take lets c be sent by who makes it, if nothing is under way, and else has it wait.
func (p *pipe) take(c *call) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.ended:
		return errEnded
	case !p.busy:
		p.busy = true
	case len(p.queue) >= p.bound:
		return errQueueFull
	default:
		c.done = make(chan struct{})
		p.queue = append(p.queue, c)
	}
	return nil
}

// sendOwn sends a call for who makes it.
func (p *pipe) sendOwn(ctx context.Context, c *call) {
	defer p.release() // a panic that the caller recovers from holds nobody up
	p.send(ctx, []*call{c})
}

// release ends what take began. What has gathered is for run: who has made one call is
// not to work for others.
func (p *pipe) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy = len(p.queue) > 0
	if p.busy || p.ended {
		p.turn <- struct{}{} // there is room: before run, or end, has taken it nobody sends
	}
}

// run sends what has gathered until ctx ends, and then waits for who sends.
func (p *pipe) run(ctx context.Context) {
	for {
		select {
		case <-p.turn:
			for batch := p.gather(); len(batch) > 0; batch = p.gather() {
				p.send(ctx, batch)
			}
		case <-ctx.Done():
			p.end()
			return
		}
	}
}

// gather takes the next batch off the queue. None: nothing is under way any more.
func (p *pipe) gather() []*call {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, bytes := 0, 0
	for n < len(p.queue) && n < pipeCalls && bytes < pipeBytes {
		bytes += p.queue[n].size()
		n++
	}
	batch := p.queue[:n:n]
	if p.queue = p.queue[n:]; len(p.queue) == 0 {
		p.queue = nil
	}
	p.busy = n > 0
	return batch
}

// end answers what waits, and waits for what is under way.
func (p *pipe) end() {
	p.mu.Lock()
	waits, busy := p.queue, p.busy
	p.queue, p.ended = nil, true
	p.mu.Unlock()
	for _, c := range waits {
		c.answer(nil, errEnded)
	}
	if busy {
		<-p.turn
	}
}

// size is about how many bytes a call is.
func (c *call) size() int {
	n := 0
	for _, a := range c.args {
		if text, ok := a.(string); ok {
			n += len(text)
		}
	}
	return n
}

// answer ends a call.
func (c *call) answer(reply any, err error) {
	c.reply, c.err = reply, err
	if c.done != nil {
		close(c.done)
	}
}

// send runs a batch, and answers its calls.
func (p *pipe) send(ctx context.Context, batch []*call) {
	ctx, cancel := within(ctx, p.timeout)
	defer cancel()
	whole := false
	for try := 0; ; try++ {
		batch = p.try(ctx, batch, whole)
		if len(batch) == 0 {
			return
		}
		whole = false
		for _, c := range batch {
			whole = whole || redis.HasErrorPrefix(c.err, "NOSCRIPT")
		}
		if whole {
			continue
		}
		if try >= movedTries {
			break
		}
		pause(ctx, movedPause)
		if cluster, ok := p.client.(*redis.ClusterClient); ok {
			cluster.ReloadState(ctx)
		}
	}
	for _, c := range batch {
		c.answer(nil, c.err)
	}
}

// try runs the calls, with the text of their scripts if whole, answers those that
// were carried out or may have been, and returns the others.
func (p *pipe) try(ctx context.Context, batch []*call, whole bool) (again []*call) {
	sent := batch[:0:0]
	for _, c := range batch {
		if c.ctx.Err() != nil { // nobody waits for it
			c.answer(nil, context.Cause(c.ctx))
			continue
		}
		sent = append(sent, c)
	}
	for i, cmd := range p.exec(ctx, sent, whole) {
		c := sent[i]
		reply, err := cmd.Result()
		if err != nil && notRun(err) && ctx.Err() == nil {
			c.err = err
			again = append(again, c)
			continue
		}
		c.answer(reply, err)
	}
	return again
}

// exec makes one round trip.
func (p *pipe) exec(ctx context.Context, calls []*call, whole bool) []*redis.Cmd {
	// A Cluster's client looks up what each command is that comes by itself, and asks Redis if it does not know.
	if _, cluster := p.client.(*redis.ClusterClient); len(calls) == 1 && !cluster {
		return []*redis.Cmd{calls[0].put(ctx, p.client, whole)}
	}
	pl := p.client.Pipeline()
	cmds := make([]*redis.Cmd, len(calls))
	for i, c := range calls {
		cmds[i] = c.put(ctx, pl, whole)
	}
	_, failed := pl.Exec(ctx)
	for _, cmd := range cmds {
		if cmd.Val() == nil && cmd.Err() == nil { // it was not sent: there is no connection, or Redis did not take the login
			cmd.SetErr(failed)
		}
	}
	return cmds
}

// put gives a call to who runs it, or gathers it.
func (c *call) put(ctx context.Context, to redis.Scripter, whole bool) *redis.Cmd {
	if whole {
		return to.Eval(ctx, c.script.text, c.keys, c.args...)
	}
	return to.EvalSha(ctx, c.script.sha, c.keys, c.args...)
}

// notRun reports whether Redis has said that it did nothing, and may do it if it is
// asked again: the script is not there, or the slot is elsewhere.
func notRun(err error) bool {
	for _, prefix := range []string{"NOSCRIPT", "MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", "LOADING", "READONLY", "MASTERDOWN"} {
		if redis.HasErrorPrefix(err, prefix) {
			return true
		}
	}
	return false
}

// isLost reports whether a call that failed may have been carried out: its answer was
// lost, or did not come in time.
func isLost(err error) bool {
	if err == nil || errors.Is(err, errQueueFull) || errors.Is(err, errLate) || errors.Is(err, errEnded) {
		return false
	}
	_, answered := errors.AsType[redis.Error](err)
	return !answered
}

// errLate says that a call reached Redis after its time: it did nothing.
var errLate = errors.New("redisbroker: the call reached Redis too late")
