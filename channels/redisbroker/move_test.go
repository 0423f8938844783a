package redisbroker_test

import (
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"hark/channels"
	"hark/channels/redisbroker"
	"hark/channels/redisbroker/redistest"
)

// A slot moves to another master while events are published: nothing is missing.
func TestSlotMoves(t *testing.T) {
	c := redistest.StartCluster(t, redistest.Options{}, redistest.Thirds...)
	config := short(redisbroker.Config{
		Redis:      redis.UniversalOptions{Addrs: c.Addrs(), IsClusterMode: true},
		Prefix:     prefix(),
		Partitions: 1,
	})
	a, b := run(t, config), run(t, config)
	p := place("presence-a")
	a.enter(p, user("1.1", "ada"))
	b.enter(p, user("2.1", "bob"))
	const events = 300
	for i := range events {
		if i == 100 {
			moveSlot(t, c, config.Prefix+":{p0}:")
		}
		for {
			if _, err := a.Publish(t.Context(), channels.Envelope{Place: p, Name: fmt.Sprint(i)}); err == nil {
				break
			}
		}
	}
	a.publish(p, "end")
	for name, n := range map[string]*node{"a": a, "b": b} {
		got := n.heard(p, "end")
		for i := range events {
			if !slices.Contains(got, fmt.Sprint(i)) {
				t.Errorf("node %s did not hear %d", name, i)
			}
		}
	}
	for { // for one lease it may be incomplete, as far as Redis knows
		if _, err := b.Info(t.Context(), p); err == nil {
			break
		}
		<-time.After(20 * time.Millisecond)
	}
	if info := b.info(p); info.Users != 2 || info.Sockets != 2 {
		t.Errorf("counted %+v, want 2 sockets of 2 users", info)
	}
	t.Logf("a: %s; b: %s", &a.counts, &b.counts)
}

// moveSlot moves the slot of a key to another master.
func moveSlot(t *testing.T, c *redistest.Cluster, key string) {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var clients []*redis.Client
	for _, addr := range c.Addrs() {
		client := redis.NewClient(&redis.Options{Addr: addr, Protocol: 2})
		defer client.Close()
		clients = append(clients, client)
	}
	slot, err := clients[0].ClusterKeySlot(ctx, key).Result()
	must(err)
	from := slices.IndexFunc(redistest.Thirds, func(s redistest.Slots) bool { return int(slot) >= s.First && int(slot) <= s.Last })
	to := (from + 1) % len(clients)
	fromID, err := clients[from].Do(ctx, "CLUSTER", "MYID").Text()
	must(err)
	toID, err := clients[to].Do(ctx, "CLUSTER", "MYID").Text()
	must(err)
	must(clients[to].Do(ctx, "CLUSTER", "SETSLOT", slot, "IMPORTING", fromID).Err())
	must(clients[from].Do(ctx, "CLUSTER", "SETSLOT", slot, "MIGRATING", toID).Err())
	host, port, err := net.SplitHostPort(c.Addrs()[to])
	must(err)
	for {
		keys, err := clients[from].ClusterGetKeysInSlot(ctx, int(slot), 100).Result()
		must(err)
		if len(keys) == 0 {
			break
		}
		args := []any{"MIGRATE", host, port, "", 0, 5000, "KEYS"}
		for _, k := range keys {
			args = append(args, k)
		}
		must(clients[from].Do(ctx, args...).Err())
	}
	for _, i := range []int{to, from} {
		must(clients[i].Do(ctx, "CLUSTER", "SETSLOT", slot, "NODE", toID).Err())
	}
}
