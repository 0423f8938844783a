package scenarios

import (
	"cmp"
	"flag"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	// deadline bounds every wait.
	deadline = 30 * time.Second

	succeeded = "pusher:subscription_succeeded"
)

// soon is how long what a client sees may take. It is only a second where nothing else runs on the machine.
var soon = flag.Duration("soon", deadline, "how long after something happens clients may hear of it")

// A client is one pusher-js client, which ends with its test. What it hears about something is read once, in order.
type client struct {
	*journal
	t      *testing.T
	name   string // for messages
	node   *node
	number int

	patience time.Duration // how long it waits for what happens
}

// A visitor is what a client shows of who it is.
type visitor struct {
	Path          string // in front of /app/KEY, at the upgrade
	Authorization string // at the auth endpoints
	Cookie        string // at the auth endpoints; a websocket of Node has none
}

// user is a visitor who says the same everywhere; "": a guest.
func user(id string) visitor {
	if id == "" {
		return visitor{}
	}
	return visitor{Path: "/t/" + id, Authorization: "Bearer " + id}
}

// client connects a client of a user, or of a guest, and waits until it is connected.
func (w *world) client(id string) *client {
	w.t.Helper()
	c := w.connect(user(id))
	c.connected()
	return c
}

// host returns where the next client connects.
func (w *world) host() string {
	next := w.hosts[0]
	w.hosts = append(w.hosts[1:], next)
	return next
}

// connect makes a client connect.
func (w *world) connect(v visitor) *client {
	w.t.Helper()
	return w.connectTo(w.host(), v)
}

// connectTo makes a client connect to what stands in front of the server.
func (w *world) connectTo(address string, v visitor) *client {
	w.t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		w.t.Fatal(err)
	}
	name := cmp.Or(v.Authorization, v.Cookie, "a guest")
	c := &client{t: w.t, name: name, node: theNode(w.t), patience: deadline}
	c.number, c.journal = c.node.follow()
	if w.first == 0 {
		w.first = c.number
	}
	r := request{Do: "connect", Key: fmt.Sprint("k", w.n), Host: host, Path: v.Path}
	r.Port, _ = strconv.Atoi(port)
	at := authorization{Cookie: v.Cookie, Headers: map[string]string{}}
	if v.Authorization != "" {
		at.Headers["Authorization"] = v.Authorization
	}
	forChannels, forUsers := at, at
	forChannels.Endpoint, forUsers.Endpoint = w.auth+"/auth", w.auth+"/user-auth"
	r.Auth, r.UserAuth = &forChannels, &forUsers
	c.do(r)
	w.t.Cleanup(func() {
		if w.t.Failed() && c.number <= w.first+10 {
			w.t.Logf("client %d (%s):\n%s", c.number, c.name, c.journal)
		}
		c.do(request{Do: "disconnect"})
	})
	return c
}

// do asks the client for something, and returns what it answers.
func (c *client) do(r request) jsontext.Value {
	c.t.Helper()
	r.Client = c.number
	v, err := c.node.ask(r)
	if err != nil {
		c.t.Errorf("%s: %s: %v", c.name, r.Do, err)
	}
	return v
}

// connected waits until the client is connected.
func (c *client) connected() {
	c.t.Helper()
	c.until("connection", "connected")
}

// subscribe subscribes, and waits until it has.
func (c *client) subscribe(channels ...string) {
	c.t.Helper()
	c.subscribing(channels...)
	for _, channel := range channels {
		if h := c.next(channel); h.Event != succeeded {
			c.t.Fatalf("%s subscribes to %s: %s", c.name, channel, h)
		}
	}
}

// subscribing begins to subscribe.
func (c *client) subscribing(channels ...string) {
	c.t.Helper()
	c.do(request{Do: "subscribe", Channels: channels})
}

func (c *client) disconnect() {
	c.t.Helper()
	c.do(request{Do: "disconnect"})
}

func (c *client) unsubscribe(channels ...string) {
	c.t.Helper()
	c.do(request{Do: "unsubscribe", Channels: channels})
}

// refused waits until a subscription has been refused with this status.
func (c *client) refused(channel string, status int) {
	c.t.Helper()
	h := c.next(channel)
	var data struct {
		Status int `json:"status"`
	}
	if h.Event != "pusher:subscription_error" || json.Unmarshal(h.Data, &data) != nil || data.Status != status {
		c.t.Fatalf("%s subscribes to %s: %s, want an error with status %d", c.name, channel, h, status)
	}
}

// signin signs in, and returns as whom.
func (c *client) signin() string {
	c.t.Helper()
	var id string
	if err := json.Unmarshal(c.do(request{Do: "signin"}), &id); err != nil {
		c.t.Fatalf("%s signs in: %v", c.name, err)
	}
	return id
}

// trigger sends a client event.
func (c *client) trigger(channel, event string, data any) {
	c.t.Helper()
	c.do(request{Do: "trigger", Channel: channel, Event: event, Data: data})
}

// message sends a message outside channels.
func (c *client) message(event string, data any) {
	c.t.Helper()
	c.do(request{Do: "send", Event: event, Data: data})
}

// state returns what the client's connection is, and its socket id.
func (c *client) state() (state, socket string) {
	c.t.Helper()
	var s struct{ State, Socket string }
	if err := json.Unmarshal(c.do(request{Do: "state"}), &s, json.MatchCaseInsensitiveNames(true)); err != nil {
		c.t.Fatal(err)
	}
	return s.State, s.Socket
}

// members returns how many members a presence channel has, as the client knows it.
func (c *client) members(channel string) int {
	c.t.Helper()
	var m struct {
		Count int `json:"count"`
	}
	if err := json.Unmarshal(c.do(request{Do: "members", Channel: channel}), &m); err != nil {
		c.t.Fatal(err)
	}
	return m.Count
}

// next returns what happens next.
func (c *client) next(on string) heard {
	c.t.Helper()
	return c.nextWithin(on, c.patience)
}

func (c *client) nextWithin(on string, within time.Duration) heard {
	c.t.Helper()
	h, ok := c.journal.next(on, within)
	if !ok {
		c.t.Fatalf("%s heard no more on %s within %v", c.name, on, within)
	}
	return h
}

// sees checks that this is what it hears next, and nothing in between. Each line is a name and the data, as JSON.
func (c *client) sees(on string, lines ...string) {
	c.t.Helper()
	for _, want := range lines {
		if h := c.nextWithin(on, *soon); h.String() != want {
			c.t.Fatalf("%s heard on %s: %s, want %s", c.name, on, h, want)
		}
	}
}

// until waits for a line, and passes over what comes before.
func (c *client) until(on, line string) {
	c.t.Helper()
	for c.next(on).String() != line {
	}
}

// heard returns the lines of all that it has heard.
func (c *client) heard(on string) string {
	var lines []string
	for _, h := range c.all(on) {
		lines = append(lines, h.String())
	}
	return strings.Join(lines, "\n")
}

// nothingMore shows that the clients hear nothing more on a channel that all of them are on: what is triggered there now
// comes next.
func (w *world) nothingMore(channel string, clients ...*client) {
	w.t.Helper()
	w.sentinels++
	w.trigger(channel, "sentinel", w.sentinels)
	for _, c := range clients {
		c.sees(channel, fmt.Sprint("sentinel ", w.sentinels))
	}
}
