// Package realclients tests hark serve --dev as the program it is: built, started, talked to by clients that were written
// for Pusher, and ended by a signal.
//
//	node_test.go       conformance/js/exchange.mjs, users.mjs and control.mjs: pusher-js, laravel-echo and the official Node SDK
//	gosdk_test.go      the official Go SDK
//	php_test.go        requests and signatures, byte for byte as the official PHP SDK makes them
//	python_test.go     the same for the official Python SDK, with nothing but Python's standard library
//	demo_test.go       the demo page in headless Chromium, two users in three tabs
//	pusherjs_test.go   the real pusher-js in headless Chromium
//
// A program or package that a test needs and does not find is a failure that says what to install: make setup does it all.
package realclients

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pusher/pusher-http-go/v5"

	"hark/conformance/internal/inputs"
)

// deadline bounds every wait for another program.
const deadline = 20 * time.Second

// binaryDir is where the server's binary goes; set by TestMain.
var binaryDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "hark-realclients-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binaryDir = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// binary builds the server once, with the race detector if these tests run with it.
var binary = sync.OnceValues(func() (string, error) {
	if err := inputs.Below(filepath.Join("..", "..")); err != nil {
		return "", err
	}
	path := filepath.Join(binaryDir, "hark")
	args := []string{"build", "-pgo=off", "-o", path} // by the profile it would take a minute
	if raceEnabled() {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, "hark/cmd/hark")...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build hark/cmd/hark: %w\n%s", err, out)
	}
	return path, nil
})

func raceEnabled() bool {
	info, _ := debug.ReadBuildInfo()
	for _, s := range info.Settings {
		if s.Key == "-race" {
			return s.Value == "true"
		}
	}
	return false
}

// A server is a running hark serve --dev.
type server struct {
	pusherURL   string // http://KEY:SECRET@HOST:PORT/apps/ID
	host        string // with the port
	key, secret string
	sdk         *pusher.Client // the official Go SDK

	cmd   *exec.Cmd
	ended chan struct{} // closed when the process has ended, which output and err wait for
	mu    sync.Mutex
	out   bytes.Buffer // guarded by mu
	err   error        // of Wait
}

// serve starts a server on a free port; it ends with the test.
func serve(t *testing.T) *server {
	t.Helper()
	return serveAt(t, "127.0.0.1:0")
}

func serveAt(t *testing.T, listen string) *server {
	t.Helper()
	s, line := start(t, "PUSHER_URL=", "serve", "--dev", "--listen", listen)
	s.pusherURL = strings.TrimPrefix(line, "PUSHER_URL=")
	s.parse(t)
	if n := strings.Count(s.output(), "\nPUSHER_URL="); n > 1 {
		t.Errorf("%d PUSHER_URL lines, want one", n)
	}
	return s
}

// start runs the binary until the test ends, and waits for a line of its output with a certain text in it.
func start(t *testing.T, text string, args ...string) (s *server, line string) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s = &server{cmd: exec.Command(path, args...), ended: make(chan struct{})}
	s.cmd.Env = environment()
	s.cmd.Stdout, s.cmd.Stderr = write, write
	err = s.cmd.Start()
	_ = write.Close() // the process has its own
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.stop(t) })

	found := make(chan string, 1)
	go func() { // ends with the process
		defer close(s.ended)
		for lines := bufio.NewScanner(read); lines.Scan(); {
			s.print(lines.Text())
			if strings.Contains(lines.Text(), text) {
				select {
				case found <- lines.Text():
				default:
				}
			}
		}
		_ = read.Close()
		s.err = s.cmd.Wait()
	}()
	select {
	case line = <-found:
	case <-s.ended: // perhaps after it printed the line, but no use any more
		t.Fatalf("hark %v ended: %v\n%s", args, s.err, s.output())
	case <-time.After(deadline):
		t.Fatalf("hark %v printed no line with %s\n%s", args, text, s.output())
	}
	return s, line
}

// environment is the test's without what would configure a server.
func environment() []string {
	var env []string
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		prefix, _, _ := strings.Cut(name, "_")
		switch prefix {
		case "HARK", "PUSHER", "REVERB", "SOKETI", "SOCKUDO", "PORT":
		default:
			env = append(env, v)
		}
	}
	return env
}

func (s *server) parse(t *testing.T) {
	t.Helper()
	u, err := url.Parse(s.pusherURL)
	if err != nil {
		t.Fatal(err)
	}
	s.host, s.key = u.Host, u.User.Username()
	s.secret, _ = u.User.Password()
	if s.sdk, err = pusher.ClientFromURL(s.pusherURL); err != nil {
		t.Fatalf("the Go SDK does not take %s: %v", s.pusherURL, err)
	}
}

// stop ends the server as an operator does, and fails the test if it does not end well. It may be called again.
func (s *server) stop(t *testing.T) {
	t.Helper()
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // fails if it has ended
	select {
	case <-s.ended:
	case <-time.After(deadline):
		_ = s.cmd.Process.Kill()
		<-s.ended
		t.Errorf("hark serve did not end on SIGTERM")
	}
	if s.err != nil {
		t.Errorf("hark serve ended with %v", s.err)
	}
	if t.Failed() {
		t.Logf("hark serve printed:\n%s", s.output())
	}
}

// print keeps a line that the server has printed.
func (s *server) print(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintln(&s.out, line)
}

func (s *server) output() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.String()
}

// untilCount waits until a channel has n sockets: for what a page does not show, and for the end of a connection, after
// which nothing arrives there that a test could wait for.
func (s *server) untilCount(t *testing.T, channel string, n int) {
	t.Helper()
	attributes := "subscription_count"
	for end := time.Now().Add(deadline); ; {
		c, err := s.sdk.Channel(channel, pusher.ChannelParams{Info: &attributes})
		if err != nil {
			t.Fatal(err)
		}
		if c.SubscriptionCount == n {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s has %d sockets, want %d", channel, c.SubscriptionCount, n)
		}
	}
}

// program finds the first of these programs, or fails with what to install.
func program(t *testing.T, debianPackage string, names ...string) string {
	t.Helper()
	var failed error
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err == nil {
			return path
		}
		failed = errors.Join(failed, err)
	}
	t.Fatalf("%v; install it with: apt-get install %s (make setup does)", failed, debianPackage)
	return ""
}
