package channels_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"hark/channels"
	"hark/channels/hubtest"
	"hark/protocol"
)

func members(ids ...string) []protocol.Member {
	var all []protocol.Member
	for _, id := range ids {
		all = append(all, protocol.Member{UserID: id})
	}
	return all
}

// TestModel does random things with a hub and compares what every client hears
// with what a naive model says it must hear.
func TestModel(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		steps := rapid.SliceOfN(rapid.Custom(drawStep), 1, 60).Draw(r, "steps")
		synctest.Test(t, func(t *testing.T) {
			m := newModel(t)
			for i, s := range steps {
				m.do(s)
				for j, c := range m.clients {
					if got := byChannel(c.real.Take()); !slices.Equal(got, byChannel(c.want)) {
						t.Fatalf("step %d %+v: client %d heard\n %s\nwant\n %s", i, s, j,
							strings.Join(got, "\n "), strings.Join(c.want, "\n "))
					}
					c.want = nil
				}
			}
		})
		if t.Failed() {
			r.Fatal("the hub and the model disagree")
		}
	})
}

// byChannel brings the messages of each channel together, in their order: there
// is none between channels, and who hangs up leaves all of its own at once.
func byChannel(messages []string) []string {
	channel := func(m string) string {
		_, rest, _ := strings.Cut(m, `"channel":"`)
		name, _, _ := strings.Cut(rest, `"`)
		return name
	}
	slices.SortStableFunc(messages, func(a, b string) int { return strings.Compare(channel(a), channel(b)) })
	return messages
}

type step struct {
	Action          string
	Client          int
	Channel, Second int
}

var modelChannels = []string{"orders", "private-a", "presence-a", "presence-b"}

func drawStep(r *rapid.T) step {
	return step{
		Action: rapid.SampledFrom([]string{
			"connect", "subscribe", "subscribe", "subscribe", "unsubscribe", "hangup", "trigger", "trigger", "client event",
		}).Draw(r, "action"),
		Client:  rapid.IntRange(0, 5).Draw(r, "client"),
		Channel: rapid.IntRange(0, len(modelChannels)-1).Draw(r, "channel"),
		Second:  rapid.IntRange(0, len(modelChannels)-1).Draw(r, "second"),
	}
}

type model struct {
	t       *testing.T
	hub     *channels.Hub
	clients []*modelClient
	joined  map[string][]string // users of a presence channel in order of joining
	n       int
}

type modelClient struct {
	real *hubtest.Client
	user string
	on   map[string]bool
	gone bool
	want []string
}

func newModel(t *testing.T) *model {
	config := hubtest.Config()
	config.Apps[0].Limits.Members = 2
	config.Apps[0].Limits.ClientEvents = -1
	return &model{t: t, hub: hubtest.Start(t, config), joined: map[string][]string{}}
}

func (m *model) do(s step) {
	if s.Action == "connect" || s.Client >= len(m.clients) {
		if len(m.clients) < 6 {
			user := fmt.Sprintf("u%d", len(m.clients)%3)
			m.clients = append(m.clients, &modelClient{real: hubtest.Connect(m.t, m.hub), user: user, on: map[string]bool{}})
		}
		return
	}
	c, name := m.clients[s.Client], modelChannels[s.Channel]
	if c.gone {
		return
	}
	switch s.Action {
	case "subscribe":
		m.subscribe(c, name)
	case "unsubscribe":
		c.real.Unsubscribe(name)
		m.leave(c, name)
	case "hangup":
		c.real.Hangup()
		c.gone = true
		for _, name := range modelChannels {
			m.leave(c, name)
		}
	case "trigger":
		m.trigger(c, name, modelChannels[s.Second])
	case "client event":
		m.clientEvent(c, name)
	}
}

func (m *model) subscribe(c *modelClient, name string) {
	presence := strings.HasPrefix(name, "presence-")
	if presence {
		c.real.Join(name, c.user)
	} else {
		c.real.Subscribe(name)
	}
	users := m.joined[name]
	switch {
	case c.on[name]:
		c.want = append(c.want, `{"event":"pusher:error","data":{"code":null,"message":"Existing subscription to channel `+name+`"}}`)
		return
	case presence && !slices.Contains(users, c.user) && len(users) == 2:
		for _, f := range protocol.TooManyMembers(name, 2).Frames() {
			c.want = append(c.want, string(f.JSON()))
		}
		return
	case !presence:
		c.on[name] = true
		c.want = append(c.want, succeeded(name))
		return
	}
	if !slices.Contains(users, c.user) {
		m.tell(name, nil, "pusher_internal:member_added", `{"user_id":"`+c.user+`","user_info":{}}`, "")
		users = append(users, c.user)
		m.joined[name] = users
	}
	c.on[name] = true
	var hash []string
	for _, u := range users {
		hash = append(hash, fmt.Sprintf("%q:{}", u))
	}
	ids, _ := json.Marshal(users)
	data := fmt.Sprintf(`{"presence":{"count":%d,"ids":%s,"hash":{%s}}}`, len(users), ids, strings.Join(hash, ","))
	c.want = append(c.want, event("pusher_internal:subscription_succeeded", name, data))
}

func (m *model) leave(c *modelClient, name string) {
	if !c.on[name] {
		return
	}
	delete(c.on, name)
	for _, other := range m.clients {
		if other.user == c.user && other.on[name] {
			return
		}
	}
	if i := slices.Index(m.joined[name], c.user); i >= 0 {
		m.joined[name] = slices.Delete(m.joined[name], i, i+1)
		m.tell(name, nil, "pusher_internal:member_removed", `{"user_id":"`+c.user+`"}`, "")
	}
}

func (m *model) trigger(except *modelClient, names ...string) {
	m.n++
	data := fmt.Sprint(m.n)
	for i, name := range slices.Compact(names) {
		tr := channels.Trigger{Name: "e", Data: data, Channels: []string{name}}
		if i == 0 {
			tr.Except = except.real.ID()
			m.tell(name, except, "e", data, "")
		} else {
			m.tell(name, nil, "e", data, "")
		}
		trigger(m.t, m.hub, tr)
		synctest.Wait()
	}
}

func (m *model) clientEvent(c *modelClient, name string) {
	m.n++
	c.real.Say(`{"event":"client-e","channel":%q,"data":{"n":%d},"user_id":"forged"}`, name, m.n)
	switch {
	case name == "orders":
		c.want = append(c.want, string(protocol.ClientEventKind().Frame().JSON()))
	case !c.on[name]:
		c.want = append(c.want, string(protocol.ClientEventNotSubscribed(name).Frame().JSON()))
	default:
		user := ""
		if strings.HasPrefix(name, "presence-") {
			user = c.user
		}
		m.tell(name, c, "client-e", fmt.Sprintf(`{"n":%d}`, m.n), user)
	}
}

// tell adds an event to what everybody on a channel must hear.
func (m *model) tell(name string, except *modelClient, event, data, user string) {
	frame := protocol.Event{Name: event, Channel: name, Data: data, UserID: user}.AppendJSON(nil)
	for _, c := range m.clients {
		if c.on[name] && c != except {
			c.want = append(c.want, string(frame))
		}
	}
}
