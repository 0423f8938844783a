package httpapi_test

import (
	"bytes"
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

// Whatever the body, a signed request is answered 200 or 4xx.
func FuzzEvents(f *testing.F) {
	for _, body := range []string{event, batch(2), `{"batch":[{}]}`, "", "null", "\xff", `{"name":"e","channels":"c","data":1}`,
		`{"to":{"everyone":true},"name":"e","data":"1"}`, `{"to":{"users":["7"]},"channels":"private-{x}"}`, `{"to":{},"spread_ms":1e9}`,
		`{"name":"e","channel":"c","data":"1","only":{"on":"c"}}`} {
		f.Add("/apps/1001/events", []byte(body))
		f.Add("/apps/1001/batch_events", []byte(body))
		f.Add("/apps/1001/channels/c/events", []byte(body))
		f.Add("/apps/1001/users/42/terminate_connections", []byte(body))
		for _, path := range []string{"broadcast", "revoke", "recheck", "reauthenticate", "terminate", "invalidate"} {
			f.Add("/apps/1001/hark/"+path, []byte(body))
		}
	}
	h := httpapi.New(hubtest.Start(f, hubtest.Config()), httpapi.Config{})
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
