package examples

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"hark/conformance/internal/process"
	"hark/conformance/internal/socket"
)

// A client does what pusher-js does: it connects, and asks the auth endpoint before it subscribes.
type client struct {
	*socket.Socket
	t      *testing.T
	host   string
	header http.Header // what says who it is
}

// dial connects with a header that says who it is; "": none.
func dial(t *testing.T, host, name, value string) *client {
	t.Helper()
	header := http.Header{}
	if name != "" {
		header.Set(name, value)
	}
	return &client{socket.Dial(t, host, "/app/app-key", header), t, host, header}
}

// authorize asks for a channel.
func (c *client) authorize(channel string) (status int, answer []byte) {
	c.t.Helper()
	return c.ask(url.Values{"channel_name": {channel}})
}

// ask posts a form to the auth endpoint.
func (c *client) ask(form url.Values) (status int, answer []byte) {
	c.t.Helper()
	form.Set("socket_id", c.ID)
	ctx, cancel := context.WithTimeout(c.t.Context(), process.Deadline)
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
	c.Send("pusher:subscribe", "", request)
	c.expect("pusher_internal:subscription_succeeded", data)
}

// expect reads an event, which has to be this one, with this data, in whatever order its members are.
func (c *client) expect(name, data string) {
	c.t.Helper()
	if e := c.Next(); e.Event != name || canonical(c.t, c.Text(e)) != canonical(c.t, data) {
		c.t.Fatalf("got %+v, want %s %s", e, name, data)
	}
}

func canonical(t *testing.T, text string) string {
	t.Helper()
	v := jsontext.Value(text)
	if err := v.Canonicalize(); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return string(v)
}
