package callback_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hark/authz"
	"hark/httpapi/callback"
)

// In a bubble it is the beginning of 2000: 946684800 s.
func TestAuthenticate(t *testing.T) {
	const noon = 946684800 + 12*3600
	until := func(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }
	for _, tt := range []struct {
		name  string
		reply reply
		want  authz.Identity
		err   string
	}{
		{name: "a user", reply: reply{body: `{"user":{"id":"7","tenant":"acme","info":{"name":"Ada"},"roles":["editor"],"attrs":{"plan":"pro"},"x":1},"y":[]}`},
			want: authz.Identity{ID: "7", Tenant: "acme", Info: []byte(`{"name":"Ada"}`), Roles: []string{"editor"}, Attrs: map[string]string{"plan": "pro"}}},
		{name: "an id and nothing else", reply: reply{body: `{"user":{"id":"7","info":null}}`}, want: authz.Identity{ID: "7"}},
		{name: "a guest", reply: reply{body: `{"user":null}`}},
		{name: "with an end", reply: reply{body: `{"user":{"id":"7"},"expires_at":946728000}`}, want: authz.Identity{ID: "7", ExpiresAt: until(noon)}},
		{name: "with an end in the user", reply: reply{body: `{"user":{"id":"7","expires_at":946728000}}`}, want: authz.Identity{ID: "7", ExpiresAt: until(noon)}},
		{name: "with two ends", reply: reply{body: `{"user":{"id":"7","expires_at":946728001},"expires_at":946728000}`}, want: authz.Identity{ID: "7", ExpiresAt: until(noon)}},
		{name: "an end that is null", reply: reply{body: `{"user":{"id":"7"},"expires_at":null,"cache":null}`}, want: authz.Identity{ID: "7"}},
		{name: "ended", reply: reply{body: `{"user":{"id":"7"},"expires_at":946684800}`}, err: unauthenticated},
		{name: "an end of 0", reply: reply{body: `{"user":{"id":"7"},"expires_at":0}`}, err: unauthenticated},
		{name: "an end before 1970", reply: reply{body: `{"user":{"id":"7"},"expires_at":-1e300}`}, err: unauthenticated},
		{name: "an end in milliseconds", reply: reply{body: `{"user":{"id":"7"},"expires_at":1790000000000}`}, err: unavailable},
		{name: "an end in milliseconds in the user", reply: reply{body: `{"user":{"id":"7","expires_at":1790000000000}}`}, err: unavailable},
		{name: "an end that no number holds", reply: reply{body: `{"user":{"id":"7"},"expires_at":1e300}`}, err: unavailable},
		{name: "401", reply: reply{status: 401, body: `{"user":{"id":"7"}}`}, err: unauthenticated},
		{name: "403", reply: reply{status: 403}, err: authz.ErrDenied.Error()},
		{name: "404", reply: reply{status: 404}, err: unavailable},
		{name: "500", reply: reply{status: 500, body: `{"user":{"id":"7"}}`}, err: unavailable},
		{name: "201", reply: reply{status: 201, body: `{"user":{"id":"7"}}`}, err: unavailable},
		{name: "204", reply: reply{status: 204}, err: unavailable},
		{name: "302", reply: reply{status: 302}, err: unavailable},
		{name: "no connection", reply: reply{err: fmt.Errorf("no route to host")}, err: unavailable},
		{name: "too late", reply: reply{after: 3001 * time.Millisecond, body: `{"user":{"id":"7"}}`}, err: unavailable},
		{name: "just in time", reply: reply{after: 2999 * time.Millisecond, body: `{"user":{"id":"7"}}`}, want: authz.Identity{ID: "7"}},
		{name: "nothing", reply: reply{}, err: unavailable},
		{name: "a page", reply: reply{body: `<html>`}, err: unavailable},
		{name: "no user", reply: reply{body: `{"id":"7"}`}, err: unavailable},
		{name: "null", reply: reply{body: `null`}, err: unavailable},
		{name: "a user of a wrong type", reply: reply{body: `{"user":"7"}`}, err: unavailable},
		{name: "false for a guest", reply: reply{body: `{"user":false}`}, err: unavailable},
		{name: "a user without id", reply: reply{body: `{"user":{"tenant":"acme"}}`}, err: unavailable},
		{name: "an empty id", reply: reply{body: `{"user":{"id":""}}`}, err: unavailable},
		{name: "a number for an id", reply: reply{body: `{"user":{"id":7}}`}, err: unavailable},
		{name: "info is no object", reply: reply{body: `{"user":{"id":"7","info":"Ada"}}`}, err: unavailable},
		{name: "roles are no array", reply: reply{body: `{"user":{"id":"7","roles":"editor"}}`}, err: unavailable},
		{name: "a name twice", reply: reply{body: `{"user":{"id":"7"},"user":null}`}, err: unavailable},
		{name: "cache is no number", reply: reply{body: `{"user":{"id":"7"},"cache":true}`}, err: unavailable},
		{name: "cache is negative", reply: reply{body: `{"user":{"id":"7"},"cache":-1}`}, err: unavailable},
		{name: "more behind it", reply: reply{body: `{"user":{"id":"7"}}{}`}, err: unavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, answering(tt.reply), nil, func(t *testing.T, c *callback.Client) {
				got, err := c.Authenticator().Authenticate(t.Context(), from("Cookie", "sid=7"))
				got.ExpiresAt = got.ExpiresAt.UTC()
				if tt.err == "" && err != nil || tt.err != "" && nameOf(err) != tt.err {
					t.Fatalf("error %v, want %q", err, tt.err)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("the identity differs (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// 40 requests of one client at once are asked about once, six at a time seven times; those that differ in anything the
// application sees, each for itself.
func TestAuthenticateTogether(t *testing.T) {
	a := answering(reply{after: 50 * time.Millisecond, body: `{"user":{"id":"7"}}`})
	bubble(t, a, nil, func(t *testing.T, c *callback.Client) {
		authenticate := func(header ...string) {
			if id, err := c.Authenticator().Authenticate(t.Context(), from(header...)); id.ID != "7" || err != nil {
				t.Errorf("%v, %v", id, err)
			}
		}
		for range 40 {
			go authenticate("Cookie", "sid=7")
		}
		time.Sleep(time.Second)
		a.wantAsked(t, callback.KindAuthenticate)
		go authenticate("Cookie", "sid=7")
		go authenticate("Cookie", "sid=8")
		go authenticate("Authorization", "sid=7")
		go authenticate("Cookie", "sid=7", "Accept-Language", "de")
		go authenticate("Cookie", "sid=7", "Traceparent", "x") // not what one answers by
		go authenticate()
		time.Sleep(time.Second)
		if n := len(a.asked()); n != 5 {
			t.Errorf("%d calls, want 5", n)
		}
	})
}

// Who asks first and leaves takes nothing away from the others. What came of the call is known though nobody waits.
func TestFirstLeaves(t *testing.T) {
	a := answering(reply{after: time.Second, body: `{"user":{"id":"7"},"cache":30}`})
	bubble(t, a, nil, func(t *testing.T, c *callback.Client) {
		ctx, cancel := context.WithCancel(t.Context())
		errs := make(chan error, 2)
		ask := func(ctx context.Context) {
			_, err := c.Authenticator().Authenticate(ctx, from("Cookie", "sid=7"))
			errs <- err
		}
		go ask(ctx)
		synctest.Wait()
		go ask(t.Context())
		synctest.Wait()
		cancel()
		if err := <-errs; nameOf(err) != unavailable {
			t.Errorf("who left: %v", err)
		}
		if err := <-errs; err != nil {
			t.Errorf("who stayed: %v", err)
		}
		a.wantAsked(t, callback.KindAuthenticate)
		ask(t.Context())
		a.wantAsked(t)
	})
}
