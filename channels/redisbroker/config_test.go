package redisbroker_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"hark/channels"
	"hark/channels/redisbroker"
	"hark/channels/redisbroker/redistest"
)

func TestNewRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		c    redisbroker.Config
		want string
	}{
		{"braces", redisbroker.Config{Prefix: "a{b"}, "braces"},
		{"node", redisbroker.Config{Node: "a:b"}, "Node is \"a:b\""},
		{"partitions", redisbroker.Config{Partitions: -1}, "Partitions is -1"},
		{"lease", redisbroker.Config{Lease: time.Millisecond}, "Lease is 1ms"},
		{"beat", redisbroker.Config{Beat: 5 * time.Second}, "at most a third of Lease"},
		{"queue", redisbroker.Config{Queue: -1}, "may not be negative"},
	} {
		if _, err := redisbroker.New(tt.c); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestParseURL(t *testing.T) {
	for _, tt := range []struct {
		url     string
		addrs   string
		cluster bool
		master  string
		tls     bool
	}{
		{"redis://localhost:6379", "localhost:6379", false, "", false},
		{"rediss://u:p@redis.example:6380/2", "redis.example:6380", false, "", true},
		{"redis://a:1?addr=b:2&addr=c:3", "a:1 b:2 c:3", true, "", false},
		{"redis://a:1?cluster=true", "a:1", true, "", false},
		{"redis://a:1?master=main&addr=b:2", "a:1 b:2", false, "main", false},
	} {
		o, err := redisbroker.ParseURL(tt.url)
		if err != nil {
			t.Errorf("ParseURL(%q): %v", tt.url, err)
			continue
		}
		if strings.Join(o.Addrs, " ") != tt.addrs || o.IsClusterMode != tt.cluster || o.MasterName != tt.master || (o.TLSConfig != nil) != tt.tls {
			t.Errorf("ParseURL(%q) = %+v", tt.url, o)
		}
	}
	for _, url := range []string{"", "http://a:1", "redis:6379", "redis:///1", "unix:///redis", "redis://a:1?nonsense=1", "redis://a:1/1?cluster=true", "redis://u:pass%zzword@a:1"} {
		if _, err := redisbroker.ParseURL(url); err == nil || strings.Contains(err.Error(), "pass") {
			t.Errorf("ParseURL(%q): %v, want an error without the password", url, err)
		}
	}
}

// Nodes that do not share their partitions would not share their order.
func TestPartitionsDiffer(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	c := redisbroker.Config{Redis: redis.UniversalOptions{Addrs: []string{s.Addr()}}, Prefix: prefix()}
	run(t, c)
	c.Partitions = 5
	err := open(t, c).Run(t.Context(), make(silent, 1))
	if err == nil || !strings.Contains(err.Error(), "32 partitions") {
		t.Errorf("Run: %v, want an error that says how many partitions the others have", err)
	}
}

// A broker whose Redis is not there waits for it, and ends when it is told to.
func TestNoRedis(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	b := open(t, redisbroker.Config{Redis: redis.UniversalOptions{Addrs: []string{"127.0.0.1:1"}}})
	done := make(chan error, 1)
	told := make(silent, 1)
	go func() { done <- b.Run(ctx, told) }()
	if err := <-told; !errors.Is(err, channels.ErrUnavailable) {
		t.Errorf("State(%v), want ErrUnavailable", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
}

// What is wrong with a login is said as Redis says it.
func TestWrongPassword(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	o := redis.UniversalOptions{Addrs: []string{s.Addr()}, Username: "nobody", Password: "wrong"}
	ctx, cancel := context.WithCancel(t.Context())
	told, done := make(silent, 1), make(chan error, 1)
	b := open(t, redisbroker.Config{Redis: o})
	go func() { done <- b.Run(ctx, told) }()
	if err := <-told; !errors.Is(err, channels.ErrUnavailable) || !strings.Contains(err.Error(), "WRONGPASS") {
		t.Errorf("State(%v), want what Redis says", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
}

// A silent Sink passes on what it is told of the state, once.
type silent chan error

func (s silent) Deliver(channels.Envelope)                      {}
func (s silent) Answer(context.Context, string) (string, error) { return "here", nil }
func (s silent) Gap(channels.Place, channels.Snapshot)          {}
func (s silent) Correct(channels.Place, channels.Snapshot)      {}
func (s silent) State(err error) {
	select {
	case s <- err:
	default:
	}
}
