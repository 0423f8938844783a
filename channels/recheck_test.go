package channels_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hark/channels"
	"hark/channels/hubtest"
)

func TestAppRecheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &authority{allowed: map[string]bool{"7": true, "9": true}}
		h := delegated(t, a)
		ada, bob := hubtest.As(t, h, "7"), hubtest.As(t, h, "9")
		for _, c := range []*hubtest.Client{ada, bob} {
			c.Subscribe("private-doc.1")
			c.Subscribe("private-else")
			c.Subscribe("news")
			c.Take()
		}
		a.asked = nil
		delete(a.allowed, "7")
		check(t, mine(h).Recheck(t.Context(), channels.Roles("editor"), "private-doc.{id}"))
		if got := len(ada.Take()); got != 1 || len(a.asked) != 2 || !strings.HasSuffix(a.asked[0], " recheck") {
			t.Errorf("ada heard %d messages, the policies %v", got, a.asked)
		}
		trigger(t, h, channels.Trigger{Name: "e", Data: "1", Channels: []string{"private-doc.1", "private-else"}})
		ada.Expect(event("e", "private-else", "1"))
		bob.Expect(event("e", "private-doc.1", "1"), event("e", "private-else", "1"))

		// She may come back when she is allowed again, with the same signature: it was
		// no revocation, the policies were asked.
		a.allowed["7"] = true
		ada.Subscribe("private-doc.1")
		ada.Expect(succeeded("private-doc.1"))

		// A grant from before is decided again.
		a.asked = nil
		granted(t, h, ada, "private-doc.3", func() {
			delete(a.allowed, "7")
			check(t, mine(h).Recheck(t.Context(), channels.Users("7"), "private-doc.3"))
		})
		ada.Expect(notAuthorized("private-doc.3")...)
		if got := fmt.Sprint(a.asked); got != "[7 join]" {
			t.Errorf("asked %s", got)
		}
	})
}

// A yes that was on its way is asked about again, too.
func TestRecheckDuringQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &authority{allowed: map[string]bool{"7": true}, slow: make(chan struct{})}
		h := delegated(t, a)
		ada := hubtest.As(t, h, "7")
		ada.Subscribe("private-doc.1")
		ada.Expect()
		delete(a.allowed, "7")
		check(t, mine(h).Recheck(t.Context(), channels.Users("7"), "private-doc.1"))
		close(a.slow)
		got := ada.Take()
		if last := got[len(got)-1]; last != takenBack("private-doc.1", "Not authorized to subscribe to private-doc.1") {
			t.Errorf("ada heard %q, and is on the channel", got)
		}
		if got := fmt.Sprint(a.asked); got != "[7 join 7 recheck]" {
			t.Errorf("asked %s", got)
		}
	})
}

// Who is away is asked again for a minute, and then it is a no.
func TestRecheckWhileAuthorityIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &authority{allowed: map[string]bool{"7": true, "9": true}}
		h := delegated(t, a)
		ada, bob := hubtest.As(t, h, "7"), hubtest.As(t, h, "9")
		for _, c := range []*hubtest.Client{ada, bob} {
			c.Subscribe("private-doc.1")
			c.Take()
		}
		a.down = true
		check(t, mine(h).Recheck(t.Context(), channels.Users("7"), "private-doc.1"))
		time.Sleep(50 * time.Second)
		for _, c := range []*hubtest.Client{ada, bob} {
			if got := strings.Join(c.Take(), ""); strings.Contains(got, "subscription_error") {
				t.Errorf("the subscription has ended: %s", got)
			}
		}
		time.Sleep(20 * time.Second)
		if got := strings.Join(ada.Take(), ""); !strings.Contains(got, "subscription_error") {
			t.Errorf("after a minute the subscription is still there: %s", got)
		}
		if got := strings.Join(bob.Take(), ""); strings.Contains(got, "subscription_error") {
			t.Errorf("bob's has ended, who was not asked about: %s", got)
		}
	})
}

// An authority is asked about so many at the same time, and about all in the end.
func TestRecheckMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &authority{allowed: map[string]bool{"7": true}}
		h := delegated(t, a)
		clients := make([]*hubtest.Client, 150)
		for i := range clients {
			clients[i] = hubtest.As(t, h, "7")
			clients[i].Subscribe("private-doc.1")
			clients[i].Take()
		}
		a.slow, a.asked = make(chan struct{}), nil
		clear(a.allowed)
		check(t, mine(h).Recheck(t.Context(), channels.Everyone(), "private-doc.1"))
		check(t, mine(h).Recheck(t.Context(), channels.Everyone(), "private-doc.1")) // they wait already
		synctest.Wait()
		if len(a.asked) != 64 {
			t.Errorf("asked about %d at the same time", len(a.asked))
		}
		close(a.slow)
		for i, c := range clients {
			if got := c.Take(); len(got) != 1 || !strings.Contains(got[0], "subscription_error") {
				t.Fatalf("client %d heard %q", i, got)
			}
		}
	})
}

// What was remembered is forgotten before it is asked for again.
func TestInvalidate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &authority{remembered: map[string]bool{}}
		h := delegated(t, a)
		ada, bob := hubtest.As(t, h, "7"), hubtest.As(t, h, "9")
		start := func() {
			a.allowed = map[string]bool{"7": true, "9": true}
			for _, c := range []*hubtest.Client{ada, bob} {
				c.Unsubscribe("private-doc.1")
				c.Subscribe("private-doc.1")
				c.Expect(succeeded("private-doc.1"))
			}
			clear(a.allowed)
		}
		for name, tt := range map[string]struct {
			f    func() error
			left string
		}{
			"invalidate": {func() error { return mine(h).Invalidate(t.Context(), "7") }, "map[9:true]"},
			"everybody":  {func() error { return mine(h).Invalidate(t.Context(), "") }, "map[]"},
			"recheck": {func() error {
				return mine(h).Recheck(t.Context(), channels.On("private-doc.1").And(channels.Users("7")), "private-{x...}")
			}, "map[9:true]"},
			"recheck, whoever it is": {func() error { return mine(h).Recheck(t.Context(), channels.Roles("admin"), "private-{x...}") }, "map[]"},
			"revoke":                 {func() error { return mine(h).Revoke(t.Context(), channels.Users("7"), "private-nothing", "") }, "map[9:true]"},
			"reauthenticate":         {func() error { return mine(h).Reauthenticate(t.Context(), channels.Users("11"), 0) }, "map[7:true 9:true]"},
			"broadcast": {func() error {
				return mine(h).Broadcast(t.Context(), channels.Everyone(), channels.Event{Name: "e"})
			}, "map[7:true 9:true]"},
		} {
			start()
			check(t, tt.f())
			if got := fmt.Sprint(a.remembered); got != tt.left {
				t.Errorf("%s: remembered %s, want %s", name, got, tt.left)
			}
			ada.Take()
			bob.Take()
		}
	})
}
