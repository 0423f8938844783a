package hearing

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/go-json-experiment/json"

	"hark/authz"
	"hark/channels"
	"hark/channels/hubtest"
	"hark/channels/ws"
	"hark/httpapi"
	"hark/protocol"
)

// patience is how long a client waits for what has to come.
const patience = 30 * time.Second

// A network is a server behind real sockets, of which nothing is known but what Pusher's protocol and the API say.
type network struct {
	play    *play
	url     string
	barrier int
}

// The same on real websockets, with everything over HTTP: 10³ operations.
func TestWhoHearsWhatOnSockets(t *testing.T) {
	p := newPlay(t, 1)
	hub, err := channels.New(p.config())
	if err != nil {
		t.Fatal(err)
	}
	hubtest.Run(t, hub)
	var routes []httpapi.AuthRoute
	for app, endpoint := range p.endpoints(hub) {
		routes = append(routes, httpapi.AuthRoute{Channels: "/auth" + app, Users: "/user-auth" + app, Endpoint: endpoint})
	}
	server := httptest.NewServer(httpapi.New(hub, httpapi.Config{Websocket: ws.New(hub), Auth: routes}))
	t.Cleanup(server.Close)
	p.server = &network{play: p, url: server.URL}
	p.play(1000)
}

func (n *network) connect(app string, who authz.Identity) client {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	header := as(httptest.NewRequest("GET", "/", nil), who).Header
	conn, _, err := websocket.Dial(ctx, n.url+"/app/"+key(app).Key+"?protocol=7", &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		n.play.fail("connect: %v", err)
	}
	conn.SetReadLimit(-1)
	c := &remote{play: n.play, conn: conn, got: map[string][]string{}, told: map[string]int{}, changed: make(chan struct{}, 1)}
	n.play.t.Cleanup(func() { conn.CloseNow(); c.reading.Wait() })
	c.reading.Go(c.read)
	c.await("connection_established", func() bool { return c.socket != "" })
	return c
}

func (n *network) authorize(app string, who authz.Identity, socket protocol.SocketID, channel string) (int, string, string) {
	form := url.Values{"socket_id": {string(socket)}, "channel_name": {channel}}
	r, err := http.NewRequest("POST", n.url+"/auth"+app, strings.NewReader(form.Encode()))
	if err != nil {
		n.play.fail("%v", err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	status, body := n.do(as(r, who))
	return signed(n.play, status, body)
}

func (n *network) do(r *http.Request) (int, []byte) {
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		n.play.fail("%v", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		n.play.fail("%v", err)
	}
	return response.StatusCode, body
}

// post calls the API of an app.
func (n *network) post(app, path string, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		n.play.fail("%v", err)
	}
	path = "/apps/" + app + path
	query := authz.SignREST(key(app), "POST", path, nil, text, time.Now())
	r, err := http.NewRequest("POST", n.url+path+"?"+query.Encode(), bytes.NewReader(text))
	if err != nil {
		n.play.fail("%v", err)
	}
	r.Header.Set("Content-Type", "application/json")
	if status, answer := n.do(r); status != 200 {
		n.play.fail("POST %s %s: %d %s", path, text, status, answer)
	}
}

func (n *network) trigger(app string, to []string, event string, except protocol.SocketID, only *channels.Selector) {
	body := map[string]any{"name": event, "data": "{}", "channels": to}
	if except != "" {
		body["socket_id"] = except
	}
	if only != nil {
		body["only"] = only
	}
	n.post(app, "/events", body)
}

func (n *network) broadcast(app string, to channels.Selector, event string) {
	n.post(app, "/hark/broadcast", map[string]any{"to": to, "name": event, "data": "{}"})
}

func (n *network) revoke(app string, to channels.Selector, pattern string) {
	n.post(app, "/hark/revoke", map[string]any{"to": to, "channels": pattern, "reason": "test"})
}

func (n *network) recheck(app string, to channels.Selector, pattern string, questions int) {
	want := n.play.rechecked.Load() + int64(questions)
	n.post(app, "/hark/recheck", map[string]any{"to": to, "channels": pattern})
	for until := time.Now().Add(patience); n.play.rechecked.Load() < want; runtime.Gosched() {
		if time.Now().After(until) {
			n.play.fail("the policies were asked again %d times too few", want-n.play.rechecked.Load())
		}
	}
}

func (n *network) terminate(app string, to channels.Selector) {
	n.post(app, "/hark/terminate", map[string]any{"to": to, "reason": "test"})
}

// settle triggers something on every channel and waits for it to come: what was triggered before has come then, too, and so
// has what should not have.
func (n *network) settle(conns []*conn) {
	n.barrier++
	event := fmt.Sprintf("barrier%d", n.barrier)
	public := func(name string) bool { return !protocol.KindOf(name).IsCache() }
	for _, app := range apps {
		var plain []string
		for _, name := range names {
			if public(name) {
				plain = append(plain, name)
			}
		}
		n.post(app, "/events", map[string]any{"name": event, "data": "{}", "channels": plain})
		n.broadcast(app, channels.Everyone(), event)
		for _, c := range conns {
			if c.app != app {
				continue
			}
			r := c.client.(*remote)
			for channel := range c.on {
				if public(channel) {
					r.await(event+" on "+channel, func() bool { return r.told[event+channel] > 0 })
				}
			}
			r.await(event, func() bool { return r.told[event] > 0 })
			// A cache channel keeps what comes last, so that is no place for a barrier.
			for _, channel := range names {
				if want := c.expect[channel]; !public(channel) && len(want) > 0 {
					r.await(want[len(want)-1]+" on "+channel, func() bool { return slices.Contains(r.got[channel], want[len(want)-1]) })
				}
			}
		}
	}
}

// A remote client is one on a real websocket.
type remote struct {
	play    *play
	conn    *websocket.Conn
	reading sync.WaitGroup
	changed chan struct{} // capacity 1, never closed

	mu sync.Mutex
	// Guarded by mu.
	socket protocol.SocketID
	err    error // why the connection has ended; nil: it has not
	got    map[string][]string
	told   map[string]int // other messages, by name and channel
	taken  map[string]int // of them, what has been waited for; owned by the test
}

// read writes down what comes until the connection ends.
func (c *remote) read() {
	for {
		_, text, err := c.conn.Read(context.Background())
		if err != nil {
			c.mu.Lock()
			c.err = err
			c.mu.Unlock()
			return
		}
		c.take(text)
		select {
		case c.changed <- struct{}{}:
		default:
		}
	}
}

func (c *remote) take(text []byte) {
	var m struct {
		Event   string `json:"event"`
		Channel string `json:"channel"`
		Data    any    `json:"data"`
	}
	if err := json.Unmarshal(text, &m); err != nil {
		panic(err) // the server sends JSON
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if m.Event == "pusher:connection_established" {
		var data struct {
			SocketID protocol.SocketID `json:"socket_id"`
		}
		if err := json.Unmarshal([]byte(m.Data.(string)), &data); err != nil {
			panic(err)
		}
		c.socket = data.SocketID
	}
	note(c.got, string(text))
	c.told[m.Event+m.Channel]++
}

// await waits until something is true, which is asked with mu held.
func (c *remote) await(what string, f func() bool) {
	timeout := time.After(patience)
	for {
		c.mu.Lock()
		ok := f()
		c.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-c.changed:
		case <-timeout:
			c.play.fail("%s: %s has not come; %v %v", c.id(), what, c.err, c.told)
		}
	}
}

// next waits for one more of what is told by one of these names.
func (c *remote) next(names ...string) {
	c.await(strings.Join(names, " or "), func() bool {
		n := 0
		for _, name := range names {
			n += c.told[name]
		}
		if c.taken == nil {
			c.taken = map[string]int{}
		}
		if n <= c.taken[names[0]] {
			return false
		}
		c.taken[names[0]]++
		return true
	})
}

func (c *remote) id() protocol.SocketID {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.socket
}

// answers are what a subscribe to a channel is answered with. A subscription that has been taken back is told in the same
// words, so both are waited for in one row.
func answers(channel string) []string {
	return []string{"pusher:subscription_error" + channel, "pusher_internal:subscription_succeeded" + channel}
}

func (c *remote) ended(channel string) { c.next(answers(channel)...) }

func (c *remote) say(text string) {
	c.write(text)
	var m struct {
		Event string `json:"event"`
		Data  struct {
			Channel string `json:"channel"`
		} `json:"data"`
	}
	if err := json.Unmarshal([]byte(text), &m); err == nil && m.Event == "pusher:subscribe" {
		c.next(answers(m.Data.Channel)...)
		return
	}
	c.write(`{"event":"pusher:ping","data":{}}`)
	c.next("pusher:pong")
}

func (c *remote) write(text string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.conn.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		c.play.fail("%s: %v", c.id(), err)
	}
}

func (c *remote) heard() map[string][]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.got
}

func (c *remote) hangup() { c.conn.CloseNow() }
