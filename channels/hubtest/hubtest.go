// Package hubtest runs a Hub in memory for tests: no network, scripted clients,
// and no time of its own. Clients are for use inside a synctest bubble, where
// Take knows when everything that can happen has happened.
package hubtest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"hark/authz"
	"hark/channels"
	"hark/protocol"
)

// The app that Config serves.
const (
	AppID  = "1001"
	Key    = "app-key"
	Secret = "app-secret"
)

// Config returns a configuration with one app that has client events on.
func Config() channels.Config {
	return channels.Config{
		Apps: []channels.AppConfig{{
			ID:           AppID,
			Keys:         authz.Keys{{Key: Key, Secret: Secret}},
			ClientEvents: true,
		}},
		Flushers: 2,
	}
}

// Delegated returns Config for an app that leaves to Hark who may join what:
// clients that connect As somebody are that user of users.
func Delegated(policies *authz.Registry, users Users) channels.Config {
	c := Config()
	c.Apps[0].Policies = policies
	c.Apps[0].Authenticator = users
	return c
}

// Users are known by tokens: a request with "Authorization: Bearer TOKEN" is that
// user's, one without a guest's, and one with a token of nobody unauthenticated.
type Users map[string]authz.Identity

// Authenticate implements authz.Authenticator.
func (u Users) Authenticate(_ context.Context, r *http.Request) (authz.Identity, error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return authz.Identity{}, nil
	}
	id, ok := u[token]
	if !ok {
		return authz.Identity{}, fmt.Errorf("%w: nobody has the token %q", authz.ErrUnauthenticated, token)
	}
	return id, nil
}

// Start returns a running Hub that ends, and is waited for, with the test.
func Start(t testing.TB, c channels.Config) *channels.Hub {
	t.Helper()
	h, err := channels.New(c)
	if err != nil {
		t.Fatal(err)
	}
	Run(t, h)
	return h
}

// Run runs a Hub until the test ends. It returns when the hub is ready.
func Run(t testing.TB, h *channels.Hub) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	for h.Ready() != nil {
		runtime.Gosched()
	}
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Hub.Run: %v", err)
		}
	})
}

// A Client is a connection that writes down what it is sent.
type Client struct {
	t      testing.TB
	socket *channels.Socket

	mu       sync.Mutex
	messages []string
	code     protocol.CloseCode
	reason   string
	slow     bool
	refused  error
	ended    chan struct{} // closed when the connection has ended
}

// Connect connects a client of the app that Config serves, and takes its
// connection_established.
func Connect(t testing.TB, h *channels.Hub) *Client {
	t.Helper()
	return established(Dial(t, h, Request("")))
}

// As is Connect with a token of Users.
func As(t testing.TB, h *channels.Hub, token string) *Client {
	t.Helper()
	return established(Dial(t, h, Request(token)))
}

func established(c *Client) *Client {
	c.t.Helper()
	if c.socket == nil {
		c.t.Fatalf("refused: %v %v", c.refused, c.Take())
	}
	c.Take()
	return c
}

// Request returns what a client asks for that connects to the app that Config
// serves, from 192.0.2.1, with a token of Users; "": without.
func Request(token string) channels.ConnectRequest {
	r := &http.Request{
		Method: http.MethodGet, Host: "hark.example", RemoteAddr: "192.0.2.1:4000", Header: http.Header{},
		URL: &url.URL{Path: "/app/" + Key},
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return channels.ConnectRequest{Key: Key, Protocol: "7", HasProtocol: true, HTTP: r}
}

// Dial connects a client as a transport does, or lets it be refused.
func Dial(t testing.TB, h *channels.Hub, r channels.ConnectRequest) *Client {
	c := &Client{t: t, ended: make(chan struct{})}
	if c.refused = h.Ask(context.Background(), &r); c.refused != nil {
		return c
	}
	c.socket = h.Connect(c, r)
	if c.socket != nil {
		h.Go(func() {
			<-c.ended
			c.socket.End()
		})
	}
	return c
}

// Send implements channels.Conn.
func (c *Client) Send(b protocol.Batch) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.code != 0:
		return channels.ErrClosed
	case c.slow:
		c.code, c.reason = protocol.CloseOverCapacity, "slow"
		close(c.ended)
		return channels.ErrSlow
	}
	for text := range b.All() {
		c.messages = append(c.messages, string(text))
	}
	return nil
}

// Close implements channels.Conn.
func (c *Client) Close(code protocol.CloseCode, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.code != 0 {
		return
	}
	c.code, c.reason = code, reason
	close(c.ended)
}

// StopReading makes the client's outbox pass its bound at the next Send.
func (c *Client) StopReading() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slow = true
}

// Hangup ends the connection from the client's side.
func (c *Client) Hangup() { c.Close(protocol.CloseGoingAway, "hung up") }

// Closed returns the code and reason of the close; 0: the connection is open.
func (c *Client) Closed() (protocol.CloseCode, string) {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.code, c.reason
}

// Refused returns why the client was told to come back later, before a connection
// was made; nil: it was not.
func (c *Client) Refused() error { return c.refused }

// ID returns the client's socket id.
func (c *Client) ID() protocol.SocketID { return c.socket.ID() }

// Socket returns the client's Socket; nil: it was refused.
func (c *Client) Socket() *channels.Socket { return c.socket }

// Say sends a message.
func (c *Client) Say(format string, args ...any) {
	c.socket.Receive(fmt.Appendf(nil, format, args...))
}

// Subscribe sends a pusher:subscribe, signed where the channel needs it. With
// channelData it sends that too.
func (c *Client) Subscribe(channel string, channelData ...string) {
	data := map[string]string{"channel": channel}
	k := authz.Key{Key: Key, Secret: Secret}
	signed := ""
	if len(channelData) > 0 {
		signed = channelData[0]
		data["channel_data"] = signed
	}
	if protocol.KindOf(channel).NeedsAuth() {
		data["auth"] = k.ChannelAuth(c.ID(), channel, signed, len(channelData) > 0)
	}
	text, err := json.Marshal(map[string]any{"event": protocol.EventSubscribe, "data": data})
	if err != nil {
		c.t.Fatal(err)
	}
	c.socket.Receive(text)
}

// Join subscribes to a presence channel as a user, without user_info.
func (c *Client) Join(channel, user string) {
	c.Subscribe(channel, fmt.Sprintf(`{"user_id":%q}`, user))
}

// Signin sends a signed pusher:signin.
func (c *Client) Signin(userData string) {
	auth := authz.Key{Key: Key, Secret: Secret}.UserAuth(c.ID(), userData)
	c.Say(`{"event":"pusher:signin","data":{"auth":%q,"user_data":%q}}`, auth, userData)
}

// Unsubscribe sends a pusher:unsubscribe.
func (c *Client) Unsubscribe(channel string) {
	c.Say(`{"event":"pusher:unsubscribe","data":{"channel":%q}}`, channel)
}

// Take waits until nothing moves any more and returns the messages received
// since the last Take, each as its JSON text.
func (c *Client) Take() []string {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	messages := c.messages
	c.messages = nil
	return messages
}

// Expect compares what Take returns with want.
func (c *Client) Expect(want ...string) {
	c.t.Helper()
	got := c.Take()
	if len(got) != len(want) {
		c.t.Fatalf("got %d messages %q, want %d %q", len(got), got, len(want), want)
	}
	for i := range want {
		if got[i] != want[i] {
			c.t.Errorf("message %d:\n got %s\nwant %s", i, got[i], want[i])
		}
	}
}
