package hearing

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-json-experiment/json"

	"hark/authz"
	"hark/channels"
	"hark/protocol"
)

// A server is what the model is compared with: in memory, or behind real sockets.
type server interface {
	// connect connects as somebody, who may be a guest.
	connect(app string, who authz.Identity) client
	// authorize asks the auth endpoint; status is its answer's.
	authorize(app string, who authz.Identity, socket protocol.SocketID, channel string) (status int, auth, channelData string)
	// trigger publishes an event by the API; only, if not nil, says for whom.
	trigger(app string, to []string, event string, except protocol.SocketID, only *channels.Selector)
	broadcast(app string, to channels.Selector, event string)
	revoke(app string, to channels.Selector, pattern string)
	// recheck returns when the policies have answered that many questions.
	recheck(app string, to channels.Selector, pattern string, questions int)
	terminate(app string, to channels.Selector)
	// settle returns when all that is under way has reached the connections.
	settle([]*conn)
}

// A client is one connection.
type client interface {
	id() protocol.SocketID
	// say sends a message and returns when the server has dealt with it.
	say(text string)
	// ended returns when the client has been told that its subscription was taken back.
	ended(channel string)
	// heard returns the names of the events of the test that have come, by channel ("": without one), in order.
	heard() map[string][]string
	hangup()
}

// A conn is a client with what the model knows about it.
type conn struct {
	client
	app     string
	who     authz.Identity
	on      map[string]bool
	revoked map[string]bool
	signed  map[string]signature // what the endpoint has ever answered, by channel
	expect  map[string][]string
}

type signature struct{ auth, data string }

// A play is a sequence of random operations on a server and on the model.
type play struct {
	t         *testing.T
	rng       *rand.Rand
	server    server
	mu        sync.Mutex // policies read acls while a server works
	acls      map[string]acl
	rechecked atomic.Int64
	cached    map[channels.Place]string // the last event of cache channels
	conns     []*conn
	events    int
	log       []string
}

func newPlay(t *testing.T, seed uint64) *play {
	p := &play{t: t, rng: rand.New(rand.NewPCG(seed, 0)), acls: map[string]acl{}, cached: map[channels.Place]string{}}
	for _, app := range apps {
		p.acls[app] = acl{"1": {}, "2": {}}
	}
	return p
}

// policies are those of an app. How often they are asked again is counted.
func (p *play) policies(app string) *authz.Registry {
	g := authz.NewRegistry()
	for _, r := range rules(p.allowed(app)) {
		g.HandleFunc(r.pattern, func(ctx context.Context, q authz.Request) (authz.Decision, error) {
			d, err := r.policy.Authorize(ctx, q)
			if q.Cause == authz.Recheck {
				p.rechecked.Add(1)
			}
			return d, err
		})
	}
	return g
}

// allowed is what the policies of an app ask.
func (p *play) allowed(app string) func(doc, user string) bool {
	return func(doc, user string) bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.acls[app][doc][user]
	}
}

const most = 12 // connections at a time

// step carries out one random operation.
func (p *play) step() {
	if len(p.conns) == 0 || len(p.conns) < most && p.rng.IntN(12) == 0 {
		p.connect()
		return
	}
	c := p.conns[p.rng.IntN(len(p.conns))]
	channel := pick(p.rng, names)
	switch n := p.rng.IntN(100); {
	case n < 28:
		p.subscribe(c, channel)
	case n < 36:
		p.replay(c, channel)
	case n < 40:
		p.steal(c, channel)
	case n < 44:
		p.unsubscribe(c, channel)
	case n < 66:
		p.trigger()
	case n < 78:
		p.clientEvent(c, channel)
	case n < 83:
		p.broadcast()
	case n < 91:
		p.changeACL()
	case n < 94:
		p.recheck()
	case n < 97:
		p.revoke()
	case n < 98:
		p.terminate()
	default:
		p.note("hang up %s", c.id())
		p.server.settle(p.conns)
		c.hangup()
		p.gone(c)
	}
}

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }

func (p *play) note(format string, args ...any) {
	p.log = append(p.log, fmt.Sprintf(format, args...))
}

// fail ends the test with what has led there.
func (p *play) fail(format string, args ...any) {
	p.t.Helper()
	p.t.Fatalf("%s\nafter:\n%s", fmt.Sprintf(format, args...), strings.Join(p.log[max(0, len(p.log)-100):], "\n"))
}

func (p *play) connect() {
	app, who := pick(p.rng, apps), pick(p.rng, people)
	c := &conn{
		client: p.server.connect(app, who), app: app, who: who,
		on: map[string]bool{}, revoked: map[string]bool{}, signed: map[string]signature{}, expect: map[string][]string{},
	}
	p.conns = append(p.conns, c)
	p.note("app %s: %s connects as %q", app, c.id(), who.ID)
}

// subscribe is what pusher-js does: it asks the endpoint, and subscribes if that signs.
func (p *play) subscribe(c *conn, channel string) {
	p.note("app %s: %s subscribes to %s", c.app, c.id(), channel)
	if c.on[channel] {
		return
	}
	if !protocol.KindOf(channel).NeedsAuth() {
		c.say(subscribe(channel, signature{}))
		p.join(c, channel)
		return
	}
	status, auth, data := p.server.authorize(c.app, c.who, c.id(), channel)
	want := 403
	if p.acls[c.app].decide(c.who, channel) {
		want = 200
	}
	if status != want {
		p.fail("the endpoint of app %s answers %q on %s with %d, want %d", c.app, c.who.ID, channel, status, want)
	}
	if status != 200 {
		return
	}
	c.signed[channel] = signature{auth, data}
	c.say(subscribe(channel, c.signed[channel]))
	p.join(c, channel)
}

// join notes that a connection is on a channel, where it may hear the cached event first.
func (p *play) join(c *conn, channel string) {
	if c.on[channel] {
		return
	}
	c.on[channel] = true
	if event := p.cached[channels.Place{App: c.app, Channel: channel}]; event != "" {
		c.expect[channel] = append(c.expect[channel], event)
	}
}

// replay subscribes with what the endpoint has signed before: that is asked about again, and after a revocation it opens
// nothing.
func (p *play) replay(c *conn, channel string) {
	s, ok := c.signed[channel]
	if !ok || c.on[channel] {
		return
	}
	p.note("app %s: %s replays its signature for %s", c.app, c.id(), channel)
	c.say(subscribe(channel, s))
	if !c.revoked[channel] && p.acls[c.app].decide(c.who, channel) {
		p.join(c, channel)
	}
}

// steal subscribes with what was signed for another connection, perhaps of the other app.
func (p *play) steal(c *conn, channel string) {
	other := pick(p.rng, p.conns)
	s, ok := other.signed[channel]
	if !ok || other == c || c.on[channel] {
		return
	}
	p.note("app %s: %s subscribes to %s with the signature of %s", c.app, c.id(), channel, other.id())
	c.say(subscribe(channel, s))
}

func (p *play) unsubscribe(c *conn, channel string) {
	p.note("app %s: %s leaves %s", c.app, c.id(), channel)
	c.say(fmt.Sprintf(`{"event":"pusher:unsubscribe","data":{"channel":%q}}`, channel))
	delete(c.on, channel)
}

func subscribe(channel string, s signature) string {
	data := map[string]string{"channel": channel}
	if s.auth != "" {
		data["auth"] = s.auth
	}
	if s.data != "" {
		data["channel_data"] = s.data
	}
	return message("pusher:subscribe", "", data)
}

// event returns the name of the next event.
func (p *play) event() string {
	p.events++
	return fmt.Sprintf("e%d", p.events)
}

// hear notes that an event is to be heard on a channel, by those for whom f is true.
func (p *play) hear(app, channel, event string, f func(*conn) bool) {
	for _, c := range p.conns {
		if c.app == app && (channel == "" || c.on[channel]) && f(c) {
			c.expect[channel] = append(c.expect[channel], event)
		}
	}
}

func (p *play) trigger() {
	app, event := pick(p.rng, apps), p.event()
	to := slices.Compact(slices.Sorted(slices.Values([]string{pick(p.rng, names), pick(p.rng, names)})))
	var except protocol.SocketID
	if p.rng.IntN(3) == 0 {
		except = pick(p.rng, p.conns).id()
	}
	restriction, selected := channels.Everyone(), func(*conn) bool { return true }
	var only *channels.Selector
	if p.rng.IntN(4) == 0 {
		restriction, selected = p.selector()
		only = &restriction
	}
	p.note("app %s: trigger %s on %q but %q only %s", app, event, to, except, shown(restriction))
	p.server.trigger(app, to, event, except, only)
	if only != nil { // whom it selects is found out when it is sent
		p.server.settle(p.conns)
	}
	for _, channel := range to {
		p.hear(app, channel, event, func(c *conn) bool { return c.id() != except && selected(c) })
		if only == nil && protocol.KindOf(channel).IsCache() {
			p.cached[channels.Place{App: app, Channel: channel}] = event
		}
	}
}

func (p *play) clientEvent(c *conn, channel string) {
	event := "client-" + p.event()
	p.note("app %s: %s says %s on %s", c.app, c.id(), event, channel)
	c.say(message(event, channel, struct{}{}))
	if c.on[channel] && protocol.KindOf(channel).AllowsClientEvents() {
		p.hear(c.app, channel, event, func(other *conn) bool { return other != c })
	}
}

func (p *play) broadcast() {
	app, event := pick(p.rng, apps), p.event()
	to, selected := p.selector()
	p.note("app %s: broadcast %s to %s", app, event, shown(to))
	p.server.broadcast(app, to, event)
	p.server.settle(p.conns)
	p.hear(app, "", event, selected)
}

func (p *play) changeACL() {
	app, doc, user := pick(p.rng, apps), pick(p.rng, []string{"1", "2"}), pick(p.rng, people).ID
	p.mu.Lock()
	defer p.mu.Unlock()
	may := !p.acls[app][doc][user]
	p.acls[app][doc][user] = may
	p.note("app %s: %q may see document %s: %v", app, user, doc, may)
}

// chosen returns an app, the pattern of some of its channels, and a selector, with the connections that it selects now.
func (p *play) chosen() (app, pattern string, to channels.Selector, of []*conn) {
	app, pattern = pick(p.rng, apps), pick(p.rng, slices.Sorted(maps.Keys(patterns)))
	to, selected := p.selector()
	for _, c := range p.conns {
		if c.app == app && selected(c) {
			of = append(of, c)
		}
	}
	return app, pattern, to, of
}

func (p *play) revoke() {
	app, pattern, to, of := p.chosen()
	p.note("app %s: revoke %s of %s", app, pattern, shown(to))
	p.server.revoke(app, to, pattern)
	for _, c := range of {
		for _, channel := range matching(pattern) {
			c.revoked[channel] = true
			p.end(c, channel)
		}
	}
}

func (p *play) recheck() {
	app, pattern, to, of := p.chosen()
	questions := 0
	for _, c := range of {
		for _, channel := range matching(pattern) {
			if c.on[channel] {
				questions += asked(channel)
			}
		}
	}
	p.note("app %s: recheck %s of %s", app, pattern, shown(to))
	p.server.recheck(app, to, pattern, questions)
	for _, c := range of {
		for _, channel := range matching(pattern) {
			if !p.acls[app].decide(c.who, channel) {
				p.end(c, channel)
			}
		}
	}
}

// end ends a subscription, if there is one, and waits for the client to be told.
func (p *play) end(c *conn, channel string) {
	if c.on[channel] {
		delete(c.on, channel)
		c.ended(channel)
	}
}

// matching returns the channels that a pattern matches.
func matching(pattern string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(channel string) bool { return !patterns[pattern](channel) })
}

// asked returns how many policies are asked about a channel.
func asked(channel string) int {
	n := 0
	for _, r := range rules(nil) {
		p, err := authz.ParsePattern(r.pattern)
		if err != nil {
			panic(err)
		}
		if _, ok := p.Match(channel); ok {
			n++
		}
	}
	return n
}

// shown returns a selector as it is written.
func shown(s channels.Selector) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func (p *play) terminate() {
	app := pick(p.rng, apps)
	to, selected := p.selector()
	p.note("app %s: terminate %s", app, shown(to))
	p.server.settle(p.conns)
	p.server.terminate(app, to)
	for _, c := range slices.Clone(p.conns) {
		if c.app == app && selected(c) {
			p.gone(c)
		}
	}
}

// gone takes a connection out of the play, and compares what it has heard.
func (p *play) gone(c *conn) {
	p.compare(c)
	p.conns = slices.DeleteFunc(p.conns, func(other *conn) bool { return other == c })
}

// compare compares what a connection has heard with what the model says.
func (p *play) compare(c *conn) {
	p.t.Helper()
	got := c.heard()
	for channel := range maps.Keys(got) {
		if len(c.expect[channel]) == 0 {
			p.fail("%s (app %s, %q) has heard %q on %q, want nothing", c.id(), c.app, c.who.ID, got[channel], channel)
		}
	}
	for channel, want := range c.expect {
		if !slices.Equal(got[channel], want) {
			p.fail("%s (app %s, %q) has heard on %q\n  %q, want\n  %q", c.id(), c.app, c.who.ID, channel, got[channel], want)
		}
	}
}

// selector returns a random selector, and what it means.
func (p *play) selector() (channels.Selector, func(*conn) bool) {
	one := func() (channels.Selector, func(*conn) bool) {
		who := pick(p.rng, people[1:])
		switch p.rng.IntN(8) {
		case 0:
			return channels.Everyone(), func(*conn) bool { return true }
		case 1:
			return channels.Guests(), func(c *conn) bool { return c.who.ID == "" }
		case 2:
			return channels.SignedIn(), func(c *conn) bool { return c.who.ID != "" }
		case 3:
			return channels.Roles("admin"), func(c *conn) bool { return slices.Contains(c.who.Roles, "admin") }
		case 4:
			return channels.Tenant(who.Tenant), func(c *conn) bool { return c.who.Tenant == who.Tenant }
		case 5:
			socket := pick(p.rng, p.conns).id()
			return channels.Sockets(string(socket)), func(c *conn) bool { return c.id() == socket }
		case 6:
			pattern := pick(p.rng, slices.Sorted(maps.Keys(patterns)))
			return channels.On(pattern), func(c *conn) bool {
				return slices.ContainsFunc(slices.Collect(maps.Keys(c.on)), patterns[pattern])
			}
		}
		return channels.Users(who.ID, "nobody"), func(c *conn) bool { return c.who.ID == who.ID }
	}
	s, matches := one()
	t, others := one()
	switch p.rng.IntN(4) {
	case 0:
		return s.And(t), func(c *conn) bool { return matches(c) && others(c) }
	case 1:
		return s.Or(t), func(c *conn) bool { return matches(c) || others(c) }
	case 2:
		return s.But(t), func(c *conn) bool { return matches(c) && !others(c) }
	}
	return s, matches
}
