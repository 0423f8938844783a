package callback_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"hark/authz"
	"hark/httpapi/callback"
)

// serve returns a client that asks a server, over loopback and with the transport of its own.
func serve(t *testing.T, start func(http.Handler) *httptest.Server, h http.HandlerFunc, change func(*callback.Config)) *callback.Client {
	t.Helper()
	server := start(h)
	t.Cleanup(server.Close)
	return newClient(t, nil, func(c *callback.Config) {
		c.Transport, c.URL = nil, server.URL+"/hark"
		if change != nil {
			change(c)
		}
	})
}

func authorizeOnce(t *testing.T, c *callback.Client) (authz.Decision, error) {
	t.Helper()
	return c.Policy().Authorize(t.Context(), join("1.1", "7", "private-a"))
}

// A stock handler in front of which there is nothing: what is sent arrives as it was signed.
func TestOverHTTP(t *testing.T) {
	c := serve(t, httptest.NewServer, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		q := call{header: r.Header, body: body}
		q.Kind = callback.Kind(r.Header.Get("Hark-Callback"))
		verify(t, q)
		if r.Method != http.MethodPost || r.URL.Path != "/hark" || r.Header["Idempotency-Key"] != nil || r.Header.Get("Accept-Encoding") != "" {
			t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
		}
		io.WriteString(w, `{"allow":true}`)
	}, nil)
	for range 3 {
		if d, err := authorizeOnce(t, c); !d.Allowed() {
			t.Errorf("%v, %v", d, err)
		}
	}
}

// A redirect is an answer that is none, wherever it leads: the questions hold credentials.
func TestNoRedirects(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		var led atomic.Int64
		other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			led.Add(1)
			io.WriteString(w, `{"allow":true}`)
		}))
		c := serve(t, httptest.NewServer, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", other.URL)
			w.WriteHeader(status)
			io.WriteString(w, `{"allow":true}`)
		}, nil)
		if d, err := authorizeOnce(t, c); !errors.Is(err, authz.ErrUnavailable) || d.Allowed() || led.Load() != 0 {
			t.Errorf("%d: %v, %v, followed %d times", status, d, err, led.Load())
		}
		other.Close()
	}
}

// A certificate that nobody vouches for is no application; one that somebody does is.
func TestTLS(t *testing.T) {
	allow := func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `{"allow":true}`) }
	quiet := func(h http.Handler) *httptest.Server {
		s := httptest.NewUnstartedServer(h)
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.StartTLS()
		return s
	}
	c := serve(t, quiet, allow, nil)
	if d, err := authorizeOnce(t, c); !errors.Is(err, authz.ErrUnavailable) || d.Allowed() || !isCertificateError(err) {
		t.Errorf("%v, %v", d, err)
	}
	var server *httptest.Server
	start := func(h http.Handler) *httptest.Server {
		server = httptest.NewTLSServer(h)
		return server
	}
	c = serve(t, start, allow, func(c *callback.Config) { c.Transport = server.Client().Transport })
	if d, err := authorizeOnce(t, c); !d.Allowed() {
		t.Errorf("%v, %v", d, err)
	}
}

func isCertificateError(err error) bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok
}

// No proxy is taken from the environment.
func TestNoProxy(t *testing.T) {
	var asked atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		io.WriteString(w, `{"allow":true}`)
	}))
	defer proxy.Close()
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("http_proxy", proxy.URL)
	c := newClient(t, nil, func(c *callback.Config) { c.Transport, c.URL = nil, "http://app.invalid/hark" })
	if d, err := authorizeOnce(t, c); !errors.Is(err, authz.ErrUnavailable) || d.Allowed() || asked.Load() != 0 {
		t.Errorf("%v, %v, the proxy was asked %d times", d, err, asked.Load())
	}
}

// An answer has a bound, whether it says its length or not. Up to it, it is read.
func TestAnswerIsBounded(t *testing.T) {
	for _, tt := range []struct {
		size    int
		chunked bool
		want    bool
	}{{1 << 20, false, true}, {1 << 20, true, true}, {1<<20 + 1, false, false}, {1<<20 + 1, true, false}, {64 << 20, true, false}} {
		c := serve(t, httptest.NewServer, func(w http.ResponseWriter, r *http.Request) {
			const answer = `{"allow":true}`
			if !tt.chunked {
				w.Header().Set("Content-Length", fmt.Sprint(tt.size))
			}
			io.WriteString(w, answer)
			spaces := strings.Repeat(" ", 1<<10)
			for left := tt.size - len(answer); left > 0; left -= len(spaces) {
				if _, err := io.WriteString(w, spaces[:min(left, len(spaces))]); err != nil {
					return
				}
			}
		}, nil)
		if d, err := authorizeOnce(t, c); d.Allowed() != tt.want || tt.want != (err == nil) {
			t.Errorf("%d bytes: %v, %v", tt.size, d, err)
		}
	}
}

// Where answers have to be signed, none counts that is not: neither a yes nor a no.
func TestResponseSignature(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		sign   func(id, body string) string
		want   string
	}{
		{"signed", 200, func(id, body string) string { return authz.Sign(key.Secret, id+"."+body) }, "allow"},
		{"a signed no", 403, func(id, body string) string { return authz.Sign(key.Secret, id+"."+body) }, "deny"},
		{"unsigned", 200, func(id, body string) string { return "" }, unavailable},
		{"an unsigned no", 403, func(id, body string) string { return "" }, unavailable},
		{"an unsigned 401", 401, func(id, body string) string { return "" }, unavailable},
		{"of another question", 200, func(id, body string) string { return authz.Sign(key.Secret, "x."+body) }, unavailable},
		{"of another answer", 200, func(id, body string) string { return authz.Sign(key.Secret, id+".{}") }, unavailable},
		{"with another secret", 200, func(id, body string) string { return authz.Sign("x", id+"."+body) }, unavailable},
		{"with the body alone", 200, func(id, body string) string { return authz.Sign(key.Secret, body) }, unavailable},
	} {
		c := serve(t, httptest.NewServer, func(w http.ResponseWriter, r *http.Request) {
			const answer = `{"allow":true}`
			var a application
			a.answer = func(call) reply { return reply{} }
			a.RoundTrip(r)
			w.Header().Set("X-Hark-Signature", tt.sign(a.calls[0].ID, answer))
			w.WriteHeader(tt.status)
			io.WriteString(w, answer)
		}, func(c *callback.Config) { c.RequireResponseSignature = true })
		if got := decide(t.Context(), c, join("1.1", "7", "private-a")); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// An application that is not there, and one that hangs up.
func TestNoApplication(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	c := newClient(t, nil, func(c *callback.Config) { c.Transport, c.URL = nil, gone.URL })
	if d, err := authorizeOnce(t, c); !errors.Is(err, authz.ErrUnavailable) || d.Allowed() {
		t.Errorf("%v, %v", d, err)
	}
	var calls atomic.Int64
	c = serve(t, httptest.NewServer, func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 1 {
			panic(http.ErrAbortHandler)
		}
		io.WriteString(w, `{"allow":true}`)
	}, nil)
	if d, err := authorizeOnce(t, c); !d.Allowed() || calls.Load() != 2 {
		t.Errorf("%v, %v after %d calls", d, err, calls.Load())
	}
}
