package authz_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"hark/authz"
)

// ask sends a request for private-open with headers, to a host named hark.example.
func ask(e *authz.Endpoint, method, path string, header map[string]string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://hark.example"+path, strings.NewReader(subscribe("private-open")))
	r.Header.Set("Content-Type", formType)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	e.ServeChannels(w, r)
	return w
}

// Pages of other hosts may ask if their origin is listed. Others are refused before anybody is asked, since their call
// might bring a visitor's cookies along: what is granted would be kept for a socket that the page has chosen.
func TestOrigins(t *testing.T) {
	t.Parallel()
	asked := false
	c := endpointConfig()
	c.Authenticator = authz.AuthenticatorFunc(func(context.Context, *http.Request) (authz.Identity, error) {
		asked = true
		return authz.Identity{}, nil
	})
	e := newEndpoint(t, c)
	type header = map[string]string
	for _, tt := range []struct {
		name     string
		header   header
		status   int
		readable bool
	}{
		{"no browser", nil, 200, false},
		{"a page of the host", header{"Origin": "http://hark.example", "Sec-Fetch-Site": "same-origin"}, 200, false},
		{"the same behind a proxy that names another host", header{"Origin": "https://chat.example", "Sec-Fetch-Site": "same-origin"}, 200, false},
		{"a page of the host, in an old browser", header{"Origin": "http://hark.example"}, 200, false},
		{"a listed origin", header{"Origin": "https://app.example", "Sec-Fetch-Site": "cross-site"}, 200, true},
		{"a listed origin, in an old browser", header{"Origin": "https://app.example"}, 200, true},
		{"a foreign origin", header{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, 403, false},
		{"a foreign origin, in an old browser", header{"Origin": "https://evil.example"}, 403, false},
		{"a neighbour", header{"Origin": "http://blog.hark.example", "Sec-Fetch-Site": "same-site"}, 403, false},
		{"another scheme", header{"Origin": "http://app.example", "Sec-Fetch-Site": "cross-site"}, 403, false},
		{"another port", header{"Origin": "https://app.example:8443", "Sec-Fetch-Site": "cross-site"}, 403, false},
		{"what only begins alike", header{"Origin": "https://app.example.evil.example", "Sec-Fetch-Site": "cross-site"}, 403, false},
		{"a frame that is nobody's", header{"Origin": "null", "Sec-Fetch-Site": "cross-site"}, 403, false},
		{"a script tag's cousin", header{"Sec-Fetch-Site": "cross-site"}, 403, false},
	} {
		asked = false
		w := ask(e, "POST", "/pusher/auth", tt.header)
		body := `…{"auth":"`
		if tt.status != http.StatusOK {
			body = `…Pages of this origin may not ask here`
		}
		checkAnswer(t, tt.name, w, tt.status, body)
		if asked != (tt.status == http.StatusOK) {
			t.Errorf("%s: the authenticator was asked: %v", tt.name, asked)
		}
		checkReadable(t, tt.name, w, tt.header["Origin"], tt.readable)
	}
}

// checkReadable checks the headers by which a browser decides who may read.
func checkReadable(t *testing.T, name string, w *httptest.ResponseRecorder, origin string, want bool) {
	t.Helper()
	if want {
		if h := w.Header(); h.Get("Access-Control-Allow-Origin") != origin || h.Get("Access-Control-Allow-Credentials") != "true" {
			t.Errorf("%s: a browser may not read it: %v", name, h)
		}
		return
	}
	for header := range w.Header() {
		if strings.HasPrefix(header, "Access-Control-") {
			t.Errorf("%s: has %s", name, header)
		}
	}
}

// A listed origin reads refusals too, or its page would not learn the status.
func TestListedOriginReadsRefusals(t *testing.T) {
	t.Parallel()
	c := endpointConfig()
	c.Authenticator = authz.AuthenticatorFunc(func(context.Context, *http.Request) (authz.Identity, error) {
		return authz.Identity{}, errors.New("down")
	})
	origin := map[string]string{"Origin": "https://app.example"}
	for method, status := range map[string]int{"POST": 503, "GET": 405} {
		w := ask(newEndpoint(t, c), method, "/pusher/auth", origin)
		checkAnswer(t, method, w, status, "…")
		checkReadable(t, method, w, "https://app.example", true)
	}
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, endpointConfig())
	header := map[string]string{"Origin": "https://app.example", "Access-Control-Request-Method": "POST",
		"Access-Control-Request-Headers": "authorization,x-csrf-token"}
	w := ask(e, "OPTIONS", "/pusher/auth", header)
	if w.Code != http.StatusNoContent || w.Body.Len() != 0 {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	checkReadable(t, "preflight", w, "https://app.example", true)
	for name, want := range map[string]string{
		"Access-Control-Allow-Methods": "POST",
		"Access-Control-Allow-Headers": "authorization,x-csrf-token",
		"Access-Control-Max-Age":       "600",
		"Allow":                        "POST, OPTIONS",
		"Vary":                         "Origin",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	header["Origin"] = "https://evil.example"
	w = ask(e, "OPTIONS", "/pusher/auth", header)
	if w.Code != http.StatusNoContent || w.Header().Get("Vary") != "Origin" {
		t.Errorf("foreign: %d, %v", w.Code, w.Header())
	}
	checkReadable(t, "foreign", w, "", false)
}

// A script tag cannot ask, and what is answered is never a script.
func TestNoJSONP(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, endpointConfig())
	const query = "?callback=alert&" + "socket_id=1.2&channel_name=private-open"
	checkAnswer(t, "POST", ask(e, "POST", "/pusher/auth"+query, nil), 200,
		`{"auth":"`+endpointKey.ChannelAuth("1.2", "private-open", "", false)+`"}`)
	checkAnswer(t, "GET", ask(e, "GET", "/pusher/auth"+query, nil), 405, `{"error":"Only POST is answered here"}`)
}
