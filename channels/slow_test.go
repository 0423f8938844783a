package channels_test

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hark/authz"
	"hark/channels"
	"hark/channels/hubtest"
	"hark/protocol"
)

// back checks that as many goroutines run as before. Some that have just ended may
// be counted still.
func back(t *testing.T, before int) {
	t.Helper()
	if n := runtime.NumGoroutine(); n > before+5 {
		t.Errorf("%d goroutines, %d in the beginning", n, before)
	}
}

// everywhere registers every kind of hook: gate is asked who connects, and slow is
// called with the socket concerned.
func everywhere(w *world, gate func(*http.Request), slow func(context.Context, *channels.Socket)) {
	w.OnConnecting(func(_ context.Context, r *channels.ConnectRequest) (channels.Welcome, error) {
		gate(r.HTTP)
		return channels.Welcome{}, nil
	})
	w.OnConnected(func(ctx context.Context, s *channels.Socket) { slow(ctx, s) })
	w.OnDisconnected(func(ctx context.Context, s *channels.Socket, _ channels.End) { slow(ctx, s) })
	w.OnError(func(ctx context.Context, s *channels.Socket, _ error) { slow(ctx, s) })
	w.OnMessage(func(ctx context.Context, s *channels.Socket, _ string, _ channels.Event) { slow(ctx, s) })
	w.OnJoined("{x...}", func(ctx context.Context, sub *channels.Subscription, _ authz.Captures) { slow(ctx, sub.Socket()) })
	w.OnUnsubscribed("{x...}", func(ctx context.Context, sub *channels.Subscription, _ authz.Captures, _ channels.End) {
		slow(ctx, sub.Socket())
	})
	w.OnOccupied("{x...}", func(context.Context, channels.Place, authz.Captures) {})
	w.OnVacated("{x...}", func(context.Context, channels.Place, authz.Captures) {})
	w.OnMemberAdded("{x...}", func(context.Context, channels.Place, authz.Captures, protocol.Member) {})
	w.OnSubscribed("{x...}", func(ctx context.Context, sub *channels.Subscription, _ authz.Captures) ([]channels.Event, error) {
		slow(ctx, sub.Socket())
		return []channels.Event{{Name: "state"}}, nil
	})
	w.Filter("{x...}", func(ctx context.Context, e *channels.ClientEvent) (channels.Verdict, error) {
		slow(ctx, e.Socket)
		return channels.Pass(), nil
	})
	w.HandleMessage("m", func(ctx context.Context, s *channels.Socket, _ channels.Event) error {
		slow(ctx, s)
		return s.Send(channels.Event{Name: "done"})
	})
}

// 200 clients, and every hook is slow for one of them: that the others connect, and
// their subscribes, triggers, client events, messages and pings, takes no time at all,
// and its own pings are answered. At the end there are as many goroutines as in the beginning.
func TestSlowHooksHurtNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const pong = `{"event":"pusher:pong","data":"{}"}`
		w := newWorld(t, func(w *world) {
			everywhere(w, func(r *http.Request) {
				if r.Header.Get("Who") == "7" {
					time.Sleep(2 * time.Second)
				}
			}, func(_ context.Context, s *channels.Socket) {
				if s.Value("who") == 7 {
					time.Sleep(2 * time.Second)
				}
			})
		})
		synctest.Wait()
		before := runtime.NumGoroutine()
		all := make([]*hubtest.Client, 200)
		connect := func(i int) {
			r := hubtest.Request("")
			r.HTTP.Header.Set("Who", fmt.Sprint(i))
			all[i] = hubtest.Dial(t, w.Hub, r)
			all[i].Socket().SetValue("who", i)
		}
		start := time.Now()
		connected := make(chan struct{})
		go func() {
			defer close(connected)
			connect(7)
		}()
		synctest.Wait()
		for i := range all {
			if i != 7 {
				connect(i)
			}
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("to connect took %v", d)
		}
		<-connected
		start = time.Now()
		for i, c := range all {
			c.Subscribe("private-all")
			c.Subscribe(fmt.Sprintf("private-%d", i))
			c.Join("presence-all", fmt.Sprintf("user-%d", i%90))
			say(c, "m", `1`)
			c.Say(`{"event":"pusher:ping","data":{}}`)
			c.Say(`nonsense`)
		}
		synctest.Wait()
		for i, c := range all {
			send(c, "client-e", "private-all", fmt.Sprint(i))
		}
		w.trigger("private-all", "triggered")
		for i, c := range all {
			got := c.Take()
			text := strings.Join(got, "\n")
			if !strings.Contains(text, pong) {
				t.Errorf("client %d got no pong", i)
			}
			if i == 7 {
				continue
			}
			if n := strings.Count(text, `"event":"client-e"`); n != 198 {
				t.Errorf("client %d heard %d of 198 client events", i, n)
			}
			if strings.Count(text, `"event":"state"`) != 3 || !strings.Contains(text, "triggered") || !strings.Contains(text, `"done"`) {
				t.Errorf("client %d heard %.2000s", i, text)
			}
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("it took %v", d)
		}
		if n := w.HooksStuck(); n != 0 {
			t.Errorf("%d calls are stuck", n)
		}
		if n := runtime.NumGoroutine() - before; n > 200+50 {
			t.Errorf("%d goroutines for 200 clients, of which 200 are the clients' own", n)
		}
		time.Sleep(20 * time.Second)
		seven := strings.Join(all[7].Take(), "\n")
		if strings.Count(seven, `"event":"state"`) != 3 || strings.Count(seven, `"event":"client-e"`) != 199 || !strings.Contains(seven, `"done"`) {
			t.Errorf("client 7 heard %.2000s", seven)
		}
		for i, c := range all {
			if i != 7 && !strings.Contains(strings.Join(c.Take(), "\n"), event("client-e", "private-all", "7")) {
				t.Errorf("client %d did not hear client 7 in the end", i)
			}
			c.Hangup()
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		back(t, before)
	})
}

// Hooks that ignore the end of their time are counted, and for who has too many of
// them no more are called; others' are.
func TestHooksThatHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		w := newWorld(t, func(w *world) {
			w.Filter("{x...}", func(_ context.Context, e *channels.ClientEvent) (channels.Verdict, error) {
				if e.Socket.Value("who") == 7 {
					w.note("hangs")
					<-release
				}
				return channels.Pass(), nil
			})
		}, func(c *channels.Config) { c.Apps[0].Limits.ClientEvents = -1 })
		before := runtime.NumGoroutine()
		var names []string
		for i := range 40 {
			names = append(names, fmt.Sprintf("private-%d", i))
		}
		seven, other := w.on(names...), w.on(names...)
		seven.Socket().SetValue("who", 7)
		for _, name := range names {
			send(seven, "client-e", name, "")
		}
		for range 60 {
			time.Sleep(time.Second)
			seven.Say(`{"event":"pusher:pong","data":{}}`)
			other.Say(`{"event":"pusher:pong","data":{}}`)
		}
		if n, stuck := len(w.take()), w.HooksStuck(); n < 8 || n >= 16 || stuck != n {
			t.Errorf("%d calls were made and %d are stuck, want 8 and those that were under way beside the last of them", n, stuck)
		}
		if got := seven.Take(); len(got) != 40 || !strings.Contains(got[39], "could not be checked") {
			t.Errorf("%d of 40 client events were answered: %.500q", len(got), got)
		}
		if n := w.dropped(channels.DropFilter); n != 40 {
			t.Errorf("counted %d", n)
		}
		other.Take()
		start := time.Now()
		send(other, "client-e", names[0], "1")
		seven.Expect(event("client-e", names[0], "1"))
		if d := time.Since(start); d != 0 {
			t.Errorf("the other's event took %v", d)
		}
		close(release)
		synctest.Wait()
		if n := w.HooksStuck(); n != 0 {
			t.Errorf("%d calls are stuck when all have returned", n)
		}
		send(seven, "client-e", names[0], "2")
		other.Expect(event("client-e", names[0], "2"))
		seven.Hangup()
		other.Hangup()
		synctest.Wait()
		back(t, before)
	})
}

// However many calls hang for clients of one app, those for another's are made.
func TestHooksThatHangForAnApp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		w := newWorld(t, func(w *world) {
			w.HandleMessage("m", func(_ context.Context, s *channels.Socket, _ channels.Event) error {
				if s.App().ID() == hubtest.AppID {
					<-release
				}
				return s.Send(channels.Event{Name: "done"})
			})
		}, func(c *channels.Config) {
			c.Apps = append(c.Apps, channels.AppConfig{ID: "1002", Keys: authz.Keys{{Key: "other-key", Secret: "s"}}})
		})
		var all []*hubtest.Client
		for range 70 {
			c := hubtest.Connect(t, w.Hub)
			c.Say(`{"event":"m","data":""}`)
			all = append(all, c)
		}
		time.Sleep(4 * time.Second)
		if n := w.HooksStuck(); n != 70 {
			t.Errorf("%d calls are stuck, want 70", n)
		}
		for _, c := range all {
			c.Take()
		}
		all[0].Say(`{"event":"m","data":""}`)
		if got := strings.Join(all[0].Take(), ""); !strings.Contains(got, "could not be handled") {
			t.Errorf("a client of an app for which 70 calls hang heard %s", got)
		}
		request := hubtest.Request("")
		request.Key = "other-key"
		other := hubtest.Dial(t, w.Hub, request)
		other.Take()
		start := time.Now()
		other.Say(`{"event":"m","data":""}`)
		other.Expect(`{"event":"done","data":""}`)
		if d := time.Since(start); d != 0 {
			t.Errorf("the other app's message took %v", d)
		}
		close(release)
		for _, c := range append(all, other) {
			c.Hangup()
		}
	})
}

// However many gates and observers of one app hang, and however much waits for them,
// another app's clients are let in and its observers are told.
func TestAnAppThatHangsIsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var gate atomic.Bool // is closed for the first app
		w := newWorld(t, func(w *world) {
			w.OnConnecting(func(_ context.Context, r *channels.ConnectRequest) (channels.Welcome, error) {
				if r.Key == hubtest.Key && gate.Load() {
					<-release
				}
				return channels.Welcome{}, nil
			})
			w.OnMessage(func(_ context.Context, s *channels.Socket, _ string, e channels.Event) {
				if s.App().ID() == hubtest.AppID {
					<-release
				}
				w.note("%s", e.Data)
			})
			w.HandleMessage("m", func(context.Context, *channels.Socket, channels.Event) error { return nil })
		}, func(c *channels.Config) {
			c.Apps[0].Limits.ClientEvents = -1
			c.Apps = append(c.Apps, channels.AppConfig{ID: "1002", Keys: authz.Keys{{Key: "other-key", Secret: "s"}}})
			c.ObserverQueue, c.HeldUpgrades = 100, 70
		})
		var all []*hubtest.Client
		for range 70 {
			all = append(all, hubtest.Connect(t, w.Hub))
		}
		for _, c := range all {
			for range 3 {
				c.Say(`{"event":"m","data":"hangs"}`)
			}
		}
		gate.Store(true)
		for range 70 {
			w.Go(func() { hubtest.Dial(t, w.Hub, hubtest.Request("")) })
		}
		time.Sleep(4 * time.Second)
		if w.dropped(channels.DropObserver) == 0 {
			t.Error("nothing was too much for the queue")
		}
		start := time.Now()
		request := hubtest.Request("")
		request.Key = "other-key"
		other := hubtest.Dial(t, w.Hub, request)
		if other.Refused() != nil {
			t.Fatalf("the other app's client was refused: %v", other.Refused())
		}
		other.Say(`{"event":"m","data":"told"}`)
		w.expect("told")
		if d := time.Since(start); d != 0 {
			t.Errorf("it took %v", d)
		}
		gate.Store(false)
		close(release)
		for _, c := range append(all, other) {
			c.Hangup()
		}
	})
}
