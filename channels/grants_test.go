package channels_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hark/authz"
	"hark/channels"
	"hark/channels/hubtest"
)

// An app's own EndpointConfig makes an endpoint whose grants the app redeems, and looks
// at again when their time is over.
func TestEndpointConfig(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		policies := authz.NewRegistry()
		var asked atomic.Int32
		policies.HandleFunc("private-{x}", func(context.Context, authz.Request) (authz.Decision, error) {
			if asked.Add(1) > 1 {
				return authz.Deny("not any more"), nil
			}
			return authz.Allow().For(20 * time.Second), nil
		})
		h := hubtest.Start(t, hubtest.Delegated(policies, crew))
		endpoint, err := authz.NewEndpoint(mine(h).EndpointConfig())
		check(t, err)
		ada := hubtest.As(t, h, "a")
		form := url.Values{"socket_id": {string(ada.ID())}, "channel_name": {"private-x"}}
		r := httptest.NewRequest("POST", "/pusher/auth", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Authorization", "Bearer a")
		w := httptest.NewRecorder()
		if endpoint.ServeChannels(w, r); w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		ada.Subscribe("private-x")
		ada.Expect(succeeded("private-x"))
		if n := asked.Load(); n != 1 {
			t.Errorf("the policies were asked %d times, want once: what was granted is redeemed", n)
		}
		time.Sleep(30 * time.Second)
		ada.Expect(takenBack("private-x", "Not authorized to subscribe to private-x"))
	})
}

// An app that would never redeem a grant says so.
func TestKeepWithoutPolicies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hubtest.Start(t, hubtest.Config())
		c := hubtest.Connect(t, h)
		err := mine(h).Keep(t.Context(), c.ID(), "private-x", authz.Grant{})
		if !errors.Is(err, channels.ErrNoPolicies) || !strings.Contains(err.Error(), "AppConfig") {
			t.Errorf("Keep: %v, want ErrNoPolicies that says what to do", err)
		}
	})
}

// A signin that is refused has not shown that the connection may be here.
func TestRefusedSigninIsAStranger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := hubtest.Delegated(authz.NewRegistry(), crew)
		config.Apps[0].AuthorizeWithin = 10 * time.Second
		h := hubtest.Start(t, config)
		c := hubtest.Connect(t, h)
		grant(t, h, c, "", authz.Grant{Identity: authz.Identity{ID: "bob"}})
		c.Signin(`{"id":"ada"}`)
		if got := strings.Join(c.Take(), ""); !strings.Contains(got, "Not authorized to sign in as ada") {
			t.Fatalf("it heard %s", got)
		}
		time.Sleep(12 * time.Second)
		if code, _ := c.Closed(); code != 4009 {
			t.Errorf("closed with %d, want 4009", code)
		}
	})
}
