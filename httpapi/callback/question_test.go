package callback_test

import (
	"bytes"
	"context"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	pusher "github.com/pusher/pusher-http-go/v5"

	"hark/authz"
	"hark/httpapi/callback"
)

// Asked of a document with an id that a name cannot hold as it is: what the application sees.
func TestQuestion(t *testing.T) {
	a := answering(reply{body: `{"allow":true}`})
	bubble(t, a, nil, func(t *testing.T, c *callback.Client) {
		policies := authz.NewRegistry()
		policies.Handle("private-doc.{dt}.{name...}", c.Policy())
		_, err := policies.Decide(t.Context(), authz.Request{
			App: "1", Channel: "private-doc.Sales;20Order.SO;2F1", Socket: "123.456",
			Identity: authz.Identity{ID: "7", Tenant: "acme", Roles: []string{"editor"}, Info: []byte(`{"name":"Ada"}`)},
			HTTP: from("Authorization", "Bearer x", "Accept-Language", "de", "X-Other", "secret",
				"Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
		})
		if err != nil {
			t.Fatal(err)
		}
		q := a.wantAsked(t, callback.KindAuthorize)[0]
		id := q.ID
		if len(id) < 20 || q.TimeMS != time.Now().UnixMilli() {
			t.Errorf("id %q, time_ms %d; want one that nobody guesses, and now: %d", id, q.TimeMS, time.Now().UnixMilli())
		}
		q.ID, q.TimeMS = "", 0
		want := envelope{
			App: "1", Kind: callback.KindAuthorize, Socket: "123.456", Channel: "private-doc.Sales;20Order.SO;2F1",
			Pattern: "private-doc.{dt}.{name...}", Params: map[string]string{"dt": "Sales Order", "name": "SO/1"}, Cause: "join",
			User: &user{ID: "7", Tenant: "acme", Roles: []string{"editor"}, Attrs: map[string]string{}},
		}
		if diff := cmp.Diff(want, q.envelope); diff != "" {
			t.Errorf("the question differs (-want +got):\n%s", diff)
		}
		wantHeader(t, q, map[string]string{
			"Authorization": "Bearer x", "Accept-Language": "de", "X-Forwarded-For": "198.51.100.7",
			"Traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		})
		verify(t, q)
	})
}

// Nothing of a client is there when a live subscription is looked at again. A guest is null.
func TestQuestionWithoutRequest(t *testing.T) {
	a := answering(reply{body: `{"allow":true}`})
	bubble(t, a, nil, func(t *testing.T, c *callback.Client) {
		decide(t.Context(), c, authz.Request{App: "1", Channel: "private-a", Pattern: "private-a", Cause: authz.Recheck, Captures: authz.Captures{}})
		q := a.wantAsked(t, callback.KindAuthorize)[0]
		wantHeader(t, q, nil)
		if q.Cause != "recheck" || q.User != nil || q.Params == nil || !bytes.Contains(q.body, []byte(`"user":null`)) {
			t.Errorf("the question is %s", q.body)
		}
	})
}

// Authorization wins over a Cookie, whoever that is of. What is not on the list is not sent.
func TestForwarded(t *testing.T) {
	const bearer, cookie, both = "Authorization", "Cookie", "both"
	for _, tt := range []struct {
		name    string
		headers []string
		request *http.Request
		want    map[string]string
	}{
		{"a token", nil, from(bearer, "Bearer 7"), map[string]string{bearer: "Bearer 7"}},
		{"a cookie", nil, from(cookie, "sid=7"), map[string]string{cookie: "sid=7"}},
		{both, nil, from(bearer, "Bearer 7", cookie, "sid=9"), map[string]string{bearer: "Bearer 7"}},
		{"an empty token", nil, from(bearer, " ", cookie, "sid=9"), map[string]string{cookie: "sid=9"}},
		{"both, only cookies wanted", []string{"cookie"}, from(bearer, "Bearer 7", cookie, "sid=9"), map[string]string{cookie: "sid=9"}},
		{"both, none wanted", []string{}, from(bearer, "Bearer 7", cookie, "sid=9"), nil},
		{"neither", nil, from("X-Api-Key", "7"), nil},
		{"another", []string{"x-api-key"}, from("X-Api-Key", "7"), map[string]string{"X-Api-Key": "7"}},
		{"a proxy's address", []string{"X-Forwarded-For"}, from("X-Forwarded-For", "203.0.113.1"), map[string]string{"X-Forwarded-For": "203.0.113.1"}},
		{"a forged address", nil, from("X-Forwarded-For", "203.0.113.1"), nil},
		{"its own user agent", []string{"User-Agent"}, from("User-Agent", "Firefox"), map[string]string{"User-Agent": "Firefox"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := answering(reply{body: `{"user":null}`})
			c := newClient(t, a, func(c *callback.Config) { c.Headers = tt.headers })
			if _, err := c.Authenticator().Authenticate(t.Context(), tt.request); err != nil {
				t.Fatal(err)
			}
			want := map[string]string{"X-Forwarded-For": "198.51.100.7"}
			maps.Copy(want, tt.want)
			wantHeader(t, a.wantAsked(t, callback.KindAuthenticate)[0], want)
		})
	}
}

// What a path, and what a request for an upgrade look like to the application.
func TestAuthenticateSays(t *testing.T) {
	a := answering(reply{body: `{"user":null}`})
	c := newClient(t, a, nil)
	upgrade := from("Upgrade", "WebSocket")
	upgrade.URL.Path, upgrade.URL.RawPath, upgrade.URL.RawQuery = "/t/a b\xff/app/app-key", "", "protocol=7"
	for _, r := range []*http.Request{upgrade, from()} {
		if _, err := c.Authenticator().Authenticate(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	calls := a.wantAsked(t, callback.KindAuthenticate, callback.KindAuthenticate)
	if q := calls[0]; q.For != "upgrade" || q.Path != "/t/a%20b%FF/app/app-key" {
		t.Errorf("an upgrade: %s", q.body)
	}
	if q := calls[1]; q.For != "auth" || q.Path != "/pusher/auth" {
		t.Errorf("the auth endpoint: %s", q.body)
	}
}

// Every kind is signed as the official libraries verify it, and no two questions have the same id.
func TestSignature(t *testing.T) {
	a := answering(reply{status: 403})
	bubble(t, a, nil, func(t *testing.T, c *callback.Client) {
		ctx := t.Context()
		c.Authenticator().Authenticate(ctx, from("Cookie", "a=1"))
		all(t, c, join("1.1", "7", "private-a"))
		all(t, c, join("1.1", "7", "private-encrypted-a"), join("1.1", "7", "presence-b"))
		c.ClientEvent(ctx, callback.ClientEvent{Channel: "private-a", Event: callback.Event{Name: "client-a", Data: "ü\xff"}})
		c.Message(ctx, callback.Message{Event: callback.Event{Name: "a", Data: "{}"}})
		c.Subscribed(ctx, callback.Subscribed{Channel: "private-a"})
		ids := make(map[string]bool)
		for _, q := range a.wantAsked(t, callback.KindAuthenticate, callback.KindAuthorize, callback.KindAuthorizeMany,
			callback.KindClientEvent, callback.KindMessage, callback.KindSubscribed) {
			verify(t, q)
			ids[q.ID] = true
		}
		if len(ids) != 6 {
			t.Errorf("6 questions have the ids %q", slices.Sorted(maps.Keys(ids)))
		}
	})
}

// verify checks a question as an application does, with the official library.
func verify(t *testing.T, q call) {
	t.Helper()
	library := pusher.Client{Key: key.Key, Secret: string(key.Secret)}
	webhook, err := library.Webhook(q.header, q.body)
	if err != nil || int64(webhook.TimeMs) != q.TimeMS && q.TimeMS != 0 {
		t.Errorf("%s: the library says %v, %v", q.Kind, webhook, err)
	}
	if got := q.header.Get("Hark-Callback"); got != string(q.Kind) || q.header.Get("Content-Type") != "application/json" {
		t.Errorf("%s: Hark-Callback is %q, Content-Type %q", q.Kind, got, q.header.Get("Content-Type"))
	}
	library.Secret = "another"
	if _, err := library.Webhook(q.header, q.body); err == nil {
		t.Errorf("%s: the library takes any secret", q.Kind)
	}
}

// wantHeader checks what is sent besides what every question has.
func wantHeader(t *testing.T, q call, want map[string]string) {
	t.Helper()
	got := make(map[string]string)
	for name, values := range q.header {
		if len(values) > 0 {
			got[name] = values[0]
		}
	}
	for _, name := range []string{"Content-Type", "Hark-Callback", "X-Pusher-Key", "X-Pusher-Signature"} {
		if got[name] == "" {
			t.Errorf("no %s", name)
		}
		delete(got, name)
	}
	if got["User-Agent"] == "hark" {
		delete(got, "User-Agent")
	}
	if want == nil {
		want = map[string]string{}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("headers differ (-want +got):\n%s", diff)
	}
}

// A name that cannot be said in JSON is not on any list of the application's: it is not asked, and the others are.
func TestCaptureIsNotUTF8(t *testing.T) {
	a := &application{answer: allowAll(0, "")}
	bubble(t, a, nil, func(t *testing.T, c *callback.Client) {
		policies := authz.NewRegistry()
		policies.Handle("private-doc.{id}", c.Policy())
		_, err := policies.Decide(context.Background(), authz.Request{Channel: "private-doc.;FF", Identity: authz.Identity{ID: "7"}})
		if nameOf(err) != authz.ErrDenied.Error() {
			t.Errorf("%v, want denied", err)
		}
		a.wantAsked(t)
	})
}
