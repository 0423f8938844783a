package scenarios

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"hark/channels"
	"hark/channels/redisbroker/redistest"
	"hark/conformance/internal/process"
)

// A world is a server of its own for one scenario, or several that share a Redis, and an app there: 1 with the key k1 and
// the secret s1, or 2 with k2 and s2.
type world struct {
	t     *testing.T
	n     int      // the app
	hosts []string // where clients connect, in turn, with the port
	rest  string   // where backends ask
	auth  string   // URL below which the auth endpoints are: /auth and /user-auth

	servers []*process.Process
	redis   *redistest.Server // that they share, else nil
	hub     *channels.Hub     // of an application that embeds it, else nil
	app     *channels.App
	cb      *callbacks // of one that is called back, else nil

	notes     *journal // what hooks were asked and told
	sentinels int
	left      atomic.Bool // whether alice may no more what she could
	first     int         // number of a client; the journals of the first ten are printed

	mu    sync.Mutex
	gates map[string]*gate // guarded by mu
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, n: 1, notes: newJournal(), gates: make(map[string]*gate)}
	t.Cleanup(func() {
		if t.Failed() && len(w.notes.all("")) > 0 {
			t.Logf("hooks:\n%s", w.notes)
		}
	})
	return w
}

// second returns the second app of the same servers.
func (w *world) second() *world {
	other := newWorld(w.t)
	other.n, other.hosts, other.rest = 2, slices.Clone(w.hosts), w.rest
	other.auth = w.auth + "2"
	return other
}

// A setup makes a world: [embedded] one, [standalone] one, or one of [nodes].
type setup interface {
	mode() string
	start(t *testing.T) *world
}

// scenario plays one in each world that is set up for it.
func scenario(t *testing.T, id string, play func(t *testing.T, w *world), setups ...setup) {
	setups = withNodes(setups)
	rows := make([]*row, len(setups))
	for i, s := range setups {
		rows[i] = newRow(id, s.mode())
	}
	t.Run(id, func(t *testing.T) {
		t.Parallel()
		for i, s := range setups {
			t.Run(s.mode(), func(t *testing.T) {
				t.Parallel()
				rows[i].record(t)
				play(t, s.start(t))
			})
		}
	})
}

// A response is what a backend's request was answered.
type response struct {
	Status int    `json:"status"`
	Body   string `json:"body"`
}

// backend calls a method of the official server SDK for Node.
func (w *world) backend(method string, args ...any) response {
	w.t.Helper()
	v, err := theNode(w.t).ask(request{Do: "sdk", URL: fmt.Sprintf("http://k%d:s%[1]d@%s/apps/%[1]d", w.n, w.rest), Call: method, Args: args})
	var r response
	if err == nil {
		err = json.Unmarshal(v, &r)
	}
	if err != nil {
		w.t.Fatalf("%s%v: %v", method, args, err)
	}
	return r
}

// control posts one of the requests that are Hark's own, and returns what it is answered.
func (w *world) control(verb string, body any) response {
	w.t.Helper()
	return w.backend("post", map[string]any{"path": "/hark/" + verb, "body": body})
}

// broadcast sends an event without a channel from a backend. To is the JSON of a Selector.
func (w *world) broadcast(to, event string, data any) {
	w.t.Helper()
	if r := w.control("broadcast", map[string]any{"to": jsontext.Value(to), "name": event, "data": data}); r.Status != 200 {
		w.t.Fatalf("broadcast %s to %s: %+v", event, to, r)
	}
}

// trigger triggers an event from a backend.
func (w *world) trigger(channel, event string, data any) {
	w.t.Helper()
	if r := w.backend("trigger", channel, event, data); r.Status != 200 {
		w.t.Fatalf("trigger %s on %s: %+v", event, channel, r)
	}
}

// info asks for attributes of a channel.
func (w *world) info(channel, attributes string) string {
	w.t.Helper()
	r := w.backend("get", map[string]any{"path": "/channels/" + channel, "params": map[string]string{"info": attributes}})
	if r.Status != 200 {
		w.t.Fatalf("GET %s: %+v", channel, r)
	}
	return r.Body
}

// untilSockets waits until a channel has that many subscriptions: after the end of a connection nothing arrives there that
// could be waited for.
func (w *world) untilSockets(channel string, n int) {
	w.t.Helper()
	want := fmt.Sprintf(`"subscription_count":%d`, n)
	for end := time.Now().Add(deadline); ; {
		got := w.info(channel, "subscription_count")
		if strings.Contains(got, want) {
			return
		}
		if time.Now().After(end) {
			w.t.Fatalf("%s: %s, want %s", channel, got, want)
		}
	}
}

// sameJSON reports whether two texts are the same JSON, in whatever order.
func sameJSON(a, b string) bool {
	x, y := jsontext.Value(a), jsontext.Value(b)
	return x.Canonicalize() == nil && y.Canonicalize() == nil && string(x) == string(y)
}
