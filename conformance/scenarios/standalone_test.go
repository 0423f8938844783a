package scenarios

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hark/conformance/internal/process"
)

// A standalone is hark serve, as the program that it is, with an application that it asks over HTTP.
type standalone struct {
	server   string // more keys of the file
	app      string // more keys of the app, each line with four spaces in front
	callback string // more keys of its callback, as in {a: b, c: d}
	answers  map[string]answerer
	apps     int  // 2: there is another app like it; 0: there is not
	x2       bool // played by [nodes], too
}

func (standalone) mode() string { return "S" }

// file is the configuration.
func (s standalone) file(callback, redis string) string {
	more := ""
	if s.callback != "" {
		more = ", " + s.callback
	}
	var text strings.Builder
	fmt.Fprintf(&text, `listen: 127.0.0.1:0
drain: 0s
redis: %q
%s
apps:
`, redis, s.server)
	for n := range max(s.apps, 1) {
		auth := ""
		if n > 0 {
			auth = "    auth: {channels_path: /pusher2/auth, users_path: /pusher2/user-auth}\n"
		}
		fmt.Fprintf(&text, `  - id: "%d"
    keys: [{key: k%[1]d, secret: s%[1]d}]
    client_events: true
    callback: {url: %[2]q, authenticate: true%[3]s}
%[4]s
%s`, n+1, callback, more, s.app, auth)
	}
	return text.String()
}

func (s standalone) start(t *testing.T) *world { return s.startNodes(t, "", 1) }

// startNodes starts so many servers that share a Redis. Clients connect to them in turn, and ask the first who they are;
// backends ask the last.
func (s standalone) startNodes(t *testing.T, redis string, nodes int) *world {
	w := newWorld(t)
	w.cb = startCallbacks(t, w, s.answers)
	path := filepath.Join(t.TempDir(), "hark.yaml")
	if err := os.WriteFile(path, []byte(s.file(w.cb.url, redis)), 0o600); err != nil {
		t.Fatal(err)
	}
	for range nodes {
		server, host := process.Serve(t, nil, "--config", path)
		w.servers = append(w.servers, server)
		w.hosts = append(w.hosts, host)
	}
	for _, host := range w.hosts { // a server listens before it has found Redis, and says so meanwhile
		w.untilReady(host)
	}
	w.auth, w.rest = "http://"+w.hosts[0]+"/pusher", w.hosts[nodes-1]
	return w
}

// untilReady waits, as a load balancer would, until a server takes traffic.
func (w *world) untilReady(host string) {
	w.t.Helper()
	for end := time.Now().Add(deadline); w.call("GET", "http://"+host+"/ready", "", nil).status != 200; {
		if time.Now().After(end) {
			w.t.Fatalf("the server is not ready after %v", deadline)
		}
	}
}
