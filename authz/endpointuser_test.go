package authz_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"hark/authz"
	"hark/protocol"
)

// What is answered signs the user in at a server.
func TestServeUsers(t *testing.T) {
	t.Parallel()
	verifier := authz.NewVerifier(authz.Keys{endpointKey})
	c := endpointConfig()
	plain := newEndpoint(t, c)
	c.UserInfo = func(_ context.Context, id authz.Identity) (any, error) {
		return map[string]string{"name": "user " + id.ID, "role": strings.Join(id.Roles, " ")}, nil
	}
	c.Watchlist = func(_ context.Context, id authz.Identity) ([]string, error) { return []string{"9", "10"}, nil }
	full := newEndpoint(t, c)
	for _, tt := range []struct {
		name, token, contentType, body string
		endpoint                       *authz.Endpoint
		want                           string
	}{
		{"form", "7", formType, "socket_id=1.2", plain, `{"id":"7","user_info":{"name":"Ada"}}`},
		{"json", "7", "application/json", `{"socket_id":"1.2","channel_name":null}`, plain, `{"id":"7","user_info":{"name":"Ada"}}`},
		{"no info", "9", formType, "socket_id=1.2&more=x", plain, `{"id":"9","user_info":{}}`},
		{"info and a watchlist", "7", formType, "socket_id=1.2", full,
			`{"id":"7","user_info":{"name":"user 7","role":"editor"},"watchlist":["9","10"]}`},
	} {
		w := send(tt.endpoint.ServeUsers, tt.token, tt.contentType, tt.body)
		checkAnswer(t, tt.name, w, 200, "…")
		var got struct {
			Auth     string `json:"auth"`
			UserData string `json:"user_data"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got, json.RejectUnknownMembers(true)); err != nil {
			t.Fatal(err)
		}
		if got.UserData != tt.want {
			t.Errorf("%s: user_data %s, want %s", tt.name, got.UserData, tt.want)
		}
		if err := verifier.VerifyUser("1.2", protocol.Signin{Auth: got.Auth, UserData: got.UserData}); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if _, told, err := protocol.ParseUser(got.UserData, protocol.Limits{}); told != nil || err != nil {
			t.Errorf("%s: a server says %v, %v", tt.name, told, err)
		}
	}
}

func TestServeUsersRefuses(t *testing.T) {
	t.Parallel()
	type config = authz.EndpointConfig
	infos := func(v any, err error) func(*config) {
		return func(c *config) {
			c.UserInfo = func(context.Context, authz.Identity) (any, error) { return v, err }
		}
	}
	watches := func(ids []string, err error) func(*config) {
		return func(c *config) {
			c.Watchlist = func(context.Context, authz.Identity) ([]string, error) { return ids, err }
		}
	}
	nothing := func(*config) {}
	for _, tt := range []struct {
		name, token string
		with        func(*config)
		status      int
		body        string
	}{
		{"a guest", "", nothing, 403, denied},
		{"a guest, of whom nobody asks more", "", infos(nil, errors.New("asked")), 403, denied},
		{"banned", "banned", nothing, 403, denied},
		{"wrong credentials", "wrong", nothing, 401, unauthenticated},
		{"an id that is none", "spaces", nothing, 503, unavailable},
		{"info that fails", "7", infos(nil, errors.New("down")), 503, unavailable},
		{"info that is gone", "7", infos(nil, authz.ErrDenied), 403, denied},
		{"info that is nil", "7", infos(nil, nil), 503, unavailable},
		{"info that is no JSON", "7", infos(func() {}, nil), 503, unavailable},
		{"info that is too big", "7", infos(map[string]string{"n": strings.Repeat("a", 1024)}, nil), 503, unavailable},
		{"a watchlist that fails", "7", watches(nil, errors.New("down")), 503, unavailable},
		{"a watchlist with nobody in it", "7", watches([]string{""}, nil), 503, unavailable},
		{"a watchlist that panics", "7", func(c *config) {
			c.Watchlist = func(context.Context, authz.Identity) ([]string, error) { panic("fell over") }
		}, 503, unavailable},
	} {
		c := endpointConfig()
		tt.with(&c)
		checkAnswer(t, tt.name, send(newEndpoint(t, c).ServeUsers, tt.token, formType, "socket_id=1.2"), tt.status, tt.body)
	}
	e := newEndpoint(t, endpointConfig())
	for _, body := range []string{"", "socket_id=", "socket_id=1", "socket_id=1.2&socket_id=1.2", "channel_name=private-x"} {
		checkAnswer(t, body, send(e.ServeUsers, "7", formType, body), 400, "…socket_id")
	}
}
