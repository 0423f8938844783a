package callback_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hark/authz"
	"hark/httpapi/callback"
)

var alice = authz.Identity{ID: "7", Tenant: "acme", Info: []byte(`{"name":"Ada"}`), Roles: []string{"editor"}, Attrs: map[string]string{"plan": "pro"}}

// What becomes of a client event.
func TestClientEvent(t *testing.T) {
	sent := callback.Event{Name: "client-typing", Data: `{"on":true}`}
	for _, tt := range []struct {
		name  string
		reply reply
		want  callback.Verdict
		fails bool
	}{
		{name: "pass", reply: reply{body: `{"verdict":"pass","x":1}`}, want: callback.Verdict{Action: callback.Pass}},
		{name: "drop", reply: reply{body: `{"verdict":"drop"}`}, want: callback.Verdict{Action: callback.Drop}},
		{name: "replace", reply: reply{body: `{"verdict":"replace","event":"client-b","data":"{\"a\":1}"}`},
			want: callback.Verdict{Action: callback.Replace, Event: callback.Event{Name: "client-b", Data: `{"a":1}`}}},
		{name: "replace by an object", reply: reply{body: `{"verdict":"replace","event":"client-b","data":{"a": 1}}`},
			want: callback.Verdict{Action: callback.Replace, Event: callback.Event{Name: "client-b", Data: `{"a": 1}`}}},
		{name: "replace the data", reply: reply{body: `{"verdict":"replace","data":null}`},
			want: callback.Verdict{Action: callback.Replace, Event: callback.Event{Name: "client-typing", Data: `null`}}},
		{name: "replace the name", reply: reply{body: `{"verdict":"replace","event":"client-b"}`},
			want: callback.Verdict{Action: callback.Replace, Event: callback.Event{Name: "client-b", Data: `{"on":true}`}}},
		{name: "reject", reply: reply{body: `{"verdict":"reject"}`}},
		{name: "reject, and say why", reply: reply{body: `{"verdict":"reject","code":4310,"message":"not now"}`},
			want: callback.Verdict{Code: 4310, Message: "not now"}},
		{name: "route", reply: reply{body: `{"verdict":"route","deliveries":[
			{"channel":"private-a","event":"a","data":"x","except":{"on":"private-b"}},{"channel":"private-b","event":"b","except":null}]}`},
			want: callback.Verdict{Action: callback.Route, Deliveries: []callback.Delivery{
				{Channel: "private-a", Event: callback.Event{Name: "a", Data: "x"}, Except: []byte(`{"on":"private-b"}`)},
				{Channel: "private-b", Event: callback.Event{Name: "b"}},
			}}},
		{name: "route nowhere", reply: reply{body: `{"verdict":"route"}`}, want: callback.Verdict{Action: callback.Route}},
		{name: "403", reply: reply{status: 403}},
		{name: "404", reply: reply{status: 404}},
		{name: "401", reply: reply{status: 401}},
		{name: "500", reply: reply{status: 500, body: `{"verdict":"pass"}`}, fails: true},
		{name: "204", reply: reply{status: 204}, fails: true},
		{name: "too late", reply: reply{after: 1001 * time.Millisecond, body: `{"verdict":"pass"}`}, fails: true},
		{name: "no verdict", reply: reply{body: `{}`}, fails: true},
		{name: "another verdict", reply: reply{body: `{"verdict":"allow"}`}, fails: true},
		{name: "another case", reply: reply{body: `{"verdict":"Pass"}`}, fails: true},
		{name: "true", reply: reply{body: `true`}, fails: true},
		{name: "a code that closes", reply: reply{body: `{"verdict":"reject","code":4009}`}, fails: true},
		{name: "a name that is empty", reply: reply{body: `{"verdict":"replace","event":""}`}, fails: true},
		{name: "a delivery without channel", reply: reply{body: `{"verdict":"route","deliveries":[{"event":"a"}]}`}, fails: true},
		{name: "a delivery without event", reply: reply{body: `{"verdict":"route","deliveries":[{"channel":"a"}]}`}, fails: true},
		{name: "a selector that is none", reply: reply{body: `{"verdict":"route","deliveries":[{"channel":"a","event":"a","except":"7"}]}`}, fails: true},
		{name: "101 deliveries", reply: reply{body: `{"verdict":"route","deliveries":[` + strings.Repeat(`{"channel":"a","event":"a"},`, 100) + `{"channel":"a","event":"a"}` + `]}`}, fails: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := answering(tt.reply)
			bubble(t, a, nil, func(t *testing.T, c *callback.Client) {
				got, err := c.ClientEvent(t.Context(), callback.ClientEvent{
					Socket: "1.1", Identity: alice, Channel: "private-a", Pattern: "private-{x}", Captures: authz.Captures{"x": "a"}, Event: sent,
				})
				if tt.fails != (err != nil) || err != nil && nameOf(err) != unavailable {
					t.Errorf("error %v", err)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("the verdict differs (-want +got):\n%s", diff)
				}
				wantQuestion(t, a, envelope{
					Kind: callback.KindClientEvent, Channel: "private-a", Pattern: "private-{x}", Params: map[string]string{"x": "a"},
					Event: "client-typing", Data: `{"on":true}`,
				})
			})
		})
	}
}

// What is answered to a message, and what a new subscriber sees first.
func TestEvents(t *testing.T) {
	for _, tt := range []struct {
		name  string
		reply reply
		want  []callback.Event
		err   string
	}{
		{name: "two", reply: reply{body: `{"events":[{"name":"a","data":"x"},{"name":"b","data":{"n":1},"y":0}],"z":0}`},
			want: []callback.Event{{Name: "a", Data: "x"}, {Name: "b", Data: `{"n":1}`}}},
		{name: "without data", reply: reply{body: `{"events":[{"name":"a"},{"name":"b","data":null},{"name":"c","data":"\u00fc"}]}`},
			want: []callback.Event{{Name: "a"}, {Name: "b", Data: "null"}, {Name: "c", Data: "ü"}}},
		{name: "none", reply: reply{body: `{"events":[]}`}, want: []callback.Event{}},
		{name: "403", reply: reply{status: 403}, err: authz.ErrDenied.Error()},
		{name: "404", reply: reply{status: 404}, err: authz.ErrDenied.Error()},
		{name: "401", reply: reply{status: 401}, err: unauthenticated},
		{name: "500", reply: reply{status: 500, body: `{"events":[]}`}, err: unavailable},
		{name: "204", reply: reply{status: 204}, err: unavailable},
		{name: "too late", reply: reply{after: 3001 * time.Millisecond, body: `{"events":[]}`}, err: unavailable},
		{name: "no events", reply: reply{body: `{}`}, err: unavailable},
		{name: "null", reply: reply{body: `{"events":null}`}, err: unavailable},
		{name: "an array", reply: reply{body: `[]`}, err: unavailable},
		{name: "one event", reply: reply{body: `{"events":{"name":"a"}}`}, err: unavailable},
		{name: "no name", reply: reply{body: `{"events":[{"name":"a"},{"data":"x"}]}`}, err: unavailable},
		{name: "a name of a wrong type", reply: reply{body: `{"events":[{"name":1}]}`}, err: unavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := answering(tt.reply)
			bubble(t, a, nil, func(t *testing.T, c *callback.Client) {
				check := func(got []callback.Event, err error) {
					t.Helper()
					if tt.err != "" && nameOf(err) != tt.err || tt.err == "" && err != nil {
						t.Errorf("error %v, want %q", err, tt.err)
					}
					if diff := cmp.Diff(tt.want, got); diff != "" {
						t.Errorf("events differ (-want +got):\n%s", diff)
					}
				}
				check(c.Message(t.Context(), callback.Message{Socket: "1.1", Identity: alice, Event: callback.Event{Name: "subscribe"}}))
				wantQuestion(t, a, envelope{Kind: callback.KindMessage, Event: "subscribe"})
				check(c.Subscribed(t.Context(), callback.Subscribed{
					Socket: "1.1", Identity: alice, Channel: "private-a", Pattern: "private-{x}", Captures: authz.Captures{"x": "a"},
				}))
				wantQuestion(t, a, envelope{Kind: callback.KindSubscribed, Channel: "private-a", Pattern: "private-{x}", Params: map[string]string{"x": "a"}})
			})
		})
	}
}

// Equal events are two all the same, and whoever leaves has left.
func TestHooksAreNotShared(t *testing.T) {
	a := answering(reply{after: time.Second, body: `{"events":[],"verdict":"pass"}`})
	bubble(t, a, nil, func(t *testing.T, c *callback.Client) {
		for range 2 {
			go c.ClientEvent(t.Context(), callback.ClientEvent{Socket: "1.1", Event: callback.Event{Name: "client-a"}})
			go c.Message(t.Context(), callback.Message{Socket: "1.1", Event: callback.Event{Name: "a"}})
			go c.Subscribed(t.Context(), callback.Subscribed{Socket: "1.1", Channel: "private-a"})
		}
		synctest.Wait()
		if n := len(a.asked()); n != 6 {
			t.Errorf("%d calls, want 6", n)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		began := time.Now()
		if _, err := c.Message(ctx, callback.Message{}); nameOf(err) != unavailable || time.Since(began) != 500*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

// wantQuestion checks the one question since the last time; who asks is the same everywhere.
func wantQuestion(t *testing.T, a *application, want envelope) {
	t.Helper()
	q := a.wantAsked(t, want.Kind)[0]
	q.ID, q.TimeMS = "", 0
	want.App, want.Socket = "1", "1.1"
	want.User = &user{ID: "7", Tenant: "acme", Roles: []string{"editor"}, Attrs: map[string]string{"plan": "pro"}}
	if diff := cmp.Diff(want, q.envelope); diff != "" {
		t.Errorf("the question differs (-want +got):\n%s", diff)
	}
	wantHeader(t, q, nil)
}
