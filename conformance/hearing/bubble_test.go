package hearing

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/go-json-experiment/json"

	"hark/authz"
	"hark/channels"
	"hark/channels/hubtest"
	"hark/protocol"
)

// whoIs is an Authenticator that believes what a request says.
func whoIs(_ context.Context, r *http.Request) (authz.Identity, error) {
	var id authz.Identity
	if text := r.Header.Get("Who"); text != "" {
		if err := json.Unmarshal([]byte(text), &id); err != nil {
			return id, err
		}
	}
	return id, nil
}

// as lets a request say who it is from.
func as(r *http.Request, who authz.Identity) *http.Request {
	text, err := json.Marshal(who)
	if err != nil {
		panic(err) // strings only
	}
	r.Header.Set("Who", string(text))
	return r
}

// config is that of a hub with both apps.
func (p *play) config() channels.Config {
	c := channels.Config{Flushers: 2}
	for _, app := range apps {
		c.Apps = append(c.Apps, channels.AppConfig{
			ID:            app,
			Keys:          authz.Keys{key(app)},
			Limits:        protocol.Limits{ClientEvents: -1},
			ClientEvents:  true,
			Authenticator: authz.AuthenticatorFunc(whoIs),
			Policies:      p.policies(app),
		})
	}
	return c
}

func key(app string) authz.Key {
	return authz.Key{Key: "key" + app, Secret: authz.Secret("secret" + app)}
}

// endpoints are the auth endpoints of a hub's apps.
func (p *play) endpoints(hub *channels.Hub) map[string]*authz.Endpoint {
	endpoints := map[string]*authz.Endpoint{}
	for _, c := range p.config().Apps {
		app, _ := hub.App(c.ID)
		endpoint, err := authz.NewEndpoint(authz.EndpointConfig{
			App: c.ID, Key: c.Keys[0], Authenticator: c.Authenticator, Policies: c.Policies, Keeper: app,
		})
		if err != nil {
			p.t.Fatal(err)
		}
		endpoints[c.ID] = endpoint
	}
	return endpoints
}

// A bubble is a hub in memory.
type bubble struct {
	play      *play
	hub       *channels.Hub
	endpoints map[string]*authz.Endpoint
}

func (b *bubble) connect(app string, who authz.Identity) client {
	r := channels.ConnectRequest{Key: key(app).Key, Protocol: "7", HasProtocol: true,
		HTTP: as(httptest.NewRequest("GET", "/app/"+key(app).Key, nil), who)}
	if err := b.hub.Ask(context.Background(), &r); err != nil {
		b.play.fail("connect: %v", err)
	}
	c := hubtest.Dial(b.play.t, b.hub, r)
	if c.Socket() == nil {
		b.play.fail("refused: %q", c.Take())
	}
	return &inMemory{Client: c}
}

func (b *bubble) authorize(app string, who authz.Identity, socket protocol.SocketID, channel string) (int, string, string) {
	form := url.Values{"socket_id": {string(socket)}, "channel_name": {channel}}
	r := as(httptest.NewRequest("POST", "/pusher/auth", strings.NewReader(form.Encode())), who)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	b.endpoints[app].ServeChannels(w, r)
	return signed(b.play, w.Code, w.Body.Bytes())
}

// signed reads an answer of the endpoint.
func signed(p *play, status int, body []byte) (int, string, string) {
	var answer struct {
		Auth        string `json:"auth"`
		ChannelData string `json:"channel_data"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		p.fail("the endpoint answers %q: %v", body, err)
	}
	return status, answer.Auth, answer.ChannelData
}

func (b *bubble) app(id string) *channels.App {
	app, _ := b.hub.App(id)
	return app
}

func (b *bubble) must(err error) {
	if err != nil {
		b.play.fail("%v", err)
	}
}

func (b *bubble) trigger(app string, to []string, event string, except protocol.SocketID, only *channels.Selector) {
	t := channels.Trigger{Name: event, Data: "{}", Channels: to, Except: except}
	if only != nil {
		t.Only = *only
	}
	b.must(b.app(app).Trigger(context.Background(), t))
}

func (b *bubble) broadcast(app string, to channels.Selector, event string) {
	b.must(b.app(app).Broadcast(context.Background(), to, channels.Event{Name: event, Data: "{}"}))
}

func (b *bubble) revoke(app string, to channels.Selector, pattern string) {
	b.must(b.app(app).Revoke(context.Background(), to, pattern, "test"))
}

func (b *bubble) recheck(app string, to channels.Selector, pattern string, _ int) {
	b.must(b.app(app).Recheck(context.Background(), to, pattern))
	synctest.Wait()
}

func (b *bubble) terminate(app string, to channels.Selector) {
	b.must(b.app(app).TerminateSelected(context.Background(), to, "test"))
}

func (b *bubble) settle([]*conn) { synctest.Wait() }

// An inMemory client is one of a bubble.
type inMemory struct {
	*hubtest.Client
	got map[string][]string
}

func (c *inMemory) id() protocol.SocketID { return c.ID() }
func (c *inMemory) hangup()               { c.Hangup() }

func (c *inMemory) ended(string) { synctest.Wait() }

func (c *inMemory) say(text string) {
	c.Say("%s", text)
	synctest.Wait()
	c.take()
}

func (c *inMemory) heard() map[string][]string {
	c.take()
	return c.got
}

func (c *inMemory) take() {
	if c.got == nil {
		c.got = map[string][]string{}
	}
	for _, text := range c.Take() {
		note(c.got, text)
	}
}

// note adds a message to what has been heard, if it is an event of the test.
func note(got map[string][]string, text string) {
	var m struct {
		Event   string `json:"event"`
		Channel string `json:"channel"`
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		panic(err) // the server sends JSON
	}
	if name := strings.TrimPrefix(m.Event, "client-"); strings.HasPrefix(name, "e") && len(name) > 1 && name[1] <= '9' {
		got[m.Channel] = append(got[m.Channel], m.Event)
	}
}

// message returns the JSON of a message; channel "": none.
func message(event, channel string, data any) string {
	m := map[string]any{"event": event, "data": data}
	if channel != "" {
		m["channel"] = channel
	}
	text, err := json.Marshal(m, json.Deterministic(true))
	if err != nil {
		panic(err)
	}
	return string(text)
}

// Whatever apps, users and policies do, everybody hears what is theirs, all of it, in order, and nothing else: 10⁵ random
// operations, in plays of 1000.
func TestWhoHearsWhat(t *testing.T) {
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) {
			p := newPlay(t, seed)
			hub, err := channels.New(p.config())
			if err != nil {
				t.Fatal(err)
			}
			hubtest.Run(t, hub)
			p.server = &bubble{p, hub, p.endpoints(hub)}
			p.play(1000)
		})
	}
}

// play carries out n operations and compares what everybody has heard.
func (p *play) play(n int) {
	for range n {
		p.step()
	}
	p.server.settle(p.conns)
	for _, c := range p.conns {
		p.compare(c)
		c.hangup()
	}
}
