package redisbroker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/redis/go-redis/v9"

	"hark/authz"
	"hark/channels"
	"hark/protocol"
)

var _ channels.GrantStore = (*Broker)(nil)

// A grant is an authz.Grant as Redis keeps it, behind its Moment.
type grant struct {
	Identity authz.Identity `json:"identity"`
	Info     jsontext.Value `json:"info,omitzero"`
	TTL      int64          `json:"ttl_ns,omitzero"`
}

func encodeGrant(g authz.Grant) (string, error) {
	text, err := json.Marshal(grant{g.Identity, g.Info, int64(g.TTL)})
	if err != nil {
		return "", fmt.Errorf("redisbroker: encode a grant: %w", err)
	}
	return string(text), nil
}

// decodeGrant reads a Moment, a space and a grant.
func decodeGrant(text string) (authz.Grant, error) {
	moment, text, ok := strings.Cut(text, " ")
	n, err := strconv.ParseUint(moment, 10, 64)
	if !ok || err != nil {
		return authz.Grant{}, errReply
	}
	var g grant
	if err := json.Unmarshal([]byte(text), &g); err != nil {
		return authz.Grant{}, fmt.Errorf("redisbroker: a grant cannot be read: %w", err)
	}
	if g.TTL < 0 {
		return authz.Grant{}, errReply
	}
	return authz.Grant{Identity: g.Identity, Info: g.Info, TTL: time.Duration(g.TTL), Moment: n}, nil
}

// grantKey returns where a grant is kept, and in which partition.
func (b *Broker) grantKey(app string, id protocol.SocketID, channel string) (*partition, string) {
	at := channels.Place{App: app, Channel: string(id) + ":" + channel}
	p := b.partitionOf(at)
	return p, p.keys.of("g", at)
}

// KeepGrant implements channels.GrantStore.
func (b *Broker) KeepGrant(ctx context.Context, app string, id protocol.SocketID, channel string, g authz.Grant) error {
	if err := b.ready(); err != nil {
		return err
	}
	text, err := encodeGrant(g)
	if err != nil {
		return err
	}
	ctx, cancel := b.within(ctx)
	defer cancel()
	p, key := b.grantKey(app, id, channel)
	_, err = p.pipe.do(ctx, keepGrantScript, []string{key}, decimal(g.Moment), text, authz.GrantTTL.Milliseconds())
	return unavailable(err)
}

// TakeGrant implements channels.GrantStore.
func (b *Broker) TakeGrant(ctx context.Context, app string, id protocol.SocketID, channel string) (g authz.Grant, kept time.Duration, ok bool, err error) {
	if err := b.ready(); err != nil {
		return g, 0, false, err
	}
	ctx, cancel := b.within(ctx)
	defer cancel()
	p, key := b.grantKey(app, id, channel)
	reply, err := p.pipe.do(ctx, takeGrantScript, []string{key})
	if errors.Is(err, redis.Nil) {
		return g, 0, false, nil
	}
	if err != nil {
		return g, 0, false, unavailable(err)
	}
	if len(reply) != 2 {
		return g, 0, false, nil
	}
	text, _ := reply[0].(string)
	left, err := number(reply[1])
	if err != nil {
		return g, 0, false, unavailable(err)
	}
	if g, err = decodeGrant(text); err != nil {
		return g, 0, false, unavailable(err)
	}
	return g, max(authz.GrantTTL-time.Duration(left)*time.Millisecond, 0), true, nil
}
