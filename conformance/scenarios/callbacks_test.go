package scenarios

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"hark/authz"
)

// Callbacks are an application that answers what a server asks it over HTTP, and takes down what it was asked.
type callbacks struct {
	t   *testing.T
	url string
	w   *world

	answers map[string]answerer // by kind

	mu    sync.Mutex
	asked []question // guarded by mu
	down  bool       // answers 503; guarded by mu
}

// An answerer answers a question: with a status, and what is encoded as JSON.
type answerer func(w *world, q question) (status int, body any)

// A question is what the application is asked.
type question struct {
	ID     string `json:"id"`
	App    string `json:"app"`
	Kind   string `json:"kind"`
	For    string `json:"for"`
	Path   string `json:"path"`
	Socket string `json:"socket_id"`
	User   *struct {
		ID string `json:"id"`
	} `json:"user"`
	Channel  string            `json:"channel"`
	Pattern  string            `json:"pattern"`
	Params   map[string]string `json:"params"`
	Channels []struct {
		Channel string            `json:"channel"`
		Pattern string            `json:"pattern"`
		Params  map[string]string `json:"params"`
	} `json:"channels"`
	Cause string `json:"cause"`
	Event string `json:"event"`
	Data  string `json:"data"`

	header http.Header
}

// user returns the id of the user that the question is about; "": a guest.
func (q question) user() string {
	if q.User == nil {
		return ""
	}
	return q.User.ID
}

// startCallbacks starts the application. It ends with the test, after the server that asks it.
func startCallbacks(t *testing.T, w *world, answers map[string]answerer) *callbacks {
	cb := &callbacks{t: t, w: w, answers: answers}
	site := httptest.NewServer(cb)
	t.Cleanup(site.Close)
	cb.url = site.URL + "/hark"
	return cb
}

// ServeHTTP answers one question. It trusts only what the secret of an app has signed.
func (cb *callbacks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	app := strings.TrimPrefix(r.Header.Get("X-Pusher-Key"), "k")
	mac := hmac.New(sha256.New, []byte("s"+app))
	mac.Write(body)
	if err != nil || r.Header.Get("X-Pusher-Signature") != hex.EncodeToString(mac.Sum(nil)) {
		cb.t.Errorf("a callback is not signed by the app: %v %v\n%s", err, r.Header, body)
		http.Error(w, "not signed", http.StatusUnauthorized)
		return
	}
	q := question{header: r.Header}
	if err := json.Unmarshal(body, &q); err != nil || q.Kind != r.Header.Get("Hark-Callback") || q.App != app || q.ID == "" {
		cb.t.Errorf("a callback cannot be read: %v\n%s", err, body)
		http.Error(w, "not read", http.StatusBadRequest)
		return
	}
	if !cb.take(q) {
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	}
	answer := cb.answers[q.Kind]
	if answer == nil && q.Kind == "authenticate" {
		answer = signedIn
	}
	if answer == nil {
		cb.t.Errorf("nobody answers a callback: %s", body)
		http.Error(w, "unknown kind", http.StatusNotFound)
		return
	}
	status, value := answer(cb.w, q)
	text, err := json.Marshal(value)
	if err != nil {
		cb.t.Error(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

// take keeps a question, and reports whether it is to be answered.
func (cb *callbacks) take(q question) bool {
	cb.mu.Lock()
	defer cb.mu.Unlock()
	cb.asked = append(cb.asked, q)
	return !cb.down
}

// questions returns what was asked of a kind so far.
func (cb *callbacks) questions(kind string) []question {
	cb.mu.Lock()
	defer cb.mu.Unlock()
	var of []question
	for _, q := range cb.asked {
		if q.Kind == kind {
			of = append(of, q)
		}
	}
	return of
}

// A tally is how often was asked, by kind.
type tally map[string]int

// count counts what was asked so far.
func (cb *callbacks) count() tally {
	cb.mu.Lock()
	defer cb.mu.Unlock()
	n := tally{}
	for _, q := range cb.asked {
		n[q.Kind]++
	}
	return n
}

// total is how often was asked so far.
func (cb *callbacks) total() int {
	cb.mu.Lock()
	defer cb.mu.Unlock()
	return len(cb.asked)
}

// minus returns what came after an earlier count.
func (n tally) minus(earlier tally) tally {
	after := maps.Clone(n)
	for kind, m := range earlier {
		after[kind] -= m
	}
	return after
}

// String returns "2 authenticate, 1 authorize_many".
func (n tally) String() string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(n)) {
		if n[kind] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[kind], kind))
		}
	}
	return strings.Join(parts, ", ")
}

// setDown makes the application answer 503, or answer again.
func (cb *callbacks) setDown(down bool) {
	cb.mu.Lock()
	defer cb.mu.Unlock()
	cb.down = down
}

// everybody are the sessions of an application in which nobody signs out.
var everybody sessions

// signedIn answers who makes a request.
func signedIn(_ *world, q question) (int, any) {
	r := http.Request{Header: q.header, URL: pathOf(q.Path)}
	id, err := everybody.Authenticate(nil, &r)
	if err != nil {
		return http.StatusUnauthorized, nil
	}
	return http.StatusOK, map[string]any{"user": userOf(id)}
}

// pathOf returns the URL of a path as it was requested.
func pathOf(escaped string) *url.URL {
	path, err := url.PathUnescape(escaped)
	if err != nil {
		path = escaped
	}
	return &url.URL{Path: path}
}

// userOf is an identity as an application writes it.
func userOf(id authz.Identity) any {
	if id.Guest() {
		return nil
	}
	user := map[string]any{"id": id.ID, "tenant": id.Tenant, "info": id.Info, "roles": id.Roles, "attrs": id.Attrs}
	if !id.ExpiresAt.IsZero() {
		user["expires_at"] = float64(id.ExpiresAt.UnixMilli()) / 1000
	}
	return user
}

// decisions answers authorize and authorize_many by one function. A channel of which it reports ok false cannot be asked
// about, which fails the whole question.
func decisions(decide func(w *world, q question) (decision any, ok bool)) map[string]answerer {
	return map[string]answerer{
		"authorize": func(w *world, q question) (int, any) {
			if d, ok := decide(w, q); ok {
				return http.StatusOK, d
			}
			return http.StatusInternalServerError, nil
		},
		"authorize_many": func(w *world, q question) (int, any) {
			all := map[string]any{}
			for _, c := range q.Channels {
				one := q
				one.Channel, one.Pattern, one.Params = c.Channel, c.Pattern, c.Params
				d, ok := decide(w, one)
				if !ok {
					return http.StatusInternalServerError, nil
				}
				all[c.Channel] = d
			}
			return http.StatusOK, map[string]any{"decisions": all}
		},
	}
}

// withAuthenticate adds who answers authenticate.
func withAuthenticate(a answerer, answers map[string]answerer) map[string]answerer {
	answers["authenticate"] = a
	return answers
}

// allowIf is the decision that says yes or no.
func allowIf(yes bool) any { return map[string]bool{"allow": yes} }

// events is an answer of events. Each is a name and the data, as JSON.
func events(pairs ...string) any {
	list := []any{}
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, map[string]any{"name": pairs[i], "data": jsontext.Value(pairs[i+1])})
	}
	return map[string]any{"events": list}
}
