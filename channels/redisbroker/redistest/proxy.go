package redistest

import (
	"context"
	"net"
	"sync"
	"testing"
)

// A Direction is one of the two ways through a Proxy.
type Direction int

// The directions.
const (
	ToRedis   Direction = 1 << iota // requests
	FromRedis                       // replies and messages
	Both      = ToRedis | FromRedis
)

// maxConns bounds the connections through a Proxy at one time; one more is refused.
const maxConns = 512

// A Proxy stands between a node and its Redis, and does to what passes what networks
// do. Without a fault it passes everything on. Faults replace each other, concern the
// connections that there are and those to come, and end with Heal:
//
//	Latency    everything comes later
//	Stall      bytes wait: a network that loses packets, and sends them again later
//	BlackHole  bytes are lost, and nobody is told
//	HalfOpen   connections are accepted, and nobody is behind them
//	Refuse     connections are reset, those to come too
//
// Reset and CutReplies happen once, beside any fault. Methods may be called
// concurrently.
type Proxy struct {
	// Static after construction.
	ctx    context.Context // ends with the test
	target string          // what Addr leads to

	wg sync.WaitGroup

	mu sync.Mutex
	// Guarded by mu.
	listeners map[string]net.Listener // by target
	flows     map[*flow]bool
	fault     fault
	changed   chan struct{} // closed when fault changes
	cut       cut
	counts    Counts
}

// Counts are what has gone through a Proxy.
type Counts struct {
	Connections int   // that were opened
	Requests    int64 // bytes that Redis was sent
	Replies     int64 // bytes that came from Redis, whether they were passed on or not
	Lost        int64 // bytes of both that were not passed on
	Cuts        int   // replies that CutReplies lost
}

// NewProxy returns a Proxy in front of the server at target. It ends with the test,
// and its goroutines are waited for.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &Proxy{
		ctx: ctx, target: target,
		listeners: make(map[string]net.Listener), flows: make(map[*flow]bool), changed: make(chan struct{}),
	}
	t.Cleanup(func() {
		cancel()
		p.mu.Lock()
		for _, l := range p.listeners {
			_ = l.Close() // nothing can be done about it
		}
		for f := range p.flows {
			f.abort()
		}
		p.mu.Unlock()
		p.wg.Wait()
	})
	if _, err := p.listen(target); err != nil {
		t.Fatal(err)
	}
	return p
}

// Addr returns the host and port that lead to the target.
func (p *Proxy) Addr() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.listeners[p.target].Addr().String()
}

// Dial connects to any server through the proxy, as the dialer of a client that is
// told addresses by its cluster.
func (p *Proxy) Dial(ctx context.Context, network, target string) (net.Conn, error) {
	addr, err := p.listen(target)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	return d.DialContext(ctx, network, addr)
}

// listen returns the address that leads to target, making it if need be.
func (p *Proxy) listen(target string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.listeners[target]; l != nil {
		return l.Addr().String(), nil
	}
	if err := p.ctx.Err(); err != nil {
		return "", err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	p.listeners[target] = l
	p.wg.Go(func() { // ends when l is closed, with the test
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p.accept(conn, target)
		}
	})
	return l.Addr().String(), nil
}

// accept begins to serve a connection, or resets it.
func (p *Proxy) accept(conn net.Conn, target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fault.refuse || len(p.flows) >= maxConns || p.ctx.Err() != nil {
		reset(conn)
		return
	}
	p.counts.Connections++
	f := &flow{proxy: p, client: conn, target: target, ended: make(chan struct{})}
	p.flows[f] = true
	p.wg.Go(f.run)
}

// forget is called by a flow that has ended.
func (p *Proxy) forget(f *flow) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.flows, f)
}

// Counts returns what has gone through so far.
func (p *Proxy) Counts() Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts
}

// reset ends a connection so that the other side is told at once that it failed.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // else it is closed in the usual way, which will do
	}
	_ = conn.Close()
}
