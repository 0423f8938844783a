package redisbroker_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"hark/channels"
	"hark/channels/brokertest"
	"hark/channels/redisbroker"
	"hark/channels/redisbroker/redistest"
)

var prefixes atomic.Int64

// prefix returns one that no other test uses.
func prefix() string { return fmt.Sprintf("test%d", prefixes.Add(1)) }

func open(t *testing.T, c redisbroker.Config) *redisbroker.Broker {
	t.Helper()
	b, err := redisbroker.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSingle(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	brokertest.Run(t, func(t *testing.T) channels.Broker {
		return open(t, redisbroker.Config{Redis: redis.UniversalOptions{Addrs: []string{s.Addr()}}, Prefix: prefix()})
	})
}

func TestCluster(t *testing.T) {
	c := redistest.StartCluster(t, redistest.Options{}, redistest.Thirds...)
	brokertest.Run(t, func(t *testing.T) channels.Broker {
		return open(t, redisbroker.Config{Redis: redis.UniversalOptions{Addrs: c.Addrs(), IsClusterMode: true}, Prefix: prefix()})
	})
}
