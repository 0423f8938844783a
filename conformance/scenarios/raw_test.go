package scenarios

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/coder/websocket"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"hark/authz"
	"hark/protocol"
)

// A raw is a websocket with no client library on top: for what pusher-js would not send, and for cookies, which it does
// not send in Node.
type raw struct {
	t    *testing.T
	conn *websocket.Conn
	id   string
}

// A message is what came on a raw: as it came.
type message struct {
	Event   string         `json:"event"`
	Channel string         `json:"channel,omitzero"`
	Data    jsontext.Value `json:"data"`
	UserID  string         `json:"user_id,omitzero"`
}

// dial opens a raw, with these headers beside those of a websocket, and reads connection_established.
func (w *world) dial(path string, header http.Header) *raw {
	w.t.Helper()
	c := w.dialOnly(path, header)
	var data struct {
		SocketID string `json:"socket_id"`
	}
	m := c.next()
	if err := json.Unmarshal([]byte(m.text()), &data); err != nil || data.SocketID == "" {
		w.t.Fatalf("first message: %+v, %v", m, err)
	}
	c.id = data.SocketID
	return c
}

// dialOnly opens a raw and reads nothing.
func (w *world) dialOnly(path string, header http.Header) *raw {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), deadline)
	defer cancel()
	url := fmt.Sprintf("ws://%s%s/app/k%d?protocol=7&client=test&version=1", w.host(), path, w.n)
	conn, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.CloseNow() })
	conn.SetReadLimit(1 << 20)
	return &raw{t: w.t, conn: conn}
}

// write sends a text message.
func (c *raw) write(text string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), deadline)
	defer cancel()
	if err := c.conn.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		c.t.Fatalf("write %.60s: %v", text, err)
	}
}

// send sends an event.
func (c *raw) send(event, channel string, data any) {
	c.t.Helper()
	m := map[string]any{"event": event, "data": data}
	if channel != "" {
		m["channel"] = channel
	}
	text, err := json.Marshal(m)
	if err != nil {
		c.t.Fatal(err)
	}
	c.write(string(text))
}

// read reads a message, or says why there is none.
func (c *raw) read() (message, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), deadline)
	defer cancel()
	_, text, err := c.conn.Read(ctx)
	if err != nil {
		return message{}, err
	}
	var m message
	return m, json.Unmarshal(text, &m)
}

func (c *raw) next() message {
	c.t.Helper()
	m, err := c.read()
	if err != nil {
		c.t.Fatal(err)
	}
	return m
}

// expect reads a message, which has to have this event and channel.
func (c *raw) expect(event, channel string) message {
	c.t.Helper()
	m := c.next()
	if m.Event != event || m.Channel != channel {
		c.t.Fatalf("got %s on %q with %s, want %s on %q", m.Event, m.Channel, m.Data, event, channel)
	}
	return m
}

// closed reads until the connection is closed, which has to be with this code, and returns what came before.
func (c *raw) closed(code int) []message {
	c.t.Helper()
	var before []message
	for {
		m, err := c.read()
		if err == nil {
			before = append(before, m)
			continue
		}
		if got := websocket.CloseStatus(err); got != websocket.StatusCode(code) {
			c.t.Fatalf("the connection ended with %v, want a close with %d", err, code)
		}
		return before
	}
}

// text is the string that Data holds, or Data itself where it is none.
func (m message) text() string {
	var s string
	if json.Unmarshal(m.Data, &s) != nil {
		return string(m.Data)
	}
	return s
}

func unmarshal(text string, to any) error { return json.Unmarshal([]byte(text), to) }

// signed subscribes with a signature of the app's own, and with no grant.
func (w *world) signed(c *raw, channel string) {
	w.t.Helper()
	auth := authz.Key{Key: "k1", Secret: "s1"}.ChannelAuth(protocol.SocketID(c.id), channel, "", false)
	c.send("pusher:subscribe", "", map[string]string{"channel": channel, "auth": auth})
}

// upgradeStatus returns what an upgrade that comes to nothing is answered.
func (w *world) upgradeStatus(header http.Header) int {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), deadline)
	defer cancel()
	conn, r, err := websocket.Dial(ctx, "ws://"+w.host()+"/app/k1?protocol=7", &websocket.DialOptions{HTTPHeader: header})
	if err == nil {
		_ = conn.CloseNow()
		w.t.Fatal("the upgrade succeeded")
	}
	if r == nil {
		w.t.Fatalf("the upgrade was not answered: %v", err)
	}
	return r.StatusCode
}
