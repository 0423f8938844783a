package realclients

import (
	"testing"

	"github.com/go-json-experiment/json"

	"hark/conformance/internal/socket"
)

// A client is a socket of the server's app.
type client struct {
	*socket.Socket
	t *testing.T
}

func (s *server) dial(t *testing.T) *client {
	t.Helper()
	return &client{socket.Dial(t, s.host, "/app/"+s.key, nil), t}
}

// subscribe sends a pusher:subscribe with these data fields and waits for the success.
func (c *client) subscribe(data map[string]string) {
	c.t.Helper()
	c.Send("pusher:subscribe", "", data)
	e := c.Next()
	if e.Event != "pusher_internal:subscription_succeeded" || e.Channel != data["channel"] {
		c.t.Fatalf("subscribe %v: %s %s", data, e.Event, e.Data)
	}
}

// Next reads the next event. Counts of subscribers, which come when others come and go, are passed over.
func (c *client) Next() socket.Event {
	c.t.Helper()
	for {
		if e := c.Socket.Next(); e.Event != "pusher_internal:subscription_count" {
			return e
		}
	}
}

// expect reads one event, which has to be this one: data is the string that a trigger carried.
func (c *client) expect(name, channel, data string) {
	c.t.Helper()
	e := c.Next()
	if got := c.Text(e); e.Event != name || e.Channel != channel || got != data {
		c.t.Fatalf("got %s on %s with %q, want %s on %s with %q", e.Event, e.Channel, got, name, channel, data)
	}
}

// signin signs in with what an SDK has answered, {"auth":…,"user_data":…}, and subscribes to the user's own channel.
func (c *client) signin(answer []byte, user string) {
	c.t.Helper()
	var data struct {
		Auth     string `json:"auth"`
		UserData string `json:"user_data"`
	}
	if err := json.Unmarshal(answer, &data); err != nil {
		c.t.Fatalf("%s: %v", answer, err)
	}
	c.Send("pusher:signin", "", data)
	var echoed struct {
		UserData string `json:"user_data"`
	}
	e := c.Next()
	if err := json.Unmarshal([]byte(c.Text(e)), &echoed); err != nil {
		c.t.Fatalf("%s %s: %v", e.Event, e.Data, err)
	}
	if e.Event != "pusher:signin_success" || echoed.UserData != data.UserData {
		c.t.Fatalf("sign in as %s: %s %s", data.UserData, e.Event, e.Data)
	}
	c.subscribe(map[string]string{"channel": "#server-to-user-" + user, "auth": ""})
}

// expectTerminated reads the end of the connection, which comes next because its user's connections were terminated.
func (c *client) expectTerminated() {
	c.t.Helper()
	if before := c.Closed(4009); len(before) > 0 {
		c.t.Fatalf("got %+v, want a close with 4009", before)
	}
}
