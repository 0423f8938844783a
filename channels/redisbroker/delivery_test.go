package redisbroker

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"hark/channels"
)

// A told is a Sink that keeps the names of what is delivered.
type told struct {
	channels.Sink
	names []string // read when all that is under way has come to rest
}

func (s *told) Deliver(e channels.Envelope) { s.names = append(s.names, e.Name) }

func (s *told) expect(t *testing.T, when string, want ...string) {
	t.Helper()
	synctest.Wait()
	if !slices.Equal(s.names, want) {
		t.Errorf("%s: told %q, want %q", when, s.names, want)
	}
}

// What is heard within a node's lease, or asked for, is not handed over past it.
func TestPastTheLease(t *testing.T) {
	body, err := encode(channels.Envelope{Name: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	answer := []any{"fill", "2", "0", []any{[]any{"1-2", []any{"e", body}}}}
	for name, past := range map[string]func(d *delivery, next func() *call){
		"a reply": func(d *delivery, next func() *call) {
			d.open(message{epoch: 1, seq: 1, ms: 1})
			d.refresh()
			c := next()
			time.Sleep(1500 * time.Millisecond)
			c.answer(answer, nil)
		},
		"what was kept": func(d *delivery, _ func() *call) {
			d.heard("p1 2 1 " + body)
			time.Sleep(1500 * time.Millisecond)
			d.open(message{epoch: 1, seq: 1, ms: 1})
		},
		"a message": func(d *delivery, _ func() *call) {
			d.open(message{epoch: 1, seq: 1, ms: 1})
			time.Sleep(1500 * time.Millisecond)
			d.heard("p1 2 1 " + body)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, err := New(Config{Redis: redis.UniversalOptions{Addrs: []string{"127.0.0.1:6379"}}, Prefix: "p"})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				sink := &told{}
				b.sink, b.tasks.ctx = sink, ctx
				p := b.hold(channels.Place{App: "1", Channel: "private-a"}, true)
				p.mu.Unlock()
				pipe := p.partition.pipe
				pipe.busy = true // so that calls wait for next
				next := func() *call {
					synctest.Wait()
					return pipe.gather()[0]
				}
				b.lease.extend(time.Now().Add(time.Second))
				past(&p.delivery, next)
				sink.expect(t, "past the lease")
				b.lease.extend(time.Now().Add(time.Second))
				next().answer(answer, nil)
				sink.expect(t, "within the next", "secret")
				cancel()
				b.tasks.wait()
			})
		})
	}
}
