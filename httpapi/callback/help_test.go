package callback_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json"

	"hark/authz"
	"hark/httpapi/callback"
	"hark/protocol"
)

var key = authz.Key{Key: "app-key", Secret: "app-secret"}

// A call is one callback as an application sees it.
type call struct {
	at     time.Time
	header http.Header
	body   []byte
	envelope
}

type envelope struct {
	TimeMS   int64             `json:"time_ms"`
	ID       string            `json:"id"`
	App      string            `json:"app"`
	Kind     callback.Kind     `json:"kind"`
	For      string            `json:"for"`
	Path     string            `json:"path"`
	Socket   string            `json:"socket_id"`
	User     *user             `json:"user"`
	Channel  string            `json:"channel"`
	Pattern  string            `json:"pattern"`
	Params   map[string]string `json:"params"`
	Cause    string            `json:"cause"`
	Event    string            `json:"event"`
	Data     string            `json:"data"`
	Channels []struct {
		Channel string            `json:"channel"`
		Pattern string            `json:"pattern"`
		Params  map[string]string `json:"params"`
	} `json:"channels"`
}

type user struct {
	ID     string            `json:"id"`
	Tenant string            `json:"tenant"`
	Roles  []string          `json:"roles"`
	Attrs  map[string]string `json:"attrs"`
}

// names returns the channels that an authorize or authorize_many is about.
func (c call) names() []string {
	if c.Channel != "" {
		return []string{c.Channel}
	}
	var names []string
	for _, place := range c.Channels {
		names = append(names, place.Channel)
	}
	return names
}

// A reply is what an application answers, after a time. An err is what the transport says in its place.
type reply struct {
	after  time.Duration
	status int // 0: 200
	body   string
	err    error
}

// An application answers in memory, and keeps what it was asked.
type application struct {
	mu     sync.Mutex
	answer func(c call) reply // guarded by mu
	calls  []call             // guarded by mu
}

// answering returns an application that answers everything in the same way.
func answering(r reply) *application {
	return &application{answer: func(call) reply { return r }}
}

// answers changes what is answered from now on.
func (a *application) answers(f func(c call) reply) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = f
}

// RoundTrip implements http.RoundTripper.
func (a *application) RoundTrip(r *http.Request) (*http.Response, error) {
	c := call{at: time.Now(), header: r.Header.Clone()}
	var err error
	if c.body, err = io.ReadAll(r.Body); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(c.body, &c.envelope); err != nil {
		return nil, fmt.Errorf("the question %s: %w", c.body, err)
	}
	a.mu.Lock()
	a.calls = append(a.calls, c)
	answer := a.answer
	a.mu.Unlock()
	re := answer(c)
	if re.after > 0 {
		select {
		case <-time.After(re.after):
		case <-r.Context().Done():
		}
	}
	if r.Context().Err() != nil {
		return nil, r.Context().Err()
	}
	if re.err != nil {
		return nil, re.err
	}
	w := httptest.NewRecorder()
	w.WriteHeader(cmp.Or(re.status, http.StatusOK))
	w.WriteString(re.body)
	return w.Result(), nil
}

// asked returns the calls so far, and forgets them.
func (a *application) asked() []call {
	a.mu.Lock()
	defer a.mu.Unlock()
	calls := a.calls
	a.calls = nil
	return calls
}

// wantAsked checks the kinds of the calls since the last time, in their order.
func (a *application) wantAsked(t *testing.T, kinds ...callback.Kind) []call {
	t.Helper()
	calls := a.asked()
	var got []callback.Kind
	for _, c := range calls {
		got = append(got, c.Kind)
	}
	if !slices.Equal(got, kinds) {
		t.Fatalf("asked %v, want %v", got, kinds)
	}
	return calls
}

// newClient returns a client that asks a; change, if not nil, changes its configuration. The test waits for its calls.
func newClient(t testing.TB, a http.RoundTripper, change func(*callback.Config)) *callback.Client {
	t.Helper()
	config := callback.Config{App: "1", Key: key, URL: "https://app.example/hark", Transport: a}
	if change != nil {
		change(&config)
	}
	c, err := callback.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		if err := c.Run(ended); err != nil {
			t.Error(err)
		}
	})
	return c
}

// bubble runs f in a bubble of its own time, with a client that asks a.
func bubble(t *testing.T, a http.RoundTripper, change func(*callback.Config), f func(t *testing.T, c *callback.Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newClient(t, a, change)) })
}

// from returns a client's request with headers, given as names and values.
func from(header ...string) *http.Request {
	r := httptest.NewRequest("POST", "/pusher/auth", nil)
	r.RemoteAddr = "198.51.100.7:4711"
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

// join returns the question of a user who sends a cookie.
func join(socket protocol.SocketID, userID, channel string) authz.Request {
	return authz.Request{
		App: "1", Socket: socket, Channel: channel, Identity: authz.Identity{ID: userID},
		Pattern: "{x...}", Captures: authz.Captures{"x": channel}, HTTP: from("Cookie", "sid="+userID),
	}
}

// all asks questions at the same time and returns what became of each.
func all(t *testing.T, c *callback.Client, requests ...authz.Request) []string {
	t.Helper()
	results := make([]string, len(requests))
	var wg sync.WaitGroup
	for i, r := range requests {
		wg.Go(func() { results[i] = decide(t.Context(), c, r) })
	}
	wg.Wait()
	return results
}

// decide returns "allow", "deny", "no opinion", or the name of the error.
func decide(ctx context.Context, c *callback.Client, r authz.Request) string {
	d, err := c.Policy().Authorize(ctx, r)
	if err != nil {
		return nameOf(err)
	}
	if d.Denied() {
		return "deny" // without the reason
	}
	return d.String()
}

func nameOf(err error) string {
	for _, known := range []error{authz.ErrUnauthenticated, authz.ErrDenied, authz.ErrUnavailable} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return fmt.Sprint(err)
}

var (
	unauthenticated = authz.ErrUnauthenticated.Error()
	unavailable     = authz.ErrUnavailable.Error()
)

// same returns n times s.
func same(n int, s string) []string { return slices.Repeat([]string{s}, n) }

func wantResults(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("answers %q, want %q", got, want)
	}
}

// allowAll allows every channel it is asked about; more is what each decision says besides.
func allowAll(after time.Duration, more string) func(c call) reply {
	return func(c call) reply {
		allow := `{"allow":true` + more + `}`
		if c.Kind != callback.KindAuthorizeMany {
			return reply{after: after, body: allow}
		}
		var b bytes.Buffer
		for i, name := range c.names() {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, "%q:%s", name, allow)
		}
		return reply{after: after, body: `{"decisions":{` + b.String() + `}}`}
	}
}
