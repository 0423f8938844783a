package callback

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"hark/authz"
)

// Config says whom a [Client] asks, and within which bounds. Zero values take the defaults named here.
type Config struct {
	// App is the app's id. Required.
	App string
	// Key signs the questions, and verifies answers where that is required. Required.
	Key authz.Key
	// URL is the application's, http or https. Required.
	URL string
	// Headers are those of a client's request that the application sees; nil: Authorization, Cookie, Accept-Language;
	// empty: none. A Cookie is not sent beside an Authorization: an application might believe the wrong one of two users.
	Headers []string

	// Timeout bounds one question, all waiting included; 0: 3 s.
	Timeout time.Duration
	// EventTimeout is the same for client events; 0: 1 s.
	EventTimeout time.Duration
	// Concurrency is how many calls of a kind are under way at most; 0: 64.
	Concurrency int
	// Queue is how many more of a kind may wait; 0: 4096.
	Queue int
	// Gather is how long a socket's question about a channel waits for the next one; 0: 15 ms. The first of many waits for
	// four times as long, at most.
	Gather time.Duration
	// MaxCache is how long an answer may be remembered, whatever it says; 0: 60 s, which is also the most; negative: not
	// at all.
	MaxCache time.Duration
	// CacheEntries is how many decisions, and as many identities, are remembered; 0: 10 000.
	CacheEntries int
	// RequireResponseSignature takes an answer only with X-Hark-Signature: hex(HMAC-SHA256(secret, id + "." + body)), where
	// id is the question's and body the answer's.
	RequireResponseSignature bool

	// Counters is told what operators count; nil: nothing is counted.
	Counters Counters
	// Logger gets what an operator should see; nil: nothing is logged.
	Logger *slog.Logger
	// Transport carries the calls, each until its context ends; nil: one of its own, with a bounded number of connections.
	Transport http.RoundTripper
}

const mostCache = 60 * time.Second

func (c Config) withDefaults() Config {
	if c.Headers == nil {
		c.Headers = []string{"Authorization", "Cookie", "Accept-Language"}
	}
	c.Headers = slices.Clone(c.Headers)
	for i, name := range c.Headers {
		c.Headers[i] = http.CanonicalHeaderKey(name)
	}
	c.Timeout = orDefault(c.Timeout, authz.HookTimeout)
	c.EventTimeout = orDefault(c.EventTimeout, time.Second)
	c.Concurrency = orDefault(c.Concurrency, 64)
	c.Queue = orDefault(c.Queue, 4096)
	c.Gather = orDefault(c.Gather, 15*time.Millisecond)
	c.MaxCache = orDefault(c.MaxCache, mostCache)
	c.CacheEntries = orDefault(c.CacheEntries, 10_000)
	if c.Counters == nil {
		c.Counters = noCounters{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func orDefault[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

func (c Config) validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("callback: "+format, args...)) }
	if c.App == "" {
		bad("App is empty; it is the app's id")
	}
	if c.Key.Key == "" || c.Key.Secret == "" {
		bad("Key needs a key and a secret: the questions are signed with it")
	}
	switch u, err := url.Parse(c.URL); {
	case err != nil:
		bad("URL cannot be read") // it may hold a secret, which the error would show
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		bad("URL must begin with http:// or https:// and have a host")
	case u.User != nil:
		bad("URL must have no user or password; the application verifies X-Pusher-Signature")
	}
	for _, name := range c.Headers {
		if !isHeaderName(name) {
			bad("%q in Headers is no header's name", name)
		} else if reserved(name) {
			bad("%s in Headers is not a client's to say", name)
		}
	}
	if c.Timeout < 0 || c.EventTimeout < 0 || c.Gather < 0 || c.Concurrency < 0 || c.Queue < 0 || c.CacheEntries < 0 {
		bad("Timeout, EventTimeout, Gather, Concurrency, Queue and CacheEntries may not be negative")
	}
	if c.Gather > 0 && c.Gather >= c.Timeout {
		bad("Gather is %v, which leaves nothing of a Timeout of %v", c.Gather, c.Timeout)
	}
	if c.MaxCache > mostCache {
		bad("MaxCache is %v; the most is %v", c.MaxCache, mostCache)
	}
	return errors.Join(errs...)
}

func isHeaderName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		return !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

// reserved reports whether a header says something about the call itself.
func reserved(name string) bool {
	switch name {
	case "Accept-Encoding", "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Expect", "Host", "Idempotency-Key",
		"Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return strings.HasPrefix(name, "Proxy-") || strings.HasPrefix(name, "X-Pusher-") || strings.HasPrefix(name, "Hark-")
}

// newTransport returns a transport with at most so many connections.
func newTransport(c Config, conns int) *http.Transport {
	return &http.Transport{
		Proxy:                  nil, // whatever the environment says: the questions hold credentials
		DialContext:            (&net.Dialer{Timeout: c.Timeout}).DialContext,
		TLSHandshakeTimeout:    c.Timeout,
		MaxConnsPerHost:        conns,
		MaxIdleConns:           c.Concurrency,
		MaxIdleConnsPerHost:    c.Concurrency,
		IdleConnTimeout:        30 * time.Second, // before common servers and load balancers cut them
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true, // the signature of an answer covers the bytes that are sent
	}
}
