package httpapi_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/go-json-experiment/json"

	"hark/authz"
	"hark/channels"
	"hark/channels/hubtest"
	"hark/httpapi"
)

// endpoint lets everybody who has a token on every channel, and is known by the app's id.
func endpoint(tb testing.TB, app string) *authz.Endpoint {
	tb.Helper()
	policies := authz.NewRegistry()
	policies.HandleFunc("{anything...}", func(_ context.Context, r authz.Request) (authz.Decision, error) {
		if r.HTTP.URL.Path == "/hark/pusher/auth" {
			return authz.Deny("the prefix is still there"), nil
		}
		return authz.SignedIn().Authorize(r.HTTP.Context(), r)
	})
	e, err := authz.NewEndpoint(authz.EndpointConfig{
		App: app, Key: authz.Key{Key: app + "-key", Secret: hubtest.Secret}, Policies: policies, Origins: []string{"https://app.example"},
		Authenticator: authz.AuthenticatorFunc(func(_ context.Context, r *http.Request) (authz.Identity, error) {
			return authz.Identity{ID: r.Header.Get("Authorization")}, nil
		}),
	})
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// authorize asks at a path, as user 7, for a channel.
func authorize(h http.Handler, path, socket, channel string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", path, strings.NewReader("socket_id="+socket+"&channel_name="+channel))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", "7")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// Endpoints are found at their paths, with a prefix or without, and answer every method themselves.
func TestAuthRoutes(t *testing.T) {
	hub, err := channels.New(config())
	if err != nil {
		t.Fatal(err)
	}
	h := httpapi.New(hub, httpapi.Config{PathPrefix: "/hark", Websocket: says("ws"), Demo: says("demo"), Auth: []httpapi.AuthRoute{
		{Endpoint: endpoint(t, "app")},
		{Channels: "/broadcasting/auth", Users: "/broadcasting/user-auth", Endpoint: endpoint(t, "other")},
	}})
	for _, tt := range []struct{ path, want string }{
		{"/pusher/auth", `{"auth":"app-key:`},
		{"/hark/pusher/auth", `{"auth":"app-key:`},
		{"/broadcasting/auth?app=app", `{"auth":"other-key:`},
		{"/pusher/user-auth", `"user_data":"{\"id\":\"7\"`},
		{"/hark/broadcasting/user-auth", `{"auth":"other-key:`},
		{"/pusher/auth/", "Unknown path"},
		{"/pusher", "Unknown path"},
		{"/hark/hark/pusher/auth", "Unknown path"},
	} {
		if w := authorize(h, tt.path, "1.2", "private-x"); !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s: %d %s, want %s", tt.path, w.Code, w.Body, tt.want)
		}
	}
	for method, want := range map[string]int{"GET": 405, "HEAD": 405, "PUT": 405, "DELETE": 405, "OPTIONS": 204} {
		w := get(h, method, "/pusher/auth", "Origin", "https://app.example")
		if w.Code != want || w.Header().Get("Access-Control-Allow-Origin") != "https://app.example" || w.Header().Get("Allow") != "POST, OPTIONS" {
			t.Errorf("%s: %d %v", method, w.Code, w.Header())
		}
	}
	if w := get(h, "GET", "/pusher/auth", "Connection", "Upgrade", "Upgrade", "websocket"); w.Body.String() != "ws" {
		t.Errorf("an upgrade: %q", w.Body)
	}
	if w := authorize(httpapi.New(hub, httpapi.Config{}), "/pusher/auth", "1.2", "private-x"); w.Code != 404 {
		t.Errorf("without an endpoint: %d", w.Code)
	}
}

// What cannot be served is said when the Handler is made.
func TestAuthRoutesClash(t *testing.T) {
	hub, err := channels.New(config())
	if err != nil {
		t.Fatal(err)
	}
	e := endpoint(t, "app")
	for _, tt := range []struct {
		name   string
		config httpapi.Config
		want   string
	}{
		{"no endpoint", httpapi.Config{Auth: []httpapi.AuthRoute{{}}}, "has no Endpoint"},
		{"two with default paths", httpapi.Config{Auth: []httpapi.AuthRoute{{Endpoint: e}, {Endpoint: e}}}, `"/pusher/auth" is there twice`},
		{"one path for both calls", httpapi.Config{Auth: []httpapi.AuthRoute{{Channels: "/auth", Users: "/auth", Endpoint: e}}}, `"/auth" is there twice`},
		{"the prefix", httpapi.Config{PathPrefix: "/hark/", Auth: []httpapi.AuthRoute{{Channels: "/hark/auth", Endpoint: e}}}, `name it "/auth"`},
		{"the prefix pusher", httpapi.Config{PathPrefix: "/pusher", Auth: []httpapi.AuthRoute{{Endpoint: e}}}, `name it "/auth"`},
		{"nothing but the prefix", httpapi.Config{PathPrefix: "/hark", Auth: []httpapi.AuthRoute{{Channels: "/hark", Endpoint: e}}}, "nothing is left"},
		{"the demo's", httpapi.Config{Demo: says("demo"), Auth: []httpapi.AuthRoute{{Users: "/demo/user-auth", Endpoint: e}}}, `clashes with "/demo`},
	} {
		checkPanics(t, tt.name, tt.want, func() { httpapi.New(hub, tt.config) })
	}
	for path, want := range map[string]string{
		"/":                 "clashes",
		"/apps/1001/events": "clashes",
		"/apps/auth":        "clashes",
		"/users/auth":       "clashes",
		"/up/auth":          "clashes",
		"/ready":            "clashes",
		"auth":              "must be like /pusher/auth",
		"/auth/":            "must be like /pusher/auth",
		"//auth":            "must be like /pusher/auth",
		"/auth/../x":        "must be like /pusher/auth",
		"/:app/auth":        "must be like /pusher/auth",
		"/auth/*all":        "must be like /pusher/auth",
		"/my auth":          "must be like /pusher/auth",
		"/auth?x=y":         "must be like /pusher/auth",
	} {
		checkPanics(t, path, want, func() {
			httpapi.New(hub, httpapi.Config{Auth: []httpapi.AuthRoute{{Channels: path, Endpoint: e}}})
		})
	}
	httpapi.New(hub, httpapi.Config{PathPrefix: "/push", Auth: []httpapi.AuthRoute{
		{Endpoint: e}, {Channels: "/demo/auth", Users: "/pusher/auth/users", Endpoint: e},
	}})
}

func checkPanics(t *testing.T, name, want string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if got := fmt.Sprint(recover()); !strings.Contains(got, want) {
			t.Errorf("%s: panic %q, want %q", name, got, want)
		}
	}()
	f()
}

// What an endpoint answers lets a socket of the hub in.
func TestAuthOpensChannels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := hubtest.Start(t, config())
		h := httpapi.New(hub, httpapi.Config{Auth: []httpapi.AuthRoute{{Endpoint: endpoint(t, "app")}}})
		c := hubtest.Connect(t, hub)
		c.Take()
		for _, channel := range []string{"private-x", "presence-x"} {
			w := authorize(h, "/pusher/auth", string(c.ID()), channel)
			var answer struct {
				Auth        string `json:"auth"`
				ChannelData string `json:"channel_data,omitzero"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != 200 {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			data, err := json.Marshal(answer)
			if err != nil {
				t.Fatal(err)
			}
			c.Say(`{"event":"pusher:subscribe","data":{"channel":%q,%s}`, channel, data[1:])
			if got := fmt.Sprint(c.Take()); !strings.Contains(got, "subscription_succeeded") {
				t.Errorf("%s: %s", channel, got)
			}
		}
		w := authorize(h, "/pusher/user-auth", string(c.ID()), "")
		c.Say(`{"event":"pusher:signin","data":%s}`, w.Body)
		if got := fmt.Sprint(c.Take()); !strings.Contains(got, "signin_success") {
			t.Errorf("signin: %s", got)
		}
	})
}
