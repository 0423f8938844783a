package httpapi_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hark/channels"
	"hark/channels/hubtest"
	"hark/httpapi"
)

// get asks for a path without a signature.
func get(h http.Handler, method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// says answers every request with a text, so that a test sees who got it.
func says(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) })
}

// Websockets are matched in front of everything else, but take nothing that is
// the REST API's.
func TestWebsocketInFront(t *testing.T) {
	hub, err := channels.New(config())
	if err != nil {
		t.Fatal(err)
	}
	h := httpapi.New(hub, httpapi.Config{PathPrefix: "/hark", Websocket: says("ws"), Demo: says("demo")})
	upgrade := []string{"Connection", "keep-alive, Upgrade", "Upgrade", "websocket"}
	for _, tt := range []struct {
		method, path string
		header       []string
		want         string // "ws", "demo", or the status
	}{
		{"GET", "/app/app-key", upgrade, "ws"},
		{"GET", "/hark/app/app-key", upgrade, "ws"},
		{"GET", "/some/token/app/app-key?protocol=7", upgrade, "ws"},
		{"GET", "/elsewhere", upgrade, "ws"}, // closed with 4005, which only ws can
		{"GET", "/apps/1001/events", upgrade, "ws"},
		{"GET", "/app/app-key", nil, "ws"}, // 426
		{"GET", "/hark/token/app/app-key", nil, "ws"},
		{"POST", "/app/app-key", nil, "404"},
		{"GET", "/app/", nil, "404"},
		// A channel, and an app, may be named app.
		{"GET", "/apps/1001/channels/app/users", nil, "401"},
		{"GET", "/hark/apps/1001/channels/app/users", nil, "401"},
		{"GET", "/apps/app/channels", nil, "404"},
		{"GET", "/demo/", nil, "demo"},
		{"GET", "/hark/demo/static/page.js", nil, "demo"},
		{"POST", "/demo/auth", nil, "demo"},
		{"GET", "/demo", nil, "302"}, // nothing else redirects
		{"GET", "/ready/", nil, "404"},
	} {
		w := get(h, tt.method, tt.path, tt.header...)
		got := w.Body.String()
		if got != "ws" && got != "demo" {
			got = fmt.Sprint(w.Code)
		}
		if got != tt.want {
			t.Errorf("%s %s %v: %s, want %s", tt.method, tt.path, tt.header, got, tt.want)
		}
	}
	bare := httpapi.New(hub, httpapi.Config{})
	for _, path := range []string{"/app/app-key", "/demo/"} {
		if w := get(bare, "GET", path, upgrade...); w.Code != http.StatusNotFound {
			t.Errorf("%s although there is nothing there: %d", path, w.Code)
		}
	}
}

// What a request names comes back quoted, on one line of text.
func TestUnknownPathAndMethod(t *testing.T) {
	hub, err := channels.New(config())
	if err != nil {
		t.Fatal(err)
	}
	h := httpapi.New(hub, httpapi.Config{})
	if w := get(h, "GET", "/a%0Ab%FF"); w.Code != 404 || w.Body.String() != "Unknown path \"/a\\nb\\xff\"\n" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	w := get(h, "PUT", "/apps/1001/events")
	if w.Code != 405 || w.Body.String() != "Method PUT is not allowed here, use POST\n" || w.Header().Get("Allow") != "POST" {
		t.Errorf("%d %q, Allow %q", w.Code, w.Body, w.Header().Get("Allow"))
	}
}

// A panic is logged, and answered without a word of it; what has been sent in
// part is cut, so that nobody takes it for the whole.
func TestPanic(t *testing.T) {
	hub, err := channels.New(config())
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	h := httpapi.New(hub, httpapi.Config{
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
		Demo: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "3")
			if r.URL.Path == "/demo/late" {
				io.WriteString(w, "a")
			}
			panic("the secret")
		}),
	})
	w := get(h, "GET", "/demo/")
	if w.Code != 500 || w.Body.String() != "Internal server error\n" || w.Header().Get("Content-Length") != "" {
		t.Errorf("%d %q %v", w.Code, w.Body, w.Header())
	}
	if !strings.Contains(log.String(), "the secret") {
		t.Errorf("not logged: %q", log.String())
	}
	defer func() {
		if v := recover(); v != http.ErrAbortHandler {
			t.Errorf("a panic after the answer had begun: %v, want http.ErrAbortHandler", v)
		}
	}()
	get(h, "GET", "/demo/late")
}

// A prefix is taken off before routing and verifying, whether the proxy has
// done so or not, and however it is spelled.
func TestPathPrefix(t *testing.T) {
	for _, tt := range []struct {
		prefix, before string // before: what the request has in front
		path           string
		status         int
		answer         string
	}{
		{"/hark/", "", "/apps/1001/channels", 200, `{"channels":{}}`},
		{"/hark/", "/hark", "/apps/1001/channels", 200, `{"channels":{}}`},
		{"/hark", "/h%61rk", "/apps/1001/channels", 200, `{"channels":{}}`},
		{"/my hark", "/my%20hark", "/apps/1001/channels/a%40b", 200, `{"occupied":false}`},
		{"/hark", "/hark", "/apps/1001/channels/a%2Fb", 400, `…Invalid channel name "a/b"`},
		{"/hark", "/harkness", "/apps/1001/channels", 404, `Unknown path "/harkness/apps/1001/channels"` + "\n"},
	} {
		inBubble(t, tt.prefix+" "+tt.before+tt.path, func(t *testing.T, hub *channels.Hub, _ http.Handler) {
			h := httpapi.New(hub, httpapi.Config{PathPrefix: tt.prefix})
			call{path: tt.path, status: tt.status, answer: tt.answer, bend: func(r *http.Request) {
				u, err := url.ParseRequestURI(tt.before + r.URL.RequestURI())
				if err != nil {
					t.Fatal(err)
				}
				r.URL = u
			}}.check(t, h)
		})
	}
	hub, err := channels.New(config())
	if err != nil {
		t.Fatal(err)
	}
	if w := get(httpapi.New(hub, httpapi.Config{PathPrefix: "/hark"}), "GET", "/hark"); w.Code != 200 {
		t.Errorf("GET of the prefix itself: %d", w.Code)
	}
}

// While the hub drains it is not ready, but backends are still served.
func TestDraining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, err := channels.New(config())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- hub.Run(ctx) }()
		synctest.Wait()
		h := httpapi.New(hub, httpapi.Config{})
		for range 40 { // enough to be closed in several lots, idle ones first
			hubtest.Connect(t, hub)
		}
		time.Sleep(time.Second)
		c := hubtest.Connect(t, hub)
		c.Subscribe("c")
		c.Take()
		cancel()
		synctest.Wait()
		if w := get(h, "GET", "/ready"); w.Code != 503 || w.Body.String() != "not ok\n" {
			t.Errorf("/ready while draining: %d %q", w.Code, w.Body)
		}
		if w := get(h, "GET", "/live"); w.Code != 200 || w.Body.String() != "ok\n" {
			t.Errorf("/live while draining: %d %q", w.Code, w.Body)
		}
		call{body: event, status: 200, answer: "{}"}.check(t, h)
		c.Expect(`{"event":"e","channel":"c","data":"1"}`)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
