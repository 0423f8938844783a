package redisbroker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// errUnfit says that a Redis will not do.
var errUnfit = errors.New("redisbroker: this Redis will not do")

// oldest is the oldest major version: sharded pub/sub, and scripts that may ask for
// the time before they write, came with it.
const oldest = 7

// check looks whether the Redis is one that keeps the promises. What cannot be lived
// with is an error; what an operator should know is logged.
func (b *Broker) check(ctx context.Context) error {
	ctx, cancel := b.within(ctx)
	defer cancel()
	var err error
	if cluster, ok := b.client.(*redis.ClusterClient); ok {
		err = cluster.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error { return b.checkOne(ctx, c) })
	} else {
		err = b.checkOne(ctx, b.client)
	}
	if err != nil {
		return err
	}
	about := b.control.keys.about()
	if err := b.client.HSetNX(ctx, about, "partitions", b.config.Partitions).Err(); err != nil {
		return err
	}
	there, err := b.client.HGet(ctx, about, "partitions").Result()
	if err != nil {
		return err
	}
	if there != strconv.Itoa(b.config.Partitions) {
		return fmt.Errorf("%w: other nodes with the prefix %q have %s partitions, this one is configured for %d",
			errUnfit, b.config.Prefix, there, b.config.Partitions)
	}
	return nil
}

func (b *Broker) checkOne(ctx context.Context, c redis.Cmdable) error {
	info, err := c.Info(ctx, "server").Result()
	if err != nil {
		return err
	}
	version := field(info, "redis_version")
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err != nil || n < oldest {
		return fmt.Errorf("%w: it is version %q, and Hark needs %d.0 or newer", errUnfit, version, oldest)
	}
	for _, want := range []struct{ setting, value, why string }{
		{"appendonly", "yes", "what was accepted may be lost when Redis restarts"},
		{"maxmemory-policy", "noeviction", "Redis may throw away who is present and what was published when its memory is full"},
	} {
		got, err := c.ConfigGet(ctx, want.setting).Result()
		if err != nil {
			b.config.Logger.Info("the settings of Redis cannot be read", "setting", want.setting, "wanted", want.value, "error", err)
			continue
		}
		if got[want.setting] != want.value {
			b.config.Logger.Warn("a setting of Redis should be another: "+want.why,
				"setting", want.setting, "is", got[want.setting], "wanted", want.value)
		}
	}
	return nil
}

// field returns a line of INFO.
func field(info, name string) string {
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
