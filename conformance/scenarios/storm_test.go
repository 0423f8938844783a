package scenarios

import (
	"context"
	"flag"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"hark/authz"
	"hark/channels"
)

var long = flag.Bool("long", false, "play the storms with hundreds of clients, for a minute or two, and judge latencies")

func TestStorms(t *testing.T) {
	clients, outage := 20, 3*time.Second
	if *long {
		clients, outage = 500, 20*time.Second
	}
	// One after the other: they measure.
	alone(t, "C.1", slowHooks, embedded{
		config:   func(c *channels.AppConfig) { c.Limits.ClientEvents = -1 },
		policies: slowPolicies,
		hooks:    slowHooksOfAlice,
	})
	alone(t, "C.2", func(t *testing.T, w *world) { callbackDown(t, w, clients, outage) }, standalone{
		app: `
    policies:
      - {channel: "private-{room}", callback: true}`,
		callback: gathered,
		answers:  withAuthenticate(anybody, decisions(func(*world, question) (any, bool) { return allowIf(true), true })),
	})
	alone(t, "C.2 death", func(t *testing.T, w *world) { nodeDies(t, w, clients) }, nodes{standalone{
		app: `
    policies:
      - {channel: "private-{room}", signed_in: true}`,
		answers: map[string]answerer{"authenticate": anybodyRemembered},
	}, 2, 2})
	alone(t, "C.2 page load", pageLoad, standalone{
		app: `
    policies:
      - {channel: "private-{room}", callback: true}`,
		callback: gathered,
		answers:  withAuthenticate(remembered, decisions(func(*world, question) (any, bool) { return allowIf(true), true })),
	})
	var withdrawn atomic.Bool
	alone(t, "C.3", func(t *testing.T, w *world) { permissionWithdrawn(t, w, &withdrawn) }, embedded{
		policies: withdrawable(&withdrawn),
	})
	var denied atomic.Bool
	remembering := standalone{
		app: `
    policies:
      - {channel: "private-doc.{id}", callback: true}`,
		answers: decisions(func(*world, question) (any, bool) {
			return map[string]any{"allow": !denied.Load(), "cache": 30}, true
		}),
	}
	for _, s := range []setup{remembering, nodes{remembering, 2, 1}} {
		alone(t, "C.3 remembered", func(t *testing.T, w *world) { rememberedYes(t, w, &denied) }, s)
	}
}

// gathered has a page's questions wait for each other, however slowly they arrive.
const gathered = "gather: 250ms"

// alone plays a scenario while no other is played.
func alone(t *testing.T, id string, play func(t *testing.T, w *world), s setup) {
	r := newRow(id, s.mode())
	t.Run(id+"/"+s.mode(), func(t *testing.T) {
		r.record(t)
		play(t, s.start(t))
	})
}

// slow is what every hook does for alice: it takes two seconds.
func slow(ctx context.Context, id authz.Identity) error {
	if id.ID != "7" {
		return nil
	}
	select {
	case <-time.After(2 * time.Second):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func slowPolicies(_ *world, rules *authz.Registry) {
	rules.HandleFunc("private-{room}", func(ctx context.Context, r authz.Request) (authz.Decision, error) {
		return authz.Allow(), slow(ctx, r.Identity)
	})
}

func slowHooksOfAlice(w *world, hub *channels.Hub) {
	hub.HandleMessage("ignore ctx", func(ctx context.Context, _ *channels.Socket, _ channels.Event) error {
		return w.gate("stuck").wait(context.WithoutCancel(ctx))
	})
	hub.OnSubscribed("private-{room}", func(ctx context.Context, sub *channels.Subscription, _ authz.Captures) ([]channels.Event, error) {
		return nil, slow(ctx, sub.Socket().Identity())
	})
	hub.Filter("private-{room}", func(ctx context.Context, e *channels.ClientEvent) (channels.Verdict, error) {
		return channels.Pass(), slow(ctx, e.Sender)
	})
	hub.HandleMessage("ask", func(ctx context.Context, s *channels.Socket, e channels.Event) error {
		if err := slow(ctx, s.Identity()); err != nil {
			return err
		}
		return s.Send(e)
	})
	hub.OnMessage(func(ctx context.Context, s *channels.Socket, _ string, _ channels.Event) { _ = slow(ctx, s.Identity()) })
}

// Hooks that are slow for one user cost that user, and nobody else.
func slowHooks(t *testing.T, w *world) {
	idle, rounds := 20, 20
	if *long {
		idle, rounds = 170, 200
	}
	bob, carol := w.client("9"), w.client("11")
	for _, c := range []*client{bob, carol} {
		c.subscribe("private-room")
	}
	for i := range idle {
		w.client([]string{"9", "11", "13"}[i%3]).subscribe("private-room")
	}
	raw := w.dial("/t/13", nil)
	room := 0
	measure := func() map[string]time.Duration {
		took := map[string][]time.Duration{}
		timed := func(what string, f func()) {
			began := time.Now()
			f()
			took[what] = append(took[what], time.Since(began))
		}
		for i := range rounds {
			room++
			timed("subscribe", func() { bob.subscribe(fmt.Sprint("private-room", room)) })
			timed("trigger", func() {
				w.trigger(fmt.Sprint("private-room", room), "changed", i)
				bob.until(fmt.Sprint("private-room", room), fmt.Sprint("changed ", i))
			})
			timed("client event", func() {
				bob.trigger("private-room", "client-x", room)
				carol.until("private-room", fmt.Sprint("client-x ", room))
			})
			timed("ping", func() {
				raw.Send("pusher:ping", "", map[string]any{})
				raw.Expect("pusher:pong", "")
			})
		}
		p99 := map[string]time.Duration{}
		for what, all := range took {
			slices.Sort(all)
			p99[what] = all[len(all)*99/100]
		}
		return p99
	}

	before := measure()
	var alices []*client
	for i := range 10 {
		alice := w.client("7")
		alices = append(alices, alice)
		for j := range 20 {
			alice.subscribing(fmt.Sprint("private-slow", i, "-", j))
			alice.message("ask", j)
		}
	}
	hers := w.dial("/t/7", nil)
	for i := range 20 {
		hers.Send("ask", "", i)
	}
	hers.Send("pusher:ping", "", map[string]any{})
	began := time.Now()
	if m := hers.Next(); m.Event != "pusher:pong" {
		t.Errorf("her ping was answered with %+v", m)
	}
	pong := time.Since(began)
	for _, alice := range alices {
		w.dial("/t/7", nil).Send("ignore ctx", "", alice.number)
	}
	stuck := func(want int) {
		t.Helper()
		for end := time.Now().Add(deadline); w.hub.HooksStuck() != want; {
			if time.Now().After(end) {
				t.Fatalf("%d hooks are stuck, want %d", w.hub.HooksStuck(), want)
			}
			<-time.After(10 * time.Millisecond)
		}
	}
	stuck(len(alices))
	during := measure()
	figure("C.1 %d hooks were stuck, in %d goroutines", w.hub.HooksStuck(), runtime.NumGoroutine())
	w.gate("stuck").open()
	stuck(0)
	for _, what := range []string{"subscribe", "trigger", "client event", "ping"} {
		figure("C.1 %s, p99: %v; beside a user whose hooks take 2 s: %v", what,
			before[what].Round(100*time.Microsecond), during[what].Round(100*time.Microsecond))
		if *long && during[what] > max(100*time.Millisecond, 3*before[what]) {
			t.Errorf("%s takes %v beside slow hooks, %v without", what, during[what], before[what])
		}
	}
	figure("C.1 her own ping was answered after %v", pong.Round(100*time.Microsecond))
	for _, alice := range alices {
		if state, _ := alice.state(); state != "connected" {
			t.Errorf("a client whose hooks are slow is %s", state)
		}
	}
}
