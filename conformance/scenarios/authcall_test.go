package scenarios

import (
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"

	"hark/conformance/internal/socket"
)

// A call is what an HTTP request was answered.
type call struct {
	status int
	header http.Header
	body   string
}

// call sends a request with these headers.
func (w *world) call(method, url, body string, header http.Header) call {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return call{answer.StatusCode, answer.Header, string(text)}
}

// authorize asks, as pusher-js does, whether a user may subscribe a socket.
func (w *world) authorize(user, socket, channel string) call {
	w.t.Helper()
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	if user != "" {
		header.Set("Authorization", "Bearer "+user)
	}
	form := url.Values{"socket_id": {socket}, "channel_name": {channel}}
	return w.call("POST", w.auth+"/auth", form.Encode(), header)
}

// subscribe subscribes a socket to a private or presence channel, as a user.
func (w *world) subscribe(c *socket.Socket, user, channel string) {
	w.t.Helper()
	answer := w.authorize(user, c.ID, channel)
	var data map[string]any
	if err := json.Unmarshal([]byte(answer.body), &data); answer.status != 200 || err != nil {
		w.t.Fatalf("authorize %s: %d %s", channel, answer.status, answer.body)
	}
	data["channel"] = channel
	c.Send("pusher:subscribe", "", data)
	c.Expect("pusher_internal:subscription_succeeded", channel)
}
