package chaos

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"

	"hark/authz"
	"hark/channels"
	"hark/protocol"
)

// The app that is played with.
const appID = "1"

var key = authz.Key{Key: "key", Secret: "secret"}

// A line is one connection of a client to a node. The node tells it what comes, and when it has ended.
type line struct {
	// Static after construction.
	play   *play
	client *client
	node   string
	say    func(text string) // set by the node before the first message comes
	hangup func()            // set with it; does not block, and may be called more than once

	mu sync.Mutex
	// Guarded by mu.
	socket   protocol.SocketID
	sessions map[string]*session // by channel
	over     bool

	established chan struct{} // closed when the client knows its socket id
	ended       chan struct{} // closed when nothing more comes
}

func newLine(p *play, c *client, node string) *line {
	return &line{
		play: p, client: c, node: node, sessions: make(map[string]*session),
		established: make(chan struct{}), ended: make(chan struct{}),
	}
}

// A message is what a server sends, in one of the forms that matter here.
type message struct {
	Event   string `json:"event"`
	Channel string `json:"channel"`
	Data    string `json:"data"`
}

// data reads what is in a message's data.
func (m message) data(into any) {
	if err := json.Unmarshal([]byte(m.Data), into); err != nil {
		panic(fmt.Sprintf("%+v: %v", m, err)) // the server sends JSON
	}
}

// receive takes the next message.
func (l *line) receive(text []byte) {
	var m message
	if err := json.Unmarshal(text, &m); err != nil {
		l.play.blame("%s was sent %q: %v", l.client.name, text, err)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return
	}
	s := l.sessions[m.Channel]
	var member struct {
		UserID string `json:"user_id"`
	}
	switch {
	case m.Event == protocol.EventConnectionEstablished:
		var hello struct {
			SocketID protocol.SocketID `json:"socket_id"`
		}
		m.data(&hello)
		l.socket = hello.SocketID
		close(l.established)
	case m.Event == protocol.EventSubscriptionSucceeded:
		if s != nil {
			l.play.blame("%v: subscription_succeeded came twice", s)
			return
		}
		var state struct {
			Presence struct {
				IDs []string `json:"ids"`
			} `json:"presence"`
		}
		m.data(&state)
		l.sessions[m.Channel] = l.play.open(l, m.Channel, state.Presence.IDs)
	case m.Event == protocol.EventError:
		l.play.blame("%s at %s was sent %s", l.client.name, l.node, text)
	case s == nil:
		if m.Channel != "" {
			l.play.blame("%s at %s was sent %s before subscription_succeeded", l.client.name, l.node, text)
		}
	case m.Event == protocol.EventMemberAdded:
		m.data(&member)
		s.added(member.UserID)
	case m.Event == protocol.EventMemberRemoved:
		m.data(&member)
		s.removedMember(member.UserID)
	case m.Event == channels.EventGap:
		s.gap()
	case m.Event == "e":
		i, err := parseID(m.Data)
		if err != nil {
			l.play.blame("%v was sent %s: %v", s, text, err)
			return
		}
		s.event(i)
	}
}

// end says that the connection has ended: by the server, by the client, or because the node is no more. Only the first call
// counts.
func (l *line) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return
	}
	l.over = true
	for _, s := range l.sessions {
		s.end()
	}
	close(l.ended)
}

// session returns the subscription to a channel; nil: it has not succeeded yet.
func (l *line) session(channel string) *session {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sessions[channel]
}

// subscribe asks for a channel; on presence channels as a user.
func (l *line) subscribe(channel, user string) {
	l.mu.Lock()
	socket := l.socket
	l.mu.Unlock()
	data := map[string]string{"channel": channel}
	kind := protocol.KindOf(channel)
	if kind.IsPresence() {
		data["channel_data"] = fmt.Sprintf(`{"user_id":%q}`, user)
	}
	if kind.NeedsAuth() {
		data["auth"] = key.ChannelAuth(socket, channel, data["channel_data"], kind.IsPresence())
	}
	text, err := json.Marshal(map[string]any{"event": protocol.EventSubscribe, "data": data})
	if err != nil {
		panic(err) // strings only
	}
	l.say(string(text))
}

// isPresence reports whether a channel has members.
func isPresence(channel string) bool { return strings.HasPrefix(channel, "presence-") }

// sorted returns a sorted copy without doubles.
func sorted(words []string) []string {
	words = slices.Sorted(slices.Values(words))
	return slices.Compact(words)
}
