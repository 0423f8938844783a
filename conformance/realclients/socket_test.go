package realclients

import (
	"context"
	"testing"

	"github.com/coder/websocket"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A socket is a websocket with no client library on top, so that tests see what is on the wire.
type socket struct {
	t    *testing.T
	conn *websocket.Conn
	id   string
}

// An event as it came; Data is the text of a JSON string, except for pusher:error.
type event struct {
	Event   string         `json:"event"`
	Channel string         `json:"channel,omitzero"`
	Data    jsontext.Value `json:"data"`
	UserID  string         `json:"user_id,omitzero"`
}

func (s *server) dial(t *testing.T) *socket {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, "ws://"+s.host+"/app/"+s.key+"?protocol=7&client=test&version=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	c := &socket{t: t, conn: conn}
	established := c.next()
	var data struct {
		SocketID string `json:"socket_id"`
	}
	if err := json.Unmarshal([]byte(established.text(t)), &data); err != nil || data.SocketID == "" {
		t.Fatalf("first message: %+v, %v", established, err)
	}
	c.id = data.SocketID
	return c
}

// subscribe sends a pusher:subscribe with these data fields and waits for the success.
func (c *socket) subscribe(data map[string]string) {
	c.t.Helper()
	c.send("pusher:subscribe", data)
	e := c.next()
	if e.Event != "pusher_internal:subscription_succeeded" || e.Channel != data["channel"] {
		c.t.Fatalf("subscribe %v: %s %s", data, e.Event, e.Data)
	}
}

func (c *socket) send(name string, data any) {
	c.t.Helper()
	b, err := json.Marshal(map[string]any{"event": name, "data": data})
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), deadline)
	defer cancel()
	if err := c.conn.Write(ctx, websocket.MessageText, b); err != nil {
		c.t.Fatal(err)
	}
}

// next reads the next event. Counts of subscribers, which come when others come and go, are passed over.
func (c *socket) next() event {
	c.t.Helper()
	for {
		if e := c.read(); e.Event != "pusher_internal:subscription_count" {
			return e
		}
	}
}

func (c *socket) read() event {
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

// expect reads one event, which has to be this one: data is the string that a trigger carried.
func (c *socket) expect(name, channel, data string) {
	c.t.Helper()
	e := c.next()
	if got := e.text(c.t); e.Event != name || e.Channel != channel || got != data {
		c.t.Fatalf("got %s on %s with %q, want %s on %s with %q", e.Event, e.Channel, got, name, channel, data)
	}
}

// signin signs in with what an SDK has answered, {"auth":…,"user_data":…}, and subscribes to the user's own channel.
func (c *socket) signin(answer []byte, user string) {
	c.t.Helper()
	var data struct {
		Auth     string `json:"auth"`
		UserData string `json:"user_data"`
	}
	if err := json.Unmarshal(answer, &data); err != nil {
		c.t.Fatalf("%s: %v", answer, err)
	}
	c.send("pusher:signin", data)
	var echoed struct {
		UserData string `json:"user_data"`
	}
	e := c.next()
	if err := json.Unmarshal([]byte(e.text(c.t)), &echoed); err != nil {
		c.t.Fatalf("%s %s: %v", e.Event, e.Data, err)
	}
	if e.Event != "pusher:signin_success" || echoed.UserData != data.UserData {
		c.t.Fatalf("sign in as %s: %s %s", data.UserData, e.Event, e.Data)
	}
	c.subscribe(map[string]string{"channel": "#server-to-user-" + user, "auth": ""})
}

// expectTerminated reads the end of the connection, which comes next because its user's connections were terminated.
func (c *socket) expectTerminated() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), deadline)
	defer cancel()
	_, b, err := c.conn.Read(ctx)
	if code := websocket.CloseStatus(err); code != 4009 {
		c.t.Fatalf("read %s, %v: want a close with 4009", b, err)
	}
}

// text is the string that Data holds.
func (e event) text(t *testing.T) string {
	t.Helper()
	var s string
	if err := json.Unmarshal(e.Data, &s); err != nil {
		t.Fatalf("data of %s is not a string: %s", e.Event, e.Data)
	}
	return s
}
