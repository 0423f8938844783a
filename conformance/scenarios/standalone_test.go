package scenarios

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
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
		s := startServer(t, path)
		w.servers = append(w.servers, s)
		w.hosts = append(w.hosts, s.host)
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

// A server is a process that runs hark serve.
type server struct {
	host    string // with the port
	process *os.Process
	killed  atomic.Bool
}

// kill ends the server at once, as if its machine had lost power.
func (s *server) kill() error {
	s.killed.Store(true)
	return s.process.Kill()
}

// startServer runs hark serve until the test ends.
func startServer(t *testing.T, file string) *server {
	t.Helper()
	hark, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(hark, "serve", "--config", file)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"),
		"GORACE=atexit_sleep_ms=0", // else each server with the race detector takes a second to end
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = write, write
	err = cmd.Start()
	_ = write.Close() // the process has its own
	if err != nil {
		t.Fatal(err)
	}
	s := &server{process: cmd.Process}
	var out output
	address, ended := make(chan string, 1), make(chan error, 1)
	go func() { // ends with the process
		for lines := bufio.NewScanner(read); lines.Scan(); {
			out.add(lines.Text())
			if _, after, ok := strings.Cut(lines.Text(), "msg=listening address="); ok {
				host, _, _ := strings.Cut(after, " ")
				address <- host
			}
		}
		_ = read.Close()
		ended <- cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // fails if it has ended
		var err error
		select {
		case err = <-ended:
		case <-time.After(deadline):
			err = errors.Join(errors.New("it did not end on SIGTERM"), cmd.Process.Kill())
			<-ended
		}
		if err != nil && !s.killed.Load() {
			t.Errorf("hark serve: %v", err)
		}
		if t.Failed() {
			t.Logf("hark serve printed:\n%s", out.text())
		}
	})
	select {
	case s.host = <-address:
	case err := <-ended:
		ended <- err
		t.Fatalf("hark serve ended: %v\n%s", err, out.text())
	case <-time.After(deadline):
		t.Fatalf("hark serve does not say where it listens:\n%s", out.text())
	}
	return s
}

// An output is what a program has printed.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func (o *output) add(line string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	fmt.Fprintln(&o.buf, line)
}

func (o *output) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
