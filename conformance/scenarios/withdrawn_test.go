package scenarios

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hark/authz"
	"hark/channels"
	"hark/conformance/internal/socket"
)

// withdrawable lets everybody onto documents, until that is withdrawn from alice.
func withdrawable(withdrawn *atomic.Bool) func(*world, *authz.Registry) {
	return func(w *world, rules *authz.Registry) {
		policy := func(ctx context.Context, r authz.Request) (authz.Decision, error) {
			if r.Identity.ID == "7" && withdrawn.Load() {
				return authz.Deny("withdrawn"), nil
			}
			if r.Captures["id"] == "slow" && r.Identity.ID == "7" {
				return authz.Allow(), w.gate("slow").wait(ctx)
			}
			return authz.Allow(), nil
		}
		rules.HandleFunc("private-doc.{id}", policy)
		rules.HandleFunc("presence-doc.{id}", policy)
		rules.Handle("private-inbox.{id}", authz.Owner("id"))
	}
}

// What is withdrawn ends at once, and does not come back by what was granted before.
func permissionWithdrawn(t *testing.T, w *world, withdrawn *atomic.Bool) {
	const private, presence, inbox, slow = "private-doc.1", "presence-doc.1", "private-inbox.7", "private-doc.slow"
	alice, bob := w.client("7"), w.client("9")
	bob.subscribe(private, presence, slow)
	alice.subscribe(private, presence, inbox)
	bob.sees(presence, `pusher:member_added {"id":"7","info":{"name":"alice"}}`)

	// A second connection keeps the signatures, as a client could that means harm, and one is about to be asked for.
	hers := w.dial("/t/7", nil)
	cached := w.authorize("7", hers.ID, private)
	subscribe := func(answer call) socket.Event {
		t.Helper()
		var data map[string]any
		if err := unmarshal(answer.body, &data); err != nil {
			t.Fatal(err)
		}
		data["channel"] = private
		hers.Send("pusher:subscribe", "", data)
		return hers.Next()
	}
	if m := subscribe(cached); m.Event != "pusher_internal:subscription_succeeded" {
		t.Fatalf("her second connection: %+v", m)
	}
	alice.subscribing(slow)
	w.reached(w.gate("slow"))

	withdrawn.Store(true)
	began := time.Now()
	if err := w.app.Revoke(t.Context(), channels.Users("7"), "private-doc.{x...}", "withdrawn"); err != nil {
		t.Fatal(err)
	}
	if err := w.app.Revoke(t.Context(), channels.Users("7"), "presence-doc.{x...}", "withdrawn"); err != nil {
		t.Fatal(err)
	}
	alice.refused(private, 403)
	alice.refused(presence, 403)
	bob.sees(presence, `pusher:member_removed {"id":"7","info":{"name":"alice"}}`)
	figure("C.3 a permission was gone everywhere %v after it was revoked", time.Since(began).Round(100*time.Microsecond))

	// She hears nothing, sends nothing, and what was signed before does not count any more.
	w.trigger(private, "changed", 1)
	bob.sees(private, "changed 1")
	alice.trigger(private, "client-x", 1)
	if h := alice.next("connection"); h.Event != "error" {
		t.Errorf("her client event was answered with %s", h)
	}
	w.nothingMore(private, bob)
	if m := hers.Next(); m.Event != "pusher:subscription_error" {
		t.Errorf("on her second connection came %+v, want pusher:subscription_error", m)
	}
	if m := subscribe(cached); m.Event != "pusher:error" {
		t.Errorf("a signature from before was answered with %+v", m)
	}
	if m := hers.Next(); m.Event != "pusher:subscription_error" {
		t.Errorf("a signature from before was answered with %+v", m)
	}

	// The yes that was under way comes too late.
	w.gate("slow").open()
	if h := alice.next(slow); h.Event != "pusher:subscription_error" {
		t.Errorf("a yes from before let her in: %s", h)
	}
	w.trigger(slow, "changed", 1)
	bob.sees(slow, "changed 1")

	// What is granted afterwards counts.
	withdrawn.Store(false)
	alice.unsubscribe(private)
	alice.subscribe(private)
	if m := subscribe(w.authorize("7", hers.ID, private)); m.Event != "pusher_internal:subscription_succeeded" {
		t.Errorf("a grant from afterwards was answered with %+v", m)
	}
	w.trigger(private, "changed", 2)
	alice.until(private, "changed 2")

	// Who has to come back is asked about everything; only what was lost is lost.
	withdrawn.Store(true)
	if err := w.app.Reauthenticate(t.Context(), channels.Users("7"), 0); err != nil {
		t.Fatal(err)
	}
	alice.until("connection", "connecting")
	alice.connected()
	alice.refused(private, 403)
	alice.until(inbox, succeeded+" {}")
	w.trigger(inbox, "mail", 1)
	alice.sees(inbox, "mail 1")
	w.trigger(private, "changed", 3)
	bob.until(private, "changed 3")
	w.nothingMore(inbox, alice)
	if heard := alice.heard(private); strings.Contains(heard, "changed 1") || strings.Contains(heard, "changed 3") {
		t.Errorf("without permission she heard:\n%s", heard)
	}
	if state, _ := bob.state(); state != "connected" || len(bob.all("connection")) != 1 {
		t.Errorf("somebody else's connection: %v", bob.all("connection"))
	}
}

// A yes that is remembered does not outlive its end, and a no is not remembered.
func rememberedYes(t *testing.T, w *world, denied *atomic.Bool) {
	const doc = "private-doc.1"
	asked := func(want int) {
		t.Helper()
		if n := w.cb.count(); n["authorize"]+n["authorize_many"] != want {
			t.Errorf("asked %s, want %d times who may", n, want)
		}
	}
	first, second, bob := w.client("7"), w.client("7"), w.client("9")
	bob.subscribe(doc)
	first.subscribe(doc)
	asked(2)
	second.subscribe(doc)
	asked(2)

	denied.Store(true)
	body := map[string]any{"to": map[string]any{"users": []string{"7"}}, "channels": doc, "reason": "withdrawn"}
	if r := w.control("revoke", body); r.Status != 200 {
		t.Fatalf("revoke: %+v", r)
	}
	first.refused(doc, 403)
	second.refused(doc, 403)
	second.unsubscribe(doc)
	second.subscribing(doc)
	second.refused(doc, 403)
	asked(3)
	denied.Store(false)
	second.subscribing(doc)
	if h := second.next(doc); h.Event != succeeded {
		t.Errorf("a no was remembered: %s", h)
	}
	asked(4)
	w.trigger(doc, "changed", 1)
	bob.sees(doc, "changed 1")
	second.sees(doc, "changed 1")
	if heard := first.heard(doc); strings.Contains(heard, "changed") {
		t.Errorf("without permission she heard:\n%s", heard)
	}
}
