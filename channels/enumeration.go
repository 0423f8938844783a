package channels

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"hark/authz"
)

// An enumeration is what a node wants to know of all nodes about the connections of an
// app, as JSON. A node that is told something that it does not know does not answer:
// it might say more than was asked for.
type enumeration struct {
	App   string   `json:"app"`
	About string   `json:"about"`
	To    Selector `json:"to"`
	After string   `json:"after,omitzero"` // the key behind which the list begins
	Limit int      `json:"limit"`
}

// What an enumeration may be about. Connections are listed by socket id, users by theirs.
const (
	aboutConnections = "connections"
	aboutUsers       = "users"
)

// A part is what one node says: the first of its list, as JSON.
type part[E any] struct {
	Entries []E  `json:"entries"`
	More    bool `json:"more,omitzero"` // its list goes on
}

const (
	// partBytes bounds the entries of a part. One is always there.
	partBytes = 512 << 10
	// maxListed is how many channels of a connection are listed.
	maxListed = 100
	// maxIdentity is how long an identity may be, as JSON, to be told as it is.
	maxIdentity = 16 << 10
	// enumerationSlice is how many connections are looked at before others have a turn.
	enumerationSlice = 1024
)

// Answer answers an enumeration of a node. One of an app is worked on at a time; the
// connections are looked at in a copy of their list, so that nobody waits for it.
func (k *sink) Answer(ctx context.Context, question string) (string, error) {
	h := (*Hub)(k)
	var q enumeration
	if err := json.Unmarshal([]byte(question), &q, json.RejectUnknownMembers(true)); err != nil {
		return "", fmt.Errorf("channels: the question is not understood: %w", err)
	}
	to, err := q.To.compile()
	if err != nil {
		return "", err
	}
	if q.Limit < 1 || q.Limit > MaxPage {
		return "", fmt.Errorf("channels: the question is for %d entries", q.Limit)
	}
	a := h.apps[q.App]
	if a != nil {
		select {
		case a.enumerating <- struct{}{}:
			defer func() { <-a.enumerating }()
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
	switch q.About {
	case aboutConnections:
		return a.answerConnections(ctx, q, to)
	case aboutUsers:
		return a.answerUsers(ctx, q, to)
	}
	return "", fmt.Errorf("channels: the question is about %q, which this node does not know", q.About)
}

func (a *App) answerConnections(ctx context.Context, q enumeration, to *matcher) (string, error) {
	found := newLowest[*Socket](q.After, q.Limit)
	err := a.enumerate(ctx, func(s *Socket) {
		if id := string(s.id); found.wants(id) && to.matches(s) {
			found.set(id, s)
		}
	})
	if err != nil {
		return "", err
	}
	return tellPart(found, (*Socket).describe)
}

func (a *App) answerUsers(ctx context.Context, q enumeration, to *matcher) (string, error) {
	found := newLowest[UserInfo](q.After, q.Limit)
	err := a.enumerate(ctx, func(s *Socket) {
		who := s.Identity()
		if !found.wants(who.ID) || !to.matchesAs(s, who) {
			return
		}
		found.set(who.ID, UserInfo{who, found.values[who.ID].Connections + 1})
	})
	if err != nil {
		return "", err
	}
	return tellPart(found, func(u UserInfo) UserInfo { return UserInfo{bounded(u.Identity), u.Connections} })
}

// enumerate calls f for the connections of the app that are open. An app that is nil,
// since this node does not have it, has none.
func (a *App) enumerate(ctx context.Context, f func(*Socket)) error {
	if a == nil {
		return nil
	}
	for i := range a.hub.sockets.parts {
		for n, s := range a.hub.sockets.parts[i].listOf(a) {
			if n%enumerationSlice == 0 {
				runtime.Gosched()
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
			}
			if !s.gone.Load() {
				f(s)
			}
		}
	}
	return nil
}

// tellPart returns the part that begins with what was found, as it is told.
func tellPart[V, E any](found *lowest[V], tell func(V) E) (string, error) {
	var p part[jsontext.Value]
	keys, bytes := found.cut(), 0
	for _, key := range keys {
		entry, err := json.Marshal(tell(found.values[key]), jsontext.AllowInvalidUTF8(true))
		if err != nil {
			return "", fmt.Errorf("channels: tell of %q: %w", key, err)
		}
		if bytes += len(entry); bytes > partBytes && len(p.Entries) > 0 {
			break
		}
		p.Entries = append(p.Entries, entry)
	}
	p.More = found.more || len(p.Entries) < len(keys)
	text, err := json.Marshal(p)
	return string(text), err
}

// describe returns what is told of the connection.
func (s *Socket) describe() ConnInfo {
	info := ConnInfo{
		Socket:   s.id,
		Identity: bounded(s.Identity()),
		Channels: s.listed(),
		Since:    s.hub.born.Add(time.Duration(s.since)).UTC().Truncate(time.Millisecond),
	}
	if info.Subscriptions = len(info.Channels); info.Subscriptions > maxListed {
		info.Channels = info.Channels[:maxListed]
	}
	return info
}

// listed returns the channels that the socket is on, in order, without those that the
// server keeps for itself.
func (s *Socket) listed() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := []string{}
	for sub := range s.subs.all {
		if sub.joined.Load() && !strings.HasPrefix(sub.Channel(), "#") {
			names = append(names, sub.Channel())
		}
	}
	slices.Sort(names)
	return names
}

// bounded returns an identity that is no longer than maxIdentity, or less of it.
func bounded(id authz.Identity) authz.Identity {
	if text, err := json.Marshal(id, jsontext.AllowInvalidUTF8(true)); err == nil && len(text) <= maxIdentity {
		return id
	}
	return authz.Identity{ID: id.ID, Tenant: id.Tenant}
}
