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
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pusher/pusher-http-go/v5"

	"hark/conformance/internal/process"
)

func TestMain(m *testing.M) { os.Exit(process.Main(m)) }

// A server is a running hark serve --dev.
type server struct {
	process     *process.Process
	pusherURL   string // http://KEY:SECRET@HOST:PORT/apps/ID
	host        string // with the port
	key, secret string
	sdk         *pusher.Client // the official Go SDK
}

// serve starts a server on a free port; it ends with the test.
func serve(t *testing.T) *server {
	t.Helper()
	return serveAt(t, "127.0.0.1:0")
}

func serveAt(t *testing.T, listen string) *server {
	t.Helper()
	s := &server{}
	s.process, s.host = process.Serve(t, nil, "--dev", "--listen", listen)
	lines := strings.Split(s.process.Output(), "\nPUSHER_URL=")
	if len(lines) != 2 {
		t.Fatalf("%d PUSHER_URL lines, want one", len(lines)-1)
	}
	s.pusherURL, _, _ = strings.Cut(lines[1], "\n")
	u, err := url.Parse(s.pusherURL)
	if err != nil {
		t.Fatal(err)
	}
	s.key = u.User.Username()
	s.secret, _ = u.User.Password()
	if s.sdk, err = pusher.ClientFromURL(s.pusherURL); err != nil {
		t.Fatalf("the Go SDK does not take %s: %v", s.pusherURL, err)
	}
	return s
}

// untilCount waits until a channel has n sockets: for what a page does not show, and for the end of a connection, after
// which nothing arrives there that a test could wait for.
func (s *server) untilCount(t *testing.T, channel string, n int) {
	t.Helper()
	attributes := "subscription_count"
	for end := time.Now().Add(process.Deadline); ; {
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
