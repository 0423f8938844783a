package examples

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A client does what pusher-js does: it connects, and asks the auth endpoint before it subscribes.
type client struct {
	t      *testing.T
	host   string
	header http.Header // what says who it is
	conn   *websocket.Conn
	id     string
}

// An event as it came; Data is the text of a JSON string.
type event struct {
	Event   string `json:"event"`
	Channel string `json:"channel"`
	Data    string `json:"data"`
}

// dial connects with a header that says who it is; "": none.
func dial(t *testing.T, host, name, value string) *client {
	t.Helper()
	c := &client{t: t, host: host, header: http.Header{}}
	if name != "" {
		c.header.Set(name, value)
	}
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	var err error
	c.conn, _, err = websocket.Dial(ctx, "ws://"+host+"/app/app-key?protocol=7&client=test&version=1", &websocket.DialOptions{HTTPHeader: c.header})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.conn.CloseNow() })
	var established struct {
		SocketID string `json:"socket_id"`
	}
	if e := c.next(); json.Unmarshal([]byte(e.Data), &established) != nil || established.SocketID == "" {
		t.Fatalf("connecting with %s %s: %+v", name, value, e)
	}
	c.id = established.SocketID
	return c
}

// authorize asks for a channel.
func (c *client) authorize(channel string) (status int, answer []byte) {
	c.t.Helper()
	return c.ask(url.Values{"channel_name": {channel}})
}

// ask posts a form to the auth endpoint.
func (c *client) ask(form url.Values) (status int, answer []byte) {
	c.t.Helper()
	form.Set("socket_id", c.id)
	ctx, cancel := context.WithTimeout(c.t.Context(), deadline)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.host+"/pusher/auth", strings.NewReader(form.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header = c.header.Clone()
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	if answer, err = io.ReadAll(response.Body); err != nil {
		c.t.Fatal(err)
	}
	return response.StatusCode, answer
}

// subscribe asks for a channel and subscribes to it; data is what comes with the success.
func (c *client) subscribe(channel, data string) {
	c.t.Helper()
	status, answer := c.authorize(channel)
	var request map[string]string
	if err := json.Unmarshal(answer, &request); status != 200 || err != nil {
		c.t.Fatalf("asking for %s: %d %s", channel, status, answer)
	}
	request["channel"] = channel
	message, err := json.Marshal(map[string]any{"event": "pusher:subscribe", "data": request})
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), deadline)
	defer cancel()
	if err := c.conn.Write(ctx, websocket.MessageText, message); err != nil {
		c.t.Fatal(err)
	}
	c.expect("pusher_internal:subscription_succeeded", data)
}

// expect reads an event, which has to be this one, with this data, in whatever order its members are.
func (c *client) expect(name, data string) {
	c.t.Helper()
	if e := c.next(); e.Event != name || canonical(c.t, e.Data) != canonical(c.t, data) {
		c.t.Fatalf("got %+v, want %s %s", e, name, data)
	}
}

func (c *client) next() event {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), deadline)
	defer cancel()
	_, b, err := c.conn.Read(ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	var e event
	if err := json.Unmarshal(b, &e); err != nil {
		c.t.Fatalf("%s: %v", b, err)
	}
	return e
}

func canonical(t *testing.T, text string) string {
	t.Helper()
	v := jsontext.Value(text)
	if err := v.Canonicalize(); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return string(v)
}
