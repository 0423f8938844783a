package chaos

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"hark/channels/redisbroker/redistest"
)

// long reports whether there is time: make chaos.
func long() bool { return os.Getenv(formVariable) == "long" }

// formVariable says which form is played: "short" or "long". Without it nothing is: leases of seconds need a machine that has
// time, and go test runs packages beside each other.
const formVariable = "HARK_CHAOS"

// lease is how long nodes are taken for alive that say nothing: a second in the long form, so that ghosts are soon to be seen,
// and what is the default in a few of its plays; in the short form as long as a machine may need that is busy with others.
var lease = map[bool]time.Duration{false: 3500 * time.Millisecond, true: time.Second}[long()]

// A world is a Redis that nodes share, each by a network of its own.
type world struct {
	t       testing.TB
	lease   time.Duration
	beat    time.Duration // 0: what is the default for the lease
	timeout time.Duration // of a call; 0: a second, and of a beat what is the default
	redis   *redistest.Server
	cluster *redistest.Cluster // nil: there is one Redis

	sentinels *redistest.Sentinels // nil: nobody puts another in its place
}

// newWorld starts a Redis that keeps what it has answered through any end of its process.
func newWorld(t testing.TB) *world {
	t.Helper()
	return &world{t: t, lease: lease, redis: redistest.Start(t, keeping)}
}

var keeping = redistest.Options{AppendOnly: true, Args: []string{"--appendfsync", "always"}}

// newCluster is newWorld with a cluster of three masters.
func newCluster(t testing.TB) *world {
	t.Helper()
	c := redistest.StartCluster(t, keeping, redistest.Thirds...)
	return &world{t: t, lease: lease, redis: c.Masters[0], cluster: c}
}

// local starts a node in this process.
func (w *world) local(title string) *local {
	w.t.Helper()
	network := redistest.NewProxy(w.t, w.redis.Addr())
	b, err := w.broker(network)
	if err != nil {
		w.t.Fatal(err)
	}
	return startLocal(w.t, title, b, network, cmp.Or(w.timeout, time.Second))
}

// stage begins a play with three nodes in this process, users with a client or two each, and traffic.
func (w *world) stage(seed uint64) *play {
	w.t.Helper()
	p := newPlay(w.t, seed)
	for i := range 3 {
		p.add(w.local(fmt.Sprintf("n%d", i)))
	}
	p.people()
	p.publish(2, 4*time.Millisecond)
	p.churn(2)
	return p
}

// people brings users to the nodes: of each three one has two clients, on different nodes.
func (p *play) people() {
	p.t.Helper()
	nodes := p.standing()
	for i := range 12 {
		p.enter(fmt.Sprintf("c%d", i), fmt.Sprintf("u%d", i%9), nodes[i%len(nodes)].name())
	}
	p.settled()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.residents, p.resided = users(slices.Clone(p.clients)), time.Now()
}

// traffic goes on until so many more events have been accepted.
func (p *play) traffic(events int) {
	p.t.Helper()
	before, _ := p.ledger.count()
	within(p.t, "traffic", patience+time.Duration(events)*10*time.Millisecond, func() string {
		if now, _ := p.ledger.count(); now < before+events {
			return fmt.Sprintf("%d of %d events were accepted", now-before, events)
		}
		return ""
	})
}

// lasting lets d pass: a fault is as long as it is.
func lasting(d time.Duration) { pause(context.Background(), d) }
