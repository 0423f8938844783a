package bench

import (
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/go-json-experiment/json"
)

// A faulty is a server of one channel that spoils what its subscribers get. faults says what one of them gets of an event;
// both are counted from 0.
type faulty struct {
	faults      func(subscriber, event int, frame []byte) [][]byte
	mu          sync.Mutex
	subscribers []*websocket.Conn // guarded by mu
	events      int               // guarded by mu
}

func (f *faulty) serve(t *testing.T) Target {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /app/{key}", f.connect)
	mux.HandleFunc("POST /apps/{id}/events", f.trigger)
	return Target{URL: testURL(listen(t, mux))}
}

func listen(t *testing.T, h http.Handler) net.Addr {
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.Listener.Addr()
}

func (f *faulty) connect(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer func() { _ = conn.CloseNow() }()
	ctx := r.Context()
	established := `{"event":"pusher:connection_established","data":"{\"socket_id\":\"1.1\",\"activity_timeout\":120}"}`
	if conn.Write(ctx, websocket.MessageText, []byte(established)) != nil {
		return
	}
	if _, _, err := conn.Read(ctx); err != nil { // it subscribes
		return
	}
	f.mu.Lock()
	f.subscribers = append(f.subscribers, conn)
	f.mu.Unlock()
	succeeded := `{"event":"pusher_internal:subscription_succeeded","data":"{}","channel":"bench-0000"}`
	if conn.Write(ctx, websocket.MessageText, []byte(succeeded)) != nil {
		return
	}
	_, _, _ = conn.Read(ctx) // until it goes
}

func (f *faulty) trigger(w http.ResponseWriter, r *http.Request) {
	var event struct {
		Data string `json:"data"`
	}
	if err := json.UnmarshalRead(r.Body, &event); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	frame := []byte(`{"event":"bench","channel":"bench-0000","data":"` + event.Data + `"}`)
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, conn := range f.subscribers {
		for _, text := range f.faults(i, f.events, frame) {
			_ = conn.Write(r.Context(), websocket.MessageText, text) // fails if it has gone
		}
	}
	f.events++
	w.Header().Set("Content-Length", "2")
	_, _ = w.Write([]byte("{}"))
}

// swap lets event 5 come after event 6, for those who are meant.
func swap(meant func(subscriber int) bool) func(int, int, []byte) [][]byte {
	held := map[int][]byte{}
	return func(subscriber, event int, frame []byte) [][]byte {
		switch {
		case !meant(subscriber):
		case event == 5:
			held[subscriber] = slices.Clone(frame)
			return nil
		case event == 6:
			return [][]byte{frame, held[subscriber]}
		}
		return [][]byte{frame}
	}
}

func everybody(int) bool        { return true }
func third(subscriber int) bool { return subscriber == 2 }

// TestFaultsAreFound has servers that spoil one delivery, or one event for everybody.
func TestFaultsAreFound(t *testing.T) {
	const conns = 4
	closed := &Fanout{Span: Span{Events: 10}, Audience: Audience{conns, 1}, Outstanding: 2, Size: 64}
	paced := &Latency{Pace: Pace{Duration: 20 * time.Millisecond, Rate: 1000, Size: 64, Publishers: 1}, Audience: Audience{conns, 1}}
	tests := []struct {
		name     string
		scenario Scenario
		faults   func(subscriber, event int, frame []byte) [][]byte
		want     Tally
	}{
		{"none", closed, func(_, _ int, frame []byte) [][]byte { return [][]byte{frame} }, Tally{}},
		{"one loses an event", closed, func(subscriber, event int, frame []byte) [][]byte {
			if third(subscriber) && event == 5 {
				return nil
			}
			return [][]byte{frame}
		}, Tally{Lost: 1}},
		{"all lose an event", paced, func(_, event int, frame []byte) [][]byte {
			if event == 5 {
				return nil
			}
			return [][]byte{frame}
		}, Tally{Lost: conns}},
		{"one gets an event twice", paced, func(subscriber, event int, frame []byte) [][]byte {
			if third(subscriber) && event == 5 {
				return [][]byte{frame, frame}
			}
			return [][]byte{frame}
		}, Tally{Duplicated: 1}},
		{"one gets another order", closed, swap(third), Tally{Reordered: 1}},
		{"all get an order that was not published", paced, swap(everybody), Tally{Reordered: 1}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			settings := Settings{Patience: patience}
			if test.want.Lost > 0 { // all of it is waited for
				settings.Patience = 2 * time.Second
			}
			server := &faulty{faults: test.faults}
			result, err := Run(t.Context(), test.scenario, server.serve(t), settings)
			if err != nil {
				t.Fatal(err)
			}
			got := result.Tally
			got.Received = 0
			if got != test.want {
				t.Errorf("%+v, want %+v", got, test.want)
			}
		})
	}
}

// TestNodes has a server of three nodes: one takes requests, the others have a socket each.
func TestNodes(t *testing.T) {
	f := &faulty{faults: func(_, _ int, frame []byte) [][]byte { return [][]byte{frame} }}
	var conns [2]atomic.Int32
	target := Target{URL: testURL(listen(t, http.HandlerFunc(f.trigger)))}
	for i := range conns {
		target.Nodes = append(target.Nodes, listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			conns[i].Add(1)
			f.connect(w, r)
		})).String())
	}
	scenario := &Latency{Pace: Pace{Duration: 20 * time.Millisecond, Rate: 1000, Size: 64, Publishers: 1}, Audience: Audience{4, 1}}
	result, err := Run(t.Context(), scenario, target, Settings{Patience: patience})
	if err != nil {
		t.Fatal(err)
	}
	if !result.Tally.OK() || conns[0].Load() != 2 || conns[1].Load() != 2 {
		t.Errorf("the nodes have %d and %d sockets and deliveries are %+v, want 2 and 2, and nothing wrong",
			conns[0].Load(), conns[1].Load(), result.Tally)
	}
}
