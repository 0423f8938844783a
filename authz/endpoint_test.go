package authz_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"hark/authz"
	"hark/protocol"
)

var endpointKey = authz.Key{Key: "app-key", Secret: "app-secret"}

// bearer knows alice, who is 7 and an editor, and 9, of whom there is nothing to tell.
var bearer = authz.AuthenticatorFunc(func(ctx context.Context, r *http.Request) (authz.Identity, error) {
	switch token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "); token {
	case "":
		return authz.Identity{}, nil
	case "7":
		return authz.Identity{ID: "7", Info: jsontext.Value(`{"name":"Ada"}`), Roles: []string{"editor"}}, nil
	case "wrong":
		return authz.Identity{ID: "7"}, fmt.Errorf("%w: the token is forged", authz.ErrUnauthenticated)
	case "banned":
		return authz.Identity{ID: "7"}, fmt.Errorf("%w: banned for spam", authz.ErrDenied)
	case "broken":
		return authz.Identity{ID: "7"}, errors.New("the database is down")
	case "panic":
		panic("the authenticator fell over")
	case "slow":
		<-ctx.Done()
		return authz.Identity{ID: "7"}, ctx.Err()
	case "expired":
		return authz.Identity{ID: "7", ExpiresAt: time.Now()}, nil
	case "spaces":
		return authz.Identity{ID: "Ada Lovelace"}, nil
	case "long":
		return authz.Identity{ID: strings.Repeat("7", 129)}, nil
	case "longest":
		return authz.Identity{ID: strings.Repeat("7", 128)}, nil
	case "list":
		return authz.Identity{ID: "7", Info: jsontext.Value(`[1]`)}, nil
	case "half":
		return authz.Identity{ID: "7", Info: jsontext.Value(`{"name":`)}, nil
	case "big":
		return authz.Identity{ID: "7", Info: jsontext.Value(`{"name":"` + strings.Repeat("a", 1024) + `"}`)}, nil
	default:
		return authz.Identity{ID: token}, nil
	}
})

func policies() *authz.Registry {
	g := authz.NewRegistry()
	g.Handle("private-user={id}", authz.Owner("id"))
	g.Handle("private-doc.{type}.{name...}", authz.SignedIn())
	g.Handle("private-editors", authz.RoleIn("editor"))
	g.Handle("private-open", allow)
	g.Handle("private-encrypted-secret", allow)
	g.Handle("presence-room", authz.SignedIn())
	says := func(pattern string, d authz.Decision, err error) {
		g.HandleFunc(pattern, func(context.Context, authz.Request) (authz.Decision, error) { return d, err })
	}
	says("presence-cache-room", authz.Allow().WithInfo(map[string]string{"name": "someone"}), nil)
	says("presence-big", authz.Allow().WithInfo(map[string]string{"name": strings.Repeat("a", 1024)}), nil)
	says("private-denied", authz.Deny("it is Sunday"), nil)
	says("private-undecided", authz.NoOpinion(), nil)
	says("private-login", authz.Allow(), authz.ErrUnauthenticated)
	says("private-broken", authz.Allow(), errors.New("the database is down"))
	says("private-list", authz.Allow().WithInfo([]int{1}), nil)
	g.HandleFunc("private-panic", func(context.Context, authz.Request) (authz.Decision, error) { panic("the policy fell over") })
	g.HandleFunc("private-slow.{n}", func(ctx context.Context, _ authz.Request) (authz.Decision, error) {
		<-ctx.Done()
		return authz.Allow(), nil
	})
	return g
}

var allow = authz.PolicyFunc(func(context.Context, authz.Request) (authz.Decision, error) { return authz.Allow(), nil })

func endpointConfig() authz.EndpointConfig {
	return authz.EndpointConfig{
		App: "1", Key: endpointKey, Authenticator: bearer, Policies: policies(),
		MasterKey: authz.Secret(strings.Repeat("k", authz.MasterKeySize)),
		Origins:   []string{"https://app.example"},
	}
}

func newEndpoint(tb testing.TB, c authz.EndpointConfig) *authz.Endpoint {
	tb.Helper()
	e, err := authz.NewEndpoint(c)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

const formType = "application/x-www-form-urlencoded"

// form makes a body of names and values.
func form(pairs ...string) string {
	values := make([]string, 0, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		values = append(values, url.QueryEscape(pairs[i])+"="+url.QueryEscape(pairs[i+1]))
	}
	return strings.Join(values, "&")
}

// subscribe is the body that pusher-js sends.
func subscribe(channel string) string { return form("socket_id", "1.2", "channel_name", channel) }

// send sends a body as the bearer of a token.
func send(serve http.HandlerFunc, token, contentType, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/pusher/auth", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	serve(w, r)
	return w
}

const (
	unauthenticated = `{"error":"The credentials are wrong or have expired: sign in again"}`
	denied          = `{"error":"Not allowed: sign in as somebody who may"}`
	unavailable     = `{"error":"Could not be asked, try again"}`
)

// checkAnswer compares status and body, and what every answer has in common.
func checkAnswer(t *testing.T, name string, w *httptest.ResponseRecorder, status int, body string) {
	t.Helper()
	got, h := w.Body.String(), w.Header()
	if want, part := strings.CutPrefix(body, "…"); w.Code != status || part && !strings.Contains(got, want) || !part && got != body {
		t.Errorf("%s: %d %s, want %d %s", name, w.Code, got, status, body)
	}
	if h.Get("Content-Type") != "application/json" || h.Get("Cache-Control") != "no-store" || h.Get("Vary") != "Origin" ||
		h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%s: headers %v", name, h)
	}
	if (h.Get("Retry-After") != "") != (w.Code == http.StatusServiceUnavailable) {
		t.Errorf("%s: %d with Retry-After %q", name, w.Code, h.Get("Retry-After"))
	}
}

// Who may not join is told so, in words that say nothing of why; that is in the log.
func TestEndpointRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, token, channel string
		status               int
		body, log            string
	}{
		{"another's own channel", "9", "private-user=7", 403, denied, "not the user of {id}"},
		{"a guest on a user's channel", "", "private-user=7", 403, denied, "not the user of {id}"},
		{"the id is only a prefix", "7", "private-user=77", 403, denied, "not the user of {id}"},
		{"a denial", "7", "private-denied", 403, denied, "it is Sunday"},
		{"no opinion", "7", "private-undecided", 403, denied, "no policy allows it"},
		{"no such pattern", "7", "private-nosuch.1", 403, denied, "no policy is for private-nosuch.1"},
		{"the name of a method", "7", "private-handle=1", 403, denied, "no policy is for"},
		{"a policy for the other kind", "7", "private-room", 403, denied, "no policy is for"},
		{"a guest on a presence channel", "", "presence-room", 403, denied, "guests are on no presence channel"},
		{"a guest where there is no presence channel", "", "presence-nosuch", 403, denied, "guests are on no presence channel"},
		{"an encrypted channel that nobody opens", "7", "private-encrypted-other", 403, denied, "no policy is for"},
		{"banned", "banned", "private-open", 403, denied, "banned for spam"},
		{"wrong credentials", "wrong", "private-open", 401, unauthenticated, "the token is forged"},
		{"an expired identity", "expired", "private-open", 401, unauthenticated, "expired at"},
		{"a policy that finds the credentials wrong", "7", "private-login", 401, unauthenticated, "private-login"},
		{"an authenticator that fails", "broken", "private-open", 503, unavailable, "the database is down"},
		{"an authenticator that panics", "panic", "private-open", 503, unavailable, "the authenticator fell over"},
		{"a policy that fails", "7", "private-broken", 503, unavailable, "the database is down"},
		{"a policy that panics", "7", "private-panic", 503, unavailable, "the policy fell over"},
		{"a policy whose info is no object", "7", "private-list", 503, unavailable, "is not a JSON object"},
		{"a policy whose info is too big", "7", "presence-big", 503, unavailable, "user_info supplied"},
		{"an id that is none", "spaces", "private-open", 503, unavailable, "Ada Lovelace"},
		{"an id that is too long", "long", "private-open", 503, unavailable, "129 characters"},
		{"info that is no object", "list", "private-open", 503, unavailable, "not a JSON object"},
		{"info that is no JSON", "half", "private-open", 503, unavailable, "not a JSON object"},
		{"info that is too big", "big", "private-open", 503, unavailable, "may have 1024"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			c := endpointConfig()
			c.Logger = slog.New(slog.NewTextHandler(&log, nil))
			e := newEndpoint(t, c)
			checkAnswer(t, "form", send(e.ServeChannels, tt.token, formType, subscribe(tt.channel)), tt.status, tt.body)
			if got := log.String(); !strings.Contains(got, tt.log) || strings.Contains(got, "app-secret") {
				t.Errorf("log %q, want one with %q", got, tt.log)
			}
			body := fmt.Sprintf(`{"socket_id":"1.2","channel_name":%q,"more":[1]}`, tt.channel)
			checkAnswer(t, "json", send(e.ServeChannels, tt.token, "application/json; charset=utf-8", body), tt.status, tt.body)
		})
	}
}

// What is answered opens the channel at a server, and is what SDKs answer.
func TestEndpointGrants(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, endpointConfig())
	verifier := authz.NewVerifier(authz.Keys{endpointKey})
	for _, tt := range []struct {
		token, channel string
		data           string // channel_data
	}{
		{"7", "private-user=7", ""},
		{"7", "private-editors", ""},
		{"", "private-open", ""},
		{"longest", "private-open", ""},
		{"9", "private-doc.Sales;20Order.SO;2F1", ""},
		{"7", "private-encrypted-secret", ""},
		{"7", "presence-room", `{"user_id":"7","user_info":{"name":"Ada"}}`},
		{"9", "presence-room", `{"user_id":"9","user_info":{}}`},
		{"7", "presence-cache-room", `{"user_id":"7","user_info":{"name":"someone"}}`},
	} {
		for contentType, body := range map[string]string{
			formType:           subscribe(tt.channel),
			formType + ";x=y":  "&" + subscribe(tt.channel) + "&more=1&",
			"application/json": fmt.Sprintf(`{"channel_name":%q,"socket_id":"1.2"}`, tt.channel),
		} {
			w := send(e.ServeChannels, tt.token, contentType, body)
			var got map[string]string
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK {
				t.Errorf("%s asks with %s for %s: %d %s", tt.token, contentType, tt.channel, w.Code, w.Body)
				continue
			}
			want := map[string]string{"auth": endpointKey.ChannelAuth("1.2", tt.channel, tt.data, tt.data != "")}
			if tt.data != "" {
				want["channel_data"] = tt.data
			}
			if strings.HasPrefix(tt.channel, "private-encrypted-") {
				secret := authz.SharedSecret(authz.Secret(strings.Repeat("k", 32)), tt.channel)
				want["shared_secret"] = base64.StdEncoding.EncodeToString(secret[:])
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s on %s: %v, want %v", tt.token, tt.channel, got, want)
			}
			s := protocol.Subscribe{Channel: tt.channel, Auth: got["auth"], ChannelData: got["channel_data"], HasChannelData: tt.data != ""}
			if err := verifier.VerifyChannel("1.2", s); err != nil {
				t.Errorf("%s on %s: %v", tt.token, tt.channel, err)
			}
			if err := verifier.VerifyChannel("1.3", s); err == nil {
				t.Errorf("%s on %s: another socket gets in with it", tt.token, tt.channel)
			}
		}
	}
}

// The answer is the one that the official Go SDK gives.
func TestEndpointLikeSDK(t *testing.T) {
	t.Parallel()
	sdk := goSDK(string(endpointKey.Secret))
	sdk.Key = endpointKey.Key
	sdk.EncryptionMasterKeyBase64 = base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))
	e := newEndpoint(t, endpointConfig())
	for _, channel := range []string{"private-open", "private-encrypted-secret"} {
		want, err := sdk.AuthorizePrivateChannel([]byte(subscribe(channel)))
		if err != nil {
			t.Fatal(err)
		}
		sameJSON(t, channel, send(e.ServeChannels, "7", formType, subscribe(channel)), want)
	}
	want, err := sdk.AuthenticateUser([]byte("socket_id=1.2"), map[string]any{"id": "7", "user_info": map[string]string{"name": "Ada"}})
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, "user", send(e.ServeUsers, "7", formType, "socket_id=1.2"), want)
}

func sameJSON(t *testing.T, name string, w *httptest.ResponseRecorder, want []byte) {
	t.Helper()
	got, wanted := jsontext.Value(w.Body.Bytes()), jsontext.Value(want)
	if err := errors.Join(got.Canonicalize(), wanted.Canonicalize()); err != nil || string(got) != string(wanted) {
		t.Errorf("%s: %s, want %s (%v)", name, got, wanted, err)
	}
}

// Without an Authenticator everybody is a guest; without a master key encrypted channels are closed.
func TestEndpointWithLittle(t *testing.T) {
	t.Parallel()
	c := endpointConfig()
	c.Authenticator, c.MasterKey, c.Origins = nil, "", nil
	e := newEndpoint(t, c)
	checkAnswer(t, "open", send(e.ServeChannels, "7", formType, subscribe("private-open")), 200, `…{"auth":"app-key:`)
	checkAnswer(t, "a user's", send(e.ServeChannels, "7", formType, subscribe("private-user=7")), 403, denied)
	checkAnswer(t, "encrypted", send(e.ServeChannels, "7", formType, subscribe("private-encrypted-secret")), 403, `…want of a master key`)
	c.Policies = authz.NewRegistry()
	for _, channel := range []string{"private-open", "presence-room", "private-user=7"} {
		checkAnswer(t, channel, send(newEndpoint(t, c).ServeChannels, "7", formType, subscribe(channel)), 403, denied)
	}
}

func TestNewEndpoint(t *testing.T) {
	t.Parallel()
	all := authz.EndpointConfig{Key: authz.Key{Key: "a:b"}, MasterKey: "short", Timeout: -1, Origins: []string{
		"*", "null", "", "app.example", "https://", "https://app.example/", "https://app.example/path", "https://App.example",
		"HTTPS://app.example", "https://*.example", "https://münchen.example", "https://app.example:443", "http://app.example:80", "https://u@app.example", ":",
	}}
	e, err := authz.NewEndpoint(all)
	if e != nil || err == nil {
		t.Fatalf("NewEndpoint takes everything: %v", e)
	}
	for _, want := range append([]string{"App is", "has a colon", "has no secret", "Policies is nil", "MasterKey must be 32", "Timeout is"}, all.Origins...) {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q: %v", want, err)
		}
	}
	for _, origin := range all.Origins {
		c := endpointConfig()
		c.Origins = []string{origin}
		if _, err := authz.NewEndpoint(c); err == nil {
			t.Errorf("the origin %q is taken", origin)
		}
	}
	if _, err := authz.NewEndpoint(authz.EndpointConfig{}); err == nil || !strings.Contains(err.Error(), "Key has no name") {
		t.Errorf("the zero config: %v", err)
	}
	c := endpointConfig()
	c.Origins = []string{"https://app.example", "http://localhost:8080", "capacitor://localhost", "https://[::1]:8443"}
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		if got := fmt.Sprintf(verb, newEndpoint(t, c)); strings.Contains(got, "app-secret") || strings.Contains(got, "kkkk") {
			t.Errorf("%s shows a secret", verb)
		}
	}
}

// An Endpoint is asked by many at the same time.
func TestEndpointConcurrently(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, endpointConfig())
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			id := fmt.Sprint(i)
			if w := send(e.ServeChannels, id, formType, subscribe("private-user="+id)); w.Code != http.StatusOK {
				t.Errorf("user %s: %d %s", id, w.Code, w.Body)
			}
			if w := send(e.ServeChannels, id, formType, subscribe("private-user=x"+id)); w.Code != http.StatusForbidden {
				t.Errorf("user %s on another's: %d %s", id, w.Code, w.Body)
			}
		})
	}
	wg.Wait()
}
