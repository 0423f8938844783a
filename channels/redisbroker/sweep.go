package redisbroker

import (
	"context"
	"fmt"
	"sync"
	"time"

	"hark/channels"
)

// sweeps are the dead nodes that are being cleared away here.
type sweeps struct {
	mu  sync.Mutex
	now map[finding]bool // guarded by mu
}

func (s *sweeps) begin(f finding) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now[f] {
		return false
	}
	if s.now == nil {
		s.now = make(map[finding]bool)
	}
	s.now[f] = true
	return true
}

func (s *sweeps) end(f finding) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.now, f)
}

// startSweep clears a dead node away, unless somebody does already.
func (b *Broker) startSweep(p *partition, node string) {
	f := finding{partition: p, node: node}
	if !b.sweeps.begin(f) {
		return
	}
	if !b.tasks.start(func(ctx context.Context) {
		defer b.sweeps.end(f)
		if err := b.sweep(ctx, p, node, false); err != nil && ctx.Err() == nil {
			b.config.Logger.Warn("a dead node could not be cleared away, it is tried again", "node", node, "error", err)
		}
	}) {
		b.sweeps.end(f)
	}
}

// clearEnded clears away the nodes that were ended before this one has started, so that
// its first clients do not see who was there: for a beat at most, then sweeps go on.
func (b *Broker) clearEnded(ctx context.Context, found []finding) {
	ctx, cancel := context.WithTimeout(ctx, b.config.Beat)
	defer cancel()
	var wg sync.WaitGroup
	for _, f := range found {
		if f.ended {
			wg.Go(func() { _ = b.sweep(ctx, f.partition, f.node, false) }) // what fails is tried again
		}
	}
	wg.Wait()
}

const (
	// sweepPlaces and sweepUsers bound what one step of a sweep takes away.
	sweepPlaces = 16
	sweepUsers  = 100
)

// sweep ends a node's lease, so that it cannot come back to what it had, and takes its
// sockets off its places, some at a time. Whoever finds it half done goes on.
func (b *Broker) sweep(ctx context.Context, p *partition, node string, own bool) error {
	claimed, err := b.fence(ctx, p, node, b.config.Lease, own)
	if err != nil || !claimed {
		return err
	}
	if !own {
		b.config.Counters.Swept()
	}
	for {
		call, cancel := b.within(ctx)
		members, err := b.client.SRandMemberN(call, p.keys.holds(node), sweepPlaces).Result()
		cancel()
		if err != nil {
			return err
		}
		if len(members) == 0 {
			_, err = b.step(ctx, p, buriedScript, []string{p.keys.dead(), p.keys.holds(node)}, node)
			return err
		}
		for _, m := range members {
			at, ok := placeOf(m)
			if !ok {
				return fmt.Errorf("redisbroker: %q is no place", m)
			}
			if err := b.sweepPlace(ctx, p, node, at); err != nil {
				return err
			}
		}
	}
}

// fence ends a node's lease, and reports whether it is to be cleared away from here: for
// that long nobody else does it.
func (b *Broker) fence(ctx context.Context, p *partition, node string, claim time.Duration, own bool) (bool, error) {
	reply, err := b.step(ctx, p, fenceScript, []string{p.keys.leases(), p.keys.fenced(), p.keys.dead()},
		node, claim.Milliseconds(), flag(own))
	return err == nil && reply[0] == int64(1), err
}

func (b *Broker) sweepPlace(ctx context.Context, p *partition, node string, at channels.Place) error {
	for {
		reply, err := b.step(ctx, p, sweepScript, p.keys.all(at, node), node, b.config.History.Milliseconds(),
			b.config.HistoryBytes, b.keep(), sweepUsers, escape.Replace(at.App), at.Channel, b.config.Notes)
		if err != nil {
			return err
		}
		said, rest := status(reply)
		if said == "settling" {
			return errSettling
		}
		if said != "ok" || len(rest) != 1 {
			return errReply
		}
		if rest[0] == "0" {
			return nil
		}
	}
}

// step is one call of a sweep.
func (b *Broker) step(ctx context.Context, p *partition, s *script, ks []string, args ...any) ([]any, error) {
	call, cancel := b.within(ctx)
	defer cancel()
	return p.pipe.do(call, s, ks, args...)
}

// resign gives up this node's leases, as far as Redis can be reached: nobody has to wait
// for them to run out.
func (b *Broker) resign(ctx context.Context) {
	if !b.up.Load() {
		return
	}
	ctx, cancel := b.within(ctx)
	defer cancel()
	var wg sync.WaitGroup
	for _, p := range b.partitions {
		if name := p.nameNow(); name != "" {
			wg.Go(func() {
				if err := b.handOver(ctx, p, name); err != nil {
					b.config.Logger.Warn("this node could not take its leave of Redis, its lease will run out", "error", err)
				}
			})
		}
	}
	wg.Wait()
}

// handOver leaves what this node has to those who come back to another one: until
// Config.Handover has passed nobody clears it away, then whoever finds it does. An
// answer that is lost is asked for again.
func (b *Broker) handOver(ctx context.Context, p *partition, name string) error {
	if b.config.Handover < 0 {
		return b.sweep(ctx, p, name, true)
	}
	for try := 1; ; try++ {
		_, err := b.fence(ctx, p, name, b.config.Handover, true)
		if !isLost(err) || try == lostTries || ctx.Err() != nil {
			return err
		}
	}
}
