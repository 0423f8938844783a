package redisbroker

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"hark/channels"
)

const (
	// acceptedFor is about how long it is remembered what was accepted, and acceptedMost
	// bounds on how many places of a partition; of more, the oldest is forgotten sooner.
	acceptedFor  = 10 * time.Second
	acceptedMost = 4096
)

// accepted is the last event of this node on each place of a partition that Redis has
// accepted of late. A master that fails may have told nobody else of it.
type accepted struct {
	mu sync.Mutex
	// Guarded by mu.
	last, before map[channels.Place]acceptance
	turned       time.Time // when before was last
}

// An acceptance is where Redis has put an event.
type acceptance struct {
	id string  // of the publish
	at message // without a body
}

// note remembers an acceptance.
func (a *accepted) note(p channels.Place, n acceptance) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.last == nil || len(a.last) >= acceptedMost || time.Since(a.turned) > acceptedFor {
		a.before, a.last, a.turned = a.last, make(map[channels.Place]acceptance), time.Now()
	}
	if old, there := a.last[p]; !there || old.at.epoch != n.at.epoch || old.at.seq < n.at.seq {
		a.last[p] = n
	}
}

// all returns what is remembered.
func (a *accepted) all() map[channels.Place]acceptance {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := make(map[channels.Place]acceptance, len(a.before)+len(a.last))
	maps.Copy(all, a.before)
	maps.Copy(all, a.last)
	return all
}

// forget forgets an acceptance, unless there is a later one.
func (a *accepted) forget(p channels.Place, n acceptance) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range []map[channels.Place]acceptance{a.last, a.before} {
		if m[p] == n {
			delete(m, p)
		}
	}
}

// verifyAtOnce bounds how many places are looked at at a time.
const verifyAtOnce = 64

// verify looks whether another master has what the one before it has accepted from this
// node. Where it has not, all nodes are told that the place has a gap. It is called before
// this node has anything else accepted, so that the gap comes before that.
func (b *Broker) verify(ctx context.Context, p *partition) error {
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]
	turns := make(chan struct{}, verifyAtOnce)
	for at, n := range p.accepted.all() {
		turns <- struct{}{}
		wg.Go(func() {
			defer func() { <-turns }()
			_, err := p.pipe.do(ctx, verifyScript, []string{p.keys.place(at), p.keys.stream(at), p.keys.channel(at)},
				decimal(n.at.epoch), n.at.entry(), n.id, b.config.History.Milliseconds(), b.config.HistoryBytes, lostBody)
			if err != nil {
				failed.Store(&err)
				return
			}
			p.accepted.forget(at, n)
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}
