package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// places are the channels that are played on.
var places = []string{"events-0", "events-1", "presence-room-0", "presence-room-1"}

// A play is some nodes, clients that are on all places, and publishers.
type play struct {
	t      testing.TB
	seed   uint64
	rnd    *rand.Rand // the test's own
	ledger *ledger
	losses int // how often Redis has lost everything, which may be told as so many gaps; the test's own

	mu sync.Mutex
	// Guarded by mu.
	nodes      []node
	lost       []node // those that cannot be reached, or cannot reach Redis, for now
	rndNodes   *rand.Rand
	clients    []*client
	away       map[node][]*client // those of lost nodes
	sessions   []*session
	residents  []string       // users who were there before the traffic began
	resided    time.Time      // when that was
	departures map[string]int // of users: how often the last client of one has gone, or may be thought to have gone
	wrong      []string

	acting sync.WaitGroup // publishers
	calmly context.CancelFunc
	ctx    context.Context // ends with the traffic, by calmly
}

func newPlay(t testing.TB, seed uint64) *play {
	p := &play{
		t: t, seed: seed, rnd: rand.New(rand.NewPCG(seed, 1)), rndNodes: rand.New(rand.NewPCG(seed, 2)),
		ledger: newLedger(), departures: make(map[string]int), away: make(map[node][]*client),
	}
	p.ctx, p.calmly = context.WithCancel(context.Background())
	t.Cleanup(func() {
		p.calmly()
		p.acting.Wait()
		p.mu.Lock()
		all := slices.Clone(p.clients)
		for _, clients := range p.away {
			all = append(all, clients...)
		}
		p.mu.Unlock()
		for _, c := range all {
			c.leave()
			<-c.gone
		}
	})
	return p
}

// blame notes that something is wrong.
func (p *play) blame(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wrong = append(p.wrong, fmt.Sprintf(format, args...))
}

// add puts a node on the stage.
func (p *play) add(n node) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nodes = append(p.nodes, n)
}

// remove takes a node off the stage: nobody connects to it any more.
func (p *play) remove(n node) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nodes = slices.DeleteFunc(p.nodes, func(m node) bool { return m == n })
}

// node returns the node of that name, or else any; nil: there is none.
func (p *play) node(name string) node {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range p.nodes {
		if n.name() == name {
			return n
		}
	}
	if len(p.nodes) == 0 {
		return nil
	}
	return p.nodes[p.rndNodes.IntN(len(p.nodes))]
}

// lose notes that a node is cut off, or stands still: of its clients nobody can know anything, and it can be asked nothing, but
// publishers still try it.
func (p *play) lose(n node) {
	p.remove(n)
	on := p.on(n)
	p.allow(users(on)...)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lost = append(p.lost, n)
	p.away[n] = on
	p.clients = slices.DeleteFunc(p.clients, func(c *client) bool { return slices.Contains(on, c) })
}

// regain notes that a node is back, and its clients with it.
func (p *play) regain(n node) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lost = slices.DeleteFunc(p.lost, func(m node) bool { return m == n })
	p.nodes = append(p.nodes, n)
	p.clients = append(p.clients, p.away[n]...)
	delete(p.away, n)
}

// any returns a node to publish by; nil: there is none.
func (p *play) any() node {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := append(slices.Clone(p.nodes), p.lost...)
	if len(all) == 0 {
		return nil
	}
	return all[p.rndNodes.IntN(len(all))]
}

// standing returns the nodes that are on the stage.
func (p *play) standing() []node {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.nodes)
}

// present returns the clients that want to be there.
func (p *play) present() []*client {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.clients)
}

// open notes a subscription.
func (p *play) open(l *line, channel string, members []string) *session {
	s := newSession(l.client.name, l.node, channel, members)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sessions = append(p.sessions, s)
	return s
}

// enter brings a client of a user to a node, on all places, and returns at once.
func (p *play) enter(name, user, node string) *client {
	ctx, cancel := context.WithCancel(context.Background())
	c := &client{
		play: p, name: name, user: user, passing: strings.HasPrefix(user, passing),
		channels: places, want: node, leave: cancel, gone: make(chan struct{}),
	}
	p.mu.Lock()
	p.clients = append(p.clients, c)
	p.mu.Unlock()
	go c.run(ctx) // ends with leave, by exit or with the play
	return c
}

// exit has a client go for good.
func (p *play) exit(c *client) {
	p.forget(c)
	c.leave()
	<-c.gone
}

// forget notes that a client is not to be there any more.
func (p *play) forget(c *client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	isC := func(d *client) bool { return d == c }
	p.clients = slices.DeleteFunc(p.clients, isC)
	for n, away := range p.away {
		p.away[n] = slices.DeleteFunc(away, isC)
	}
	if !slices.ContainsFunc(p.clients, func(d *client) bool { return d.user == c.user }) {
		p.departures[c.user]++
	}
}

// allow says that a user may be told to have gone once more than the play has it: a node that was away for longer than its
// lease cannot be told from one that has died.
func (p *play) allow(users ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, u := range sorted(users) {
		p.departures[u]++
	}
}

// on returns the clients that are connected to a node.
func (p *play) on(n node) []*client {
	return slices.DeleteFunc(p.present(), func(c *client) bool {
		l := c.connected()
		return l == nil || l.node != n.name()
	})
}

// users returns whose clients they are.
func users(clients []*client) []string {
	var ids []string
	for _, c := range clients {
		ids = append(ids, c.user)
	}
	return sorted(ids)
}

// close takes a node off the stage, and returns its clients. Those for whom away is true do not come back.
func (p *play) close(n node, away func(*client) bool) []*client {
	p.remove(n)
	on := p.on(n)
	for _, c := range on {
		if away(c) {
			c.last()
			p.forget(c)
		}
	}
	return on
}

// kill crashes a node.
func (p *play) kill(n node, away func(*client) bool) {
	p.allow(users(p.close(n, away))...)
	n.kill()
}

// end has a node end in good order. Its clients connect to others, and nobody is told that they have been away.
func (p *play) end(n node, away func(*client) bool) {
	p.close(n, away)
	n.stop()
}
