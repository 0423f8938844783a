package redisbroker_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

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

// contract runs the suites, each test with a prefix of its own.
func contract(t *testing.T, options redis.UniversalOptions) {
	brokertest.Run(t, func(t *testing.T) channels.Broker {
		return open(t, redisbroker.Config{Redis: options, Prefix: prefix(), Timeout: patience})
	})
	t.Run("nodes", func(t *testing.T) { nodesContract(t, redisbroker.Config{Redis: options}) })
}

// nodesContract runs the suite of several nodes. It waits for one lease, and once as long as
// for Redis.
func nodesContract(t *testing.T, c redisbroker.Config) {
	brokertest.RunNodes(t, func(t *testing.T, n int) []channels.Broker {
		c.Prefix, c.Timeout, c.Handover = prefix(), 5*time.Second, 200*time.Millisecond
		var all []channels.Broker
		for range n {
			all = append(all, open(t, c))
		}
		return all
	})
}

func TestSingle(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	contract(t, redis.UniversalOptions{Addrs: []string{s.Addr()}})
}

func TestCluster(t *testing.T) {
	c := redistest.StartCluster(t, redistest.Options{}, redistest.Thirds...)
	contract(t, redis.UniversalOptions{Addrs: c.Addrs(), IsClusterMode: true})
}
