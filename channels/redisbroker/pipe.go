package redisbroker

import (
	"context"
	"errors"
	"fmt"
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

// A pipe sends calls to Redis, whatever waits in one pipeline: while one is under way
// the next gathers. Calls of one pipe are carried out in the order in which they were
// made.
type pipe struct {
	client redis.UniversalClient // set by Run
	queue  chan *call            // never closed
}

// A call is a script that is to be run, or has been.
type call struct {
	script *script
	keys   []string
	args   []any
	bytes  int
	ctx    context.Context // only until it is answered: who calls waits for that, or for its end

	done  chan struct{} // closed when it is answered
	reply any
	err   error
}

var errQueueFull = errors.New("redisbroker: too much waits to be sent to Redis")

// do runs a script. An error that isLost says is one leaves open whether it ran.
func (p *pipe) do(ctx context.Context, s *script, keys []string, args ...any) ([]any, error) {
	c := &call{script: s, keys: keys, args: args, ctx: ctx, done: make(chan struct{})}
	for _, a := range args {
		if text, ok := a.(string); ok {
			c.bytes += len(text)
		}
	}
	select {
	case p.queue <- c:
	default:
		return nil, errQueueFull
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		return nil, fmt.Errorf("redisbroker: no answer from Redis: %w", context.Cause(ctx))
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

// run sends until ctx ends.
func (p *pipe) run(ctx context.Context, timeout time.Duration) {
	for {
		select {
		case c := <-p.queue:
			p.send(ctx, p.gather(c), timeout)
		case <-ctx.Done():
			return
		}
	}
}

// gather adds to first what waits with it.
func (p *pipe) gather(first *call) []*call {
	batch, bytes := []*call{first}, first.bytes
	for len(batch) < pipeCalls && bytes < pipeBytes {
		select {
		case c := <-p.queue:
			batch = append(batch, c)
			bytes += c.bytes
		default:
			return batch
		}
	}
	return batch
}

// send runs a batch, and answers its calls.
func (p *pipe) send(ctx context.Context, batch []*call, timeout time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
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
		select {
		case <-time.After(movedPause):
		case <-ctx.Done():
		}
		if cluster, ok := p.client.(*redis.ClusterClient); ok {
			cluster.ReloadState(ctx)
		}
	}
	for _, c := range batch {
		close(c.done)
	}
}

// try runs the calls, with the text of their scripts if whole, answers those that
// were carried out or may have been, and returns the others.
func (p *pipe) try(ctx context.Context, batch []*call, whole bool) (again []*call) {
	pl := p.client.Pipeline()
	sent := batch[:0:0]
	var cmds []*redis.Cmd
	for _, c := range batch {
		if c.ctx.Err() != nil { // nobody waits for it
			c.err = context.Cause(c.ctx)
			close(c.done)
			continue
		}
		sent = append(sent, c)
		if whole {
			cmds = append(cmds, pl.Eval(ctx, c.script.text, c.keys, c.args...))
		} else {
			cmds = append(cmds, pl.EvalSha(ctx, c.script.sha, c.keys, c.args...))
		}
	}
	if len(cmds) == 0 {
		return nil
	}
	_, failed := pl.Exec(ctx)
	for i, c := range sent {
		c.reply, c.err = cmds[i].Result()
		if c.reply == nil && c.err == nil { // it was not sent: there is no connection, or Redis did not take the login
			c.err = failed
		}
		if c.err != nil && notRun(c.err) && ctx.Err() == nil {
			again = append(again, c)
			continue
		}
		close(c.done)
	}
	return again
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
	if err == nil || errors.Is(err, errQueueFull) || errors.Is(err, errLate) {
		return false
	}
	_, answered := errors.AsType[redis.Error](err)
	return !answered
}

// errLate says that a call reached Redis after its time: it did nothing.
var errLate = errors.New("redisbroker: the call reached Redis too late")
