package redisbroker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"hark/channels"
	"hark/protocol"
)

// errSettling answers a question while nodes are still telling Redis what it has lost:
// what it knows may not be all.
var errSettling = errors.New("redisbroker: Redis has lost something, the nodes are telling it anew")

// occupiedPage is how many channels one call lists.
const occupiedPage = 500

// Info implements channels.Questions.
func (b *Broker) Info(ctx context.Context, at channels.Place) (channels.ChannelInfo, error) {
	p := b.partitionOf(at)
	rest, err := b.askPlace(ctx, p, infoScript, p.keys.all(at, ""))
	if err != nil {
		return channels.ChannelInfo{}, err
	}
	info, err := parseInfo(at.Channel, rest)
	return info, unavailable(err)
}

// Members implements channels.Questions.
func (b *Broker) Members(ctx context.Context, at channels.Place) ([]protocol.Member, error) {
	p := b.partitionOf(at)
	rest, err := b.askPlace(ctx, p, membersScript, p.keys.all(at, ""))
	if err != nil {
		return nil, err
	}
	if len(rest) != 1 {
		return nil, unavailable(errReply)
	}
	list, ok := rest[0].([]any)
	if ok && len(list) > 0 && list[0] == "" {
		list[0] = "0" // nobody has been here: there is no epoch
	}
	s, _, err := parseState(rest[0])
	return s.Members, unavailable(err)
}

// Occupied implements channels.Questions.
func (b *Broker) Occupied(ctx context.Context, app, prefix string) ([]channels.ChannelInfo, error) {
	ctx, cancel := b.within(ctx)
	defer cancel()
	var wg sync.WaitGroup
	lists := make([][]channels.ChannelInfo, len(b.partitions))
	errs := make([]error, len(b.partitions))
	for i, p := range b.partitions {
		wg.Go(func() { lists[i], errs[i] = b.occupiedIn(ctx, p, app, prefix) })
	}
	wg.Wait()
	all := []channels.ChannelInfo{}
	for i := range lists {
		if errs[i] != nil {
			return nil, errs[i]
		}
		all = append(all, lists[i]...)
	}
	return all, nil
}

func (b *Broker) occupiedIn(ctx context.Context, p *partition, app, prefix string) ([]channels.ChannelInfo, error) {
	var all []channels.ChannelInfo
	from, to := "["+prefix, "["+prefix+"\xff"
	base := escape.Replace(app) + ":"
	for {
		rest, err := b.askPlace(ctx, p, occupiedScript, []string{p.keys.occupied(app), p.keys.about()},
			from, to, p.keys.base+"p:"+base, p.keys.base+"u:"+base, occupiedPage)
		if err != nil {
			return nil, err
		}
		if len(rest) != 1 {
			return nil, unavailable(errReply)
		}
		list, ok := rest[0].([]any)
		if !ok || len(list)%6 != 0 {
			return nil, unavailable(errReply)
		}
		name := ""
		for i := 0; i < len(list); i += 6 {
			name, _ = list[i].(string)
			info, err := parseInfo(name, list[i+1:i+6])
			if err != nil {
				return nil, unavailable(err)
			}
			if info.Sockets > 0 {
				all = append(all, info)
			}
		}
		if len(list) < 6*occupiedPage {
			return all, nil
		}
		from = "(" + name
	}
}

// askPlace asks one partition.
func (b *Broker) askPlace(ctx context.Context, p *partition, s *script, ks []string, args ...any) ([]any, error) {
	if err := b.ready(); err != nil {
		return nil, err
	}
	ctx, cancel := b.within(ctx)
	defer cancel()
	reply, err := p.pipe.do(ctx, s, ks, args...)
	if err != nil {
		b.look()
		return nil, unavailable(err)
	}
	said, rest := status(reply)
	switch said {
	case "ok":
		return rest, nil
	case "settling":
		return nil, unavailable(errSettling)
	}
	return nil, unavailable(errReply)
}

// parseInfo reads the sockets, the users and the cached event of a channel.
func parseInfo(name string, v []any) (channels.ChannelInfo, error) {
	info := channels.ChannelInfo{Name: name}
	if len(v) != 5 {
		return info, errReply
	}
	var text [5]string
	for i := range v {
		var ok bool
		if text[i], ok = v[i].(string); !ok {
			return info, errReply
		}
	}
	var err1, err2 error
	info.Sockets, err1 = strconv.Atoi(text[0])
	info.Users, err2 = strconv.Atoi(text[1])
	left, err3 := strconv.ParseInt(text[4], 10, 64)
	if err := errors.Join(err1, err2, err3); err != nil {
		return info, fmt.Errorf("%w: %q", errReply, strings.Join(text[:], " "))
	}
	info.Cached = cachedFor(text[2], text[3], left)
	return info, nil
}
