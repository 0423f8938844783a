package httpapi_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"hark/authz"
	"hark/channels/hubtest"
	"hark/httpapi"
)

// serve runs a hub outside a bubble until a trigger gets through: a hub may say
// that it is ready just before its broker has begun.
func serve(t testing.TB) http.Handler {
	h := httpapi.New(hubtest.Start(t, hubtest.Config()), httpapi.Config{})
	for {
		switch status, answer, _ := (call{body: event}).do(h); status {
		case http.StatusOK:
			return h
		case http.StatusServiceUnavailable:
			runtime.Gosched()
		default:
			t.Fatal(status, answer)
		}
	}
}

// Whatever the body, a signed request is answered 200 or 4xx.
func FuzzEvents(f *testing.F) {
	for _, body := range []string{event, batch(2), `{"batch":[{}]}`, "", "null", "\xff", `{"name":"e","channels":"c","data":1}`} {
		f.Add("/apps/1001/events", []byte(body))
		f.Add("/apps/1001/batch_events", []byte(body))
	}
	h := serve(f)
	f.Fuzz(func(t *testing.T, path string, body []byte) {
		u := url.URL{Path: path}
		if !strings.HasPrefix(path, "/") {
			return
		}
		query := authz.SignREST(key, "POST", u.Path, nil, body, time.Now())
		r := &http.Request{Method: "POST", URL: &url.URL{Path: path, RawQuery: query.Encode()}, Header: http.Header{},
			Body: http.NoBody, ContentLength: int64(len(body))}
		r.Body = httptest.NewRequest("POST", "/", bytes.NewReader(body)).Body
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r.WithContext(t.Context()))
		if w.Code >= 500 {
			t.Errorf("POST %q %q: %d %s", path, body, w.Code, w.Body)
		}
	})
}
