package httpapi_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"hark/authz"
	"hark/channels/hubtest"
	"hark/httpapi"
)

// A discard is a ResponseWriter that costs nothing.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }

// orderPaid is a usual body of POST /events.
var orderPaid = []byte(`{"name":"order-paid","channels":["orders"],"data":"` + strings.Repeat("d", 256) + `"}`)

// newTrigger returns what serves a signed POST /events of one event on one
// channel that nobody is on, from the parsed request to the answer.
func newTrigger(tb testing.TB) func() {
	h := httpapi.New(hubtest.Start(tb, hubtest.Config()), httpapi.Config{})
	const path = "/apps/1001/events"
	query := authz.SignREST(key, "POST", path, nil, orderPaid, time.Now()).Encode()
	reader := bytes.NewReader(orderPaid)
	r := &http.Request{Method: "POST", URL: &url.URL{Path: path, RawQuery: query}, Header: http.Header{},
		Body: io.NopCloser(reader), ContentLength: int64(len(orderPaid))}
	w := &discard{header: http.Header{}}
	return func() {
		reader.Reset(orderPaid)
		h.ServeHTTP(w, r)
		if w.status != http.StatusOK {
			tb.Fatal(w.status)
		}
	}
}

// BenchmarkTrigger is the work on a trigger without net/http.
func BenchmarkTrigger(b *testing.B) {
	trigger := newTrigger(b)
	b.ReportAllocs()
	for b.Loop() {
		trigger()
	}
}

// BenchmarkTriggerServed is a trigger over loopback TCP, through net/http. The
// clients, one for each CPU, do no more than write and read; they are part of
// the time.
func BenchmarkTriggerServed(b *testing.B) {
	server := httptest.NewServer(httpapi.New(hubtest.Start(b, hubtest.Config()), httpapi.Config{}))
	defer server.Close()
	const path = "/apps/1001/events"
	query := authz.SignREST(key, "POST", path, nil, orderPaid, time.Now()).Encode()
	request := fmt.Appendf(nil, "POST %s?%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		path, query, len(orderPaid), orderPaid)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			b.Error(err)
			return
		}
		defer conn.Close()
		answers := bufio.NewReader(conn)
		for pb.Next() {
			if _, err := conn.Write(request); err != nil {
				b.Error(err)
				return
			}
			if err := readAnswer(answers); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// readAnswer reads one answer of 200 and {}.
func readAnswer(r *bufio.Reader) error {
	for first := true; ; first = false {
		line, err := r.ReadSlice('\n')
		switch {
		case err != nil:
			return err
		case first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")):
			return fmt.Errorf("answered %q", line)
		case string(line) == "\r\n":
			_, err := r.Discard(len("{}"))
			return err
		}
	}
}
