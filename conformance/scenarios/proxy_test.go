package scenarios

import (
	"io"
	"net"
	"sync"
	"testing"
)

// A proxy stands between clients and servers, so that their connections can be cut. Servers that listen take connections in
// turn.
type proxy struct {
	address string

	mu    sync.Mutex
	conns map[net.Conn]bool // of both sides; guarded by mu
}

// startProxy starts a proxy in front of hosts. It ends with the test.
func startProxy(t *testing.T, hosts ...string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{address: listener.Addr().String(), conns: make(map[net.Conn]bool)}
	var running sync.WaitGroup
	running.Go(func() { // ends with the listener
		for n := 0; ; n++ {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", hosts[n%len(hosts)])
			for range hosts[1:] {
				if err != nil {
					n++
					server, err = net.Dial("tcp", hosts[n%len(hosts)])
				}
			}
			if err != nil {
				_ = client.Close()
				continue
			}
			p.add(client, server)
			running.Go(func() { p.pipe(client, server) })
			running.Go(func() { p.pipe(server, client) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		p.cut()
		running.Wait()
	})
	return p
}

func (p *proxy) add(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.conns[c] = true
	}
}

func (p *proxy) pipe(from, to net.Conn) {
	_, _ = io.Copy(to, from)
	_, _ = from.Close(), to.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, from)
}

// cut resets every connection. New ones are taken.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
	}
}
