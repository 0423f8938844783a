package httpapi_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"hark/channels"
	"hark/channels/hubtest"
	"hark/httpapi"
	"hark/protocol"
)

// A meter counts what is read of a body.
type meter struct {
	io.Reader
	n int
}

func (m *meter) Read(b []byte) (int, error) {
	n, err := m.Reader.Read(b)
	m.n += n
	return n, err
}

func (m *meter) Close() error { return nil }

// TestBody: how much is read of a body, whatever its header says.
func TestBody(t *testing.T) {
	const limit = 200_000
	padded := func(n int) string { return event + strings.Repeat(" ", n-len(event)) }
	c := hubtest.Config()
	c.Apps[0].Limits.RESTBody = limit
	for _, tt := range []struct {
		name   string
		body   string
		length int64 // of the header; -1: chunked
		status int
		read   int // at most
	}{
		{"small", event, int64(len(event)), 200, len(event)},
		{"chunked", event, -1, 200, len(event)},
		{"at the cap", padded(limit), limit, 200, limit},
		{"at the cap, chunked", padded(limit), -1, 200, limit},
		{"over the cap", padded(limit + 1), limit + 1, 413, 0},
		{"over the cap, chunked", padded(10 * limit), -1, 413, limit + 1},
		{"shorter than announced", event, int64(len(event)) + 1, 400, len(event)},
		{"much shorter than announced", event, limit, 400, len(event)},
	} {
		inBubbleWith(t, tt.name, c, func(t *testing.T, _ *channels.Hub, h http.Handler) {
			m := &meter{Reader: strings.NewReader(tt.body)}
			status, answer, _ := call{body: tt.body, bend: func(r *http.Request) {
				r.Body, r.ContentLength = m, tt.length
			}}.do(h)
			if status != tt.status {
				t.Errorf("answered %d %q, want %d", status, answer, tt.status)
			}
			if m.n > tt.read {
				t.Errorf("read %d bytes, want at most %d", m.n, tt.read)
			}
		})
	}
}

// What a header announces is not set aside before it has come, without a cap
// least of all.
func TestAnnouncedBodyCostsNothing(t *testing.T) {
	c := hubtest.Config()
	c.Apps[0].Limits = protocol.Limits{RESTBody: -1}
	inBubbleWith(t, "", c, func(t *testing.T, _ *channels.Hub, h http.Handler) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		status, answer, _ := call{body: event, bend: func(r *http.Request) { r.ContentLength = 1 << 30 }}.do(h)
		runtime.ReadMemStats(&after)
		if status != 400 {
			t.Errorf("answered %d %q, want 400", status, answer)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
			t.Errorf("%d bytes were allocated for a body of %d", got, len(event))
		}
	})
}

// Why a body could not be read is between the server and its network.
func TestBrokenBody(t *testing.T) {
	inBubble(t, "", func(t *testing.T, _ *channels.Hub, h http.Handler) {
		for _, length := range []int64{100, -1} {
			call{body: event, status: 400, answer: "The request body could not be read to its end, send it again\n",
				bend: func(r *http.Request) {
					r.Body = io.NopCloser(iotest.ErrReader(errors.New("read tcp 10.0.0.7:6001: reset")))
					r.ContentLength = length
				}}.check(t, h)
		}
	})
}

// The memory of a body is read over by the next request: nothing of an event may
// still lie there.
func TestBodyIsNotKept(t *testing.T) {
	inBubble(t, "", func(t *testing.T, hub *channels.Hub, h http.Handler) {
		const channels = 50
		name := func(i int) string { return fmt.Sprintf("cache-%d", i) }
		data := func(i int) string { return strings.Repeat(string(rune('a'+i%26)), 20+i) }
		var sending sync.WaitGroup
		for i := range channels {
			sending.Go(func() {
				body := fmt.Sprintf(`{"name":"e%d","channels":[%q],"data":%q}`, i, name(i), data(i))
				call{body: body, status: 200, answer: "{}"}.check(t, h)
			})
		}
		sending.Wait()
		app, _ := hub.App(hubtest.AppID)
		for i := range channels {
			got, err := app.Channel(t.Context(), name(i))
			if err != nil || got.Cached.Name != fmt.Sprintf("e%d", i) || got.Cached.Data != data(i) {
				t.Errorf("%s has %+v, %v; want the event e%d with %q", name(i), got.Cached, err, i, data(i))
			}
		}
	})
}

var _ http.Handler = (*httpapi.Handler)(nil)
