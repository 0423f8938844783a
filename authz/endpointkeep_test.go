package authz_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hark/authz"
	"hark/protocol"
)

// A notebook notes in what order things happen. It is a Keeper in which something is revoked between any two notes.
type notebook struct {
	mu    sync.Mutex
	notes []string
	err   error // of Keep
}

func (n *notebook) note(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.notes = append(n.notes, fmt.Sprintf(format, args...))
}

func (n *notebook) Moment() uint64 {
	n.note("moment")
	n.mu.Lock()
	defer n.mu.Unlock()
	return uint64(len(n.notes))
}

func (n *notebook) Keep(ctx context.Context, id protocol.SocketID, channel string, g authz.Grant) error {
	n.note("keep for %s on %q: %s %s %v %d", id, channel, g.Identity.ID, g.Info, g.TTL, g.Moment)
	return n.err
}

// watched returns an Endpoint whose every step is noted.
func (n *notebook) watched(t *testing.T, c authz.EndpointConfig) *authz.Endpoint {
	c.Keeper = n
	c.Authenticator = authz.AuthenticatorFunc(func(ctx context.Context, r *http.Request) (authz.Identity, error) {
		n.note("authenticate")
		return bearer(ctx, r)
	})
	c.Policies = policies()
	c.Policies.HandleFunc("{name...}", func(_ context.Context, r authz.Request) (authz.Decision, error) {
		n.note("authorize %s", r.Channel)
		return authz.Allow().For(time.Minute), nil
	})
	c.UserInfo = func(_ context.Context, id authz.Identity) (any, error) {
		n.note("info of %s", id.ID)
		return map[string]string{"name": "Ada L."}, nil
	}
	return newEndpoint(t, c)
}

// written notes when the answer begins.
type written struct {
	*httptest.ResponseRecorder
	*notebook
}

func (w written) WriteHeader(status int) {
	w.note("answer %d", status)
	w.ResponseRecorder.WriteHeader(status)
}

// The moment of a grant is before anybody was asked, and it is kept before it is answered: a subscribe that follows the
// answer finds it, a revocation that came in between has precedence.
func TestGrantsAreKept(t *testing.T) {
	t.Parallel()
	const info = `{"name":"Ada"}`
	for _, tt := range []struct {
		name, token, body string
		users             bool
		err               error
		want              []string
	}{
		{"a channel", "7", subscribe("private-x"), false, nil, []string{
			"moment", "authenticate", "authorize private-x", `keep for 1.2 on "private-x": 7 ` + info + " 1m0s 1", "answer 200"}},
		{"what a policy says of the member", "7", subscribe("presence-cache-room"), false, nil, []string{
			"moment", "authenticate", "authorize presence-cache-room", `keep for 1.2 on "presence-cache-room": 7 {"name":"someone"} 1m0s 1`, "answer 200"}},
		{"a guest's", "", subscribe("private-x"), false, nil, []string{
			"moment", "authenticate", "authorize private-x", `keep for 1.2 on "private-x":  null 1m0s 1`, "answer 200"}},
		{"not kept, and answered all the same", "7", subscribe("private-x"), false, errors.New("the store is down"), []string{
			"moment", "authenticate", "authorize private-x", `keep for 1.2 on "private-x": 7 ` + info + " 1m0s 1", "answer 200"}},
		{"a user", "7", "socket_id=1.2", true, nil, []string{
			"moment", "authenticate", "info of 7", `keep for 1.2 on "": 7 {"name":"Ada L."} 0s 1`, "answer 200"}},
		{"several channels", "7", "socket_id=1.2&channel_name[]=private-a&channel_name[]=private-denied", false, nil, []string{
			"moment", "authenticate", "authorize private-a", "authorize private-denied", `keep for 1.2 on "private-a": 7 ` + info + " 1m0s 1", "answer 200"}},
		{"a denial", "7", subscribe("private-denied"), false, nil, []string{
			"moment", "authenticate", "authorize private-denied", "answer 403"}},
		{"nobody known", "wrong", subscribe("private-x"), false, nil, []string{"moment", "authenticate", "answer 401"}},
		{"a guest who signs in", "", "socket_id=1.2", true, nil, []string{"moment", "authenticate", "answer 403"}},
		{"what cannot be a member", "7", subscribe("presence-big"), false, nil, []string{
			"moment", "authenticate", "authorize presence-big", "answer 503"}},
		{"malformed", "7", "socket_id=1", false, nil, []string{"answer 400"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := &notebook{err: tt.err}
			var log bytes.Buffer
			c := endpointConfig()
			c.Logger = slog.New(slog.NewTextHandler(&log, nil))
			e := n.watched(t, c)
			r := httptest.NewRequest("POST", "/", strings.NewReader(tt.body))
			r.Header.Set("Content-Type", formType)
			if tt.token != "" {
				r.Header.Set("Authorization", "Bearer "+tt.token)
			}
			serve := e.ServeChannels
			if tt.users {
				serve = e.ServeUsers
			}
			serve(written{httptest.NewRecorder(), n}, r)
			if tt.name == "several channels" {
				slices.Sort(n.notes[2:5]) // these happen at the same time
			}
			if !slices.Equal(n.notes, tt.want) {
				t.Errorf("happened:\n%s\nwant:\n%s", strings.Join(n.notes, "\n"), strings.Join(tt.want, "\n"))
			}
			if tt.err != nil && !strings.Contains(log.String(), tt.err.Error()) {
				t.Errorf("not logged: %q", log.String())
			}
		})
	}
}

// No answer takes longer than it may, whoever hangs.
func TestEndpointTimeout(t *testing.T) {
	t.Parallel()
	type config = authz.EndpointConfig
	hang := make(chan struct{})
	hanging := authz.AuthenticatorFunc(func(context.Context, *http.Request) (authz.Identity, error) {
		<-hang // it does not look at its context
		return authz.Identity{ID: "7"}, nil
	})
	for _, tt := range []struct {
		name, token, channel string
		with                 func(*config)
		after                time.Duration
	}{
		{"a slow authenticator", "slow", "private-open", func(*config) {}, authz.HookTimeout},
		{"one that does not look at its context", "7", "private-open", func(c *config) { c.Authenticator = hanging }, authz.HookTimeout},
		{"a slow policy", "7", "private-slow.1", func(*config) {}, authz.HookTimeout},
		{"less time", "7", "private-slow.1", func(c *config) { c.Timeout = time.Second }, time.Second},
		{"more time, though not for one policy", "7", "private-slow.1", func(c *config) { c.Timeout = time.Minute }, authz.HookTimeout},
		{"more time for the authenticator", "slow", "private-open", func(c *config) { c.Timeout = time.Minute }, time.Minute},
		{"what two take together", "7", "private-slow.1", func(c *config) {
			c.Authenticator = authz.AuthenticatorFunc(func(context.Context, *http.Request) (authz.Identity, error) {
				time.Sleep(2 * time.Second)
				return authz.Identity{ID: "7"}, nil
			})
		}, authz.HookTimeout},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hang = make(chan struct{})
				defer close(hang)
				c := endpointConfig()
				tt.with(&c)
				start := time.Now()
				w := send(newEndpoint(t, c).ServeChannels, tt.token, formType, subscribe(tt.channel))
				checkAnswer(t, tt.name, w, 503, unavailable)
				if took := time.Since(start); took != tt.after {
					t.Errorf("answered after %v, want %v", took, tt.after)
				}
			})
		})
	}
}

// Of many channels a slow one holds up none but those that have to wait for it: 1,000 are answered in time, and the
// policies are asked about no more than half of what may be stuck at one time.
func TestManyTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		now, most, asked := 0, 0, 0
		c := endpointConfig()
		c.Policies.HandleFunc("private-hang.{n}", func(ctx context.Context, _ authz.Request) (authz.Decision, error) {
			mu.Lock()
			asked++
			now++
			most = max(most, now)
			mu.Unlock()
			<-ctx.Done()
			mu.Lock()
			now--
			mu.Unlock()
			return authz.Allow(), nil
		})
		body := "socket_id=1.2"
		for i := range 1000 {
			body += fmt.Sprintf("&channel_name[%d]=private-hang.%d", i, i)
		}
		c.Timeout = time.Second
		start := time.Now()
		w := send(newEndpoint(t, c).ServeChannels, "7", formType, body)
		if took := time.Since(start); took != c.Timeout {
			t.Errorf("answered after %v, want %v", took, c.Timeout)
		}
		if got := strings.Count(w.Body.String(), `"status":503`); w.Code != http.StatusOK || got != 1000 {
			t.Errorf("%d, with %d channels of 503, want 1000", w.Code, got)
		}
		synctest.Wait()
		if most != 32 || asked != 32 {
			t.Errorf("asked about %d channels, %d at one time, want 32", asked, most)
		}

		w = send(newEndpoint(t, c).ServeChannels, "7", formType, "socket_id=1.2&channel_name[]=private-open&channel_name[]=private-slow.1")
		want := `{"private-open":{"status":200,"data":{"auth":"` + endpointKey.ChannelAuth("1.2", "private-open", "", false) + `"}},` +
			`"private-slow.1":{"status":503,` + strings.TrimPrefix(unavailable, "{") + `}`
		checkAnswer(t, "one of two is slow", w, 200, want)
	})
}

// A client who has gone ends what is asked for it, and that is no fault to be logged.
func TestClientGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		c := endpointConfig()
		c.Logger = slog.New(slog.NewTextHandler(&log, nil))
		e := newEndpoint(t, c)
		ctx, leave := context.WithCancel(t.Context())
		r := httptest.NewRequestWithContext(ctx, "POST", "/", strings.NewReader(subscribe("private-slow.1")))
		r.Header.Set("Content-Type", formType)
		time.AfterFunc(time.Second, leave)
		start := time.Now()
		w := httptest.NewRecorder()
		e.ServeChannels(w, r)
		checkAnswer(t, "gone", w, 503, unavailable)
		if took := time.Since(start); took != time.Second {
			t.Errorf("ended after %v", took)
		}
		if log.Len() > 0 {
			t.Errorf("logged %q", log.String())
		}
	})
}
