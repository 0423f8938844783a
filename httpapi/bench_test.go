package httpapi_test

import (
	"bytes"
	"io"
	"net/http"
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

// BenchmarkTrigger is a signed POST /events of one event on one channel that
// nobody is on, from the parsed request to the answer, without net/http.
func BenchmarkTrigger(b *testing.B) {
	h := httpapi.New(hubtest.Start(b, hubtest.Config()), httpapi.Config{})
	body := []byte(`{"name":"order-paid","channels":["orders"],"data":"` + strings.Repeat("d", 256) + `"}`)
	const path = "/apps/1001/events"
	query := authz.SignREST(key, "POST", path, nil, body, time.Now()).Encode()
	reader := bytes.NewReader(body)
	r := &http.Request{Method: "POST", URL: &url.URL{Path: path, RawQuery: query}, Header: http.Header{},
		Body: io.NopCloser(reader), ContentLength: int64(len(body))}
	w := &discard{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		reader.Reset(body)
		h.ServeHTTP(w, r)
		if w.status != http.StatusOK {
			b.Fatal(w.status)
		}
	}
}
