package conformance

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"hark/protocol"
)

// A client is one that a transcript has connected.
type client struct {
	name     string
	app      *App
	conn     *websocket
	id       string        // "" until it was told
	activity time.Duration // the activity_timeout it was told
	gone     bool          // the connection has ended, as it should
	// channels are those it is on, by subscription_succeeded.
	channels map[string]bool
	awaits   string // data of the event that shows a silence to it; "" for none
	// refused are subscription_errors that may follow, by channel.
	refused map[string]string
}

// defaultPath is what a client asks for if nothing else is said.
const defaultPath = "/app/%s?protocol=7&client=conformance&version=1.0.0&flash=false"

// connect connects a client, and takes connection_established if that is wanted.
func (p *player) connect(name, app, path string, established bool) error {
	if old := p.clients[name]; old != nil && !old.gone {
		return p.wrong(fmt.Errorf("%s is connected already", name))
	}
	a := p.config.app(app)
	if a == nil {
		return p.wrong(fmt.Errorf("there is no app %s", app))
	}
	path, err := p.expand(path)
	if err != nil {
		return err
	}
	if path == "" {
		path = fmt.Sprintf(defaultPath, a.Keys[0].Key)
	}
	conn, err := p.dial(path)
	if err != nil {
		return p.fail("a websocket", err.Error())
	}
	c := &client{
		name: name, app: a, conn: conn,
		channels: make(map[string]bool), refused: make(map[string]string),
	}
	p.clients[name] = c
	p.sorted = append(p.sorted, c)
	if !established {
		return nil
	}
	return p.hear(c, `{"event":"pusher:connection_established",
		"data as json":{"socket_id":"{integer}.{integer}","activity_timeout":"{integer}"}}`)
}

// dial opens a websocket.
func (p *player) dial(path string) (*websocket, error) {
	u, err := url.Parse(p.target.URL)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(p.ctx, p.target.patience())
	defer cancel()
	addr := u.Host
	if u.Port() == "" {
		addr = net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	}
	conn, err := p.target.dial(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if u.Scheme == "https" {
		conn = tls.Client(conn, &tls.Config{ServerName: u.Hostname()})
	}
	return handshake(ctx, conn, u.Host, path)
}

// say sends a text message.
func (p *player) say(c *client, text string) error {
	text, err := p.expand(text)
	if err != nil {
		return err
	}
	return p.send(c, "text", []string{text})
}

// send sends a frame, a message in fragments, or bytes. A server that closes
// while it is being sent to is found out by what the client hears.
func (p *player) send(c *client, kind string, parts []string) error {
	if kind == "wire" {
		_ = c.conn.sendWire([]byte(parts[0]))
		return nil
	}
	b := make([][]byte, len(parts))
	for i, part := range parts {
		b[i] = []byte(part)
	}
	_ = c.conn.send(kind, b...)
	return nil
}

// sayEvent sends an event that the suite itself makes up.
func (p *player) sayEvent(c *client, event string, data any) {
	text := encode(map[string]any{"event": event, "data": data})
	_ = p.send(c, "text", []string{text})
}

func (p *player) subscribe(c *client, channel, data string, hasData bool) error {
	channel, err := p.expand(channel)
	if err != nil {
		return err
	}
	if data, err = p.expand(data); err != nil {
		return err
	}
	body := map[string]string{"channel": channel}
	if hasData {
		body["channel_data"] = data
	}
	if needsAuth(channel) {
		body["auth"] = c.app.Keys[0].channelAuth(c.id, channel, data, hasData)
	}
	p.sayEvent(c, protocol.EventSubscribe, body)
	return nil
}

// succeeds takes the success of a subscribe. Its data is not looked at: cases
// that are about it say so, and the others are about something else.
func (p *player) succeeds(c *client, channel string) error {
	channel, err := p.expand(channel)
	if err != nil {
		return err
	}
	want := encode(map[string]string{"event": protocol.EventSubscriptionSucceeded, "channel": channel})
	text, err := p.message(c, want)
	if err != nil {
		return err
	}
	got, err := parseJSON(text)
	if err != nil {
		return p.failSince(want, text, err.Error())
	}
	m, _ := got.(map[string]any)
	if m["event"] != protocol.EventSubscriptionSucceeded || m["channel"] != channel {
		return p.fail(want, text)
	}
	c.learn(got)
	return nil
}

// signIn sends a pusher:signin, and takes the success if that is wanted: it
// repeats the user data to the byte.
func (p *player) signIn(c *client, data string, succeeds bool) error {
	data, err := p.expand(data)
	if err != nil {
		return err
	}
	auth := c.app.Keys[0].userAuth(c.id, data)
	p.sayEvent(c, protocol.EventSignin, map[string]string{"auth": auth, "user_data": data})
	if !succeeds {
		return nil
	}
	return p.hear(c, encode(map[string]any{
		"event": protocol.EventSigninSuccess, dataAsJSON: map[string]string{"user_data": data},
	}))
}

func (p *player) unsubscribe(c *client, channel string) error {
	channel, err := p.expand(channel)
	if err != nil {
		return err
	}
	delete(c.channels, channel)
	p.sayEvent(c, protocol.EventUnsubscribe, map[string]string{"channel": channel})
	return nil
}

// close closes from the client's side, which the server answers.
func (p *player) close(c *client) error {
	_ = c.conn.send("close", normalClosure)
	got, err := p.next(c, p.target.patience())
	if err != nil {
		return err
	}
	if got.kind != "closed" || got.code != 1000 && got.code != 0 {
		return p.fail("closed 1000", got.String())
	}
	return p.drop(c)
}

// drop ends the connection without a word.
func (p *player) drop(c *client) error {
	c.gone = true
	c.conn.close()
	return nil
}

// learn remembers what a message tells the client about itself.
func (c *client) learn(message any) {
	m, ok := message.(map[string]any)
	if !ok {
		return
	}
	channel, _ := m["channel"].(string)
	switch m["event"] {
	case protocol.EventSubscriptionSucceeded:
		c.channels[channel] = true
	case protocol.EventConnectionEstablished:
		var data struct {
			ID       string `json:"socket_id"`
			Activity int    `json:"activity_timeout"`
		}
		text, _ := m["data"].(string)
		if json.NewDecoder(strings.NewReader(text)).Decode(&data) == nil {
			c.id, c.activity = data.ID, time.Duration(data.Activity)*time.Second
		}
	}
}
