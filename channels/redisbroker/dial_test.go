package redisbroker_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"hark/authz"
	"hark/channels"
	"hark/channels/redisbroker"
	"hark/channels/redisbroker/redistest"
)

// What Redis closes while it is idle, since its timeout says so for instance, costs no
// call: another connection is made.
func TestIdleClosed(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		s := redistest.Start(t, redistest.Options{})
		idleClosed(t, s, redis.UniversalOptions{Addrs: []string{s.Addr()}})
	})
	t.Run("TLS", func(t *testing.T) {
		authority := redistest.NewAuthority(t)
		s := redistest.Start(t, redistest.Options{TLS: authority})
		idleClosed(t, s, redis.UniversalOptions{Addrs: []string{s.Addr()}, TLSConfig: authority.Client()})
	})
}

// Sentinels, and the Redis that they name, are reached by TLS.
func TestSecureSentinels(t *testing.T) {
	authority := redistest.NewAuthority(t)
	g := redistest.StartSentinels(t, redistest.Start(t, redistest.Options{TLS: authority}), 0)
	n := run(t, redisbroker.Config{Prefix: prefix(), Redis: redis.UniversalOptions{
		Addrs: g.Addrs(), MasterName: g.Name, TLSConfig: authority.Client(),
	}})
	n.enter(place("a"), user("1.1", ""))
	n.publish(place("a"), "event")
	n.heard(place("a"), "event")
}

// A Redis whose certificate is for another name is none that the broker works with.
func TestWrongCertificate(t *testing.T) {
	authority := redistest.NewAuthority(t)
	s := redistest.Start(t, redistest.Options{TLS: authority})
	config := authority.Client()
	config.ServerName = "redis.example"
	ctx, cancel := context.WithCancel(t.Context())
	told, done := make(silent, 1), make(chan error, 1)
	b := open(t, redisbroker.Config{Redis: redis.UniversalOptions{Addrs: []string{s.Addr()}, TLSConfig: config}})
	go func() { done <- b.Run(ctx, told) }()
	if err := <-told; !errors.Is(err, channels.ErrUnavailable) || !strings.Contains(err.Error(), "redis.example") {
		t.Errorf("State(%v), want what is wrong with the certificate", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
}

// idleClosed makes each call that is not made again when it fails, and some others, with
// a node of its own.
func idleClosed(t *testing.T, s *redistest.Server, o redis.UniversalOptions) {
	p := place("presence-a")
	for name, call := range map[string]func(n *node) error{
		"Enter": func(n *node) error {
			_, err := n.Enter(t.Context(), p, user("1.2", "bob"))
			return err
		},
		"Publish": func(n *node) error {
			_, err := n.Publish(t.Context(), channels.Envelope{Place: p, Name: "event"})
			return err
		},
		"Publish of a command": func(n *node) error {
			_, err := n.Publish(t.Context(), channels.Envelope{
				Kind: channels.KindControl, Place: place(channels.ControlChannel), Control: &channels.Control{Version: 1, Do: "revoke"},
			})
			return err
		},
		"Ask": func(n *node) error {
			_, err := n.Ask(t.Context(), "who is there?")
			return err
		},
		"Info": func(n *node) error {
			_, err := n.Info(t.Context(), p)
			return err
		},
		"Members": func(n *node) error {
			_, err := n.Members(t.Context(), p)
			return err
		},
		"Occupied": func(n *node) error {
			_, err := n.Occupied(t.Context(), "1", "")
			return err
		},
		"KeepGrant": func(n *node) error {
			return n.KeepGrant(t.Context(), "1", "1.1", "private-x", authz.Grant{})
		},
		"TakeGrant": func(n *node) error {
			_, _, _, err := n.TakeGrant(t.Context(), "1", "1.1", "private-x")
			return err
		},
	} {
		n := run(t, redisbroker.Config{Redis: o, Prefix: prefix(), Timeout: patience})
		n.enter(p, user("1.1", "ada"))
		if closed := do(t, s, "CLIENT", "KILL", "TYPE", "normal"); closed == "0" {
			t.Fatalf("before %s there was no connection to close", name)
		}
		if err := call(n); err != nil {
			t.Errorf("%s after the connections were closed: %v", name, err)
		}
		n.stop()
		if n.outages > 0 {
			t.Errorf("%s: the node has told an outage", name)
		}
	}
}
