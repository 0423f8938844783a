package redistest

import (
	"io"
	"net"
	"sync"
	"time"
)

const (
	// chunkSize and chunks bound what is on its way in one direction of a
	// connection: 2 MiB. More waits with its sender.
	chunkSize = 32 << 10
	chunks    = 64
)

// A flow is one connection through a Proxy.
type flow struct {
	// Static after construction.
	proxy  *Proxy
	client net.Conn
	target string
	ended  chan struct{} // closed by abort
	once   sync.Once     // of abort

	wounded Direction // in which bytes have been lost; guarded by proxy.mu

	mu     sync.Mutex
	server net.Conn // nil until it is connected; guarded by mu
}

// A chunk is some bytes on their way.
type chunk struct {
	bytes []byte
	due   time.Time
}

// run serves the connection until it ends.
//
//	run ── carry(ToRedis)   ── read from the client ── queue ── deliver to Redis
//	    └─ carry(FromRedis) ── read from Redis ── queue ── deliver to the client
func (f *flow) run() {
	defer f.proxy.forget(f)
	defer f.abort()
	if f.proxy.silent(f) {
		_, _ = io.Copy(io.Discard, f.client) // until its client or the fault ends it
		return
	}
	var d net.Dialer
	server, err := d.DialContext(f.proxy.ctx, "tcp", f.target)
	if err != nil || !f.connected(server) {
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() { f.carry(ToRedis, f.client, server) })
	f.carry(FromRedis, server, f.client)
	wg.Wait()
}

// connected notes the connection to Redis; false: the flow has been aborted.
func (f *flow) connected(server net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-f.ended:
		reset(server)
		return false
	default:
		f.server = server
		return true
	}
}

// abort resets both connections. It does not block.
func (f *flow) abort() {
	f.once.Do(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		close(f.ended)
		reset(f.client)
		if f.server != nil {
			reset(f.server)
		}
	})
}

// carry brings bytes from one side to the other until one of them ends.
func (f *flow) carry(d Direction, from, to net.Conn) {
	queue := make(chan chunk, chunks)
	var wg sync.WaitGroup
	wg.Go(func() {
		f.deliver(d, queue, to)
		for range queue { // so that what reads is not kept waiting
		}
	})
	for {
		buf := make([]byte, chunkSize)
		n, err := from.Read(buf)
		if n > 0 {
			queue <- chunk{buf[:n], time.Now().Add(f.proxy.late())}
		}
		if err != nil {
			break
		}
	}
	close(queue)
	wg.Wait()
}

// deliver passes on what is in the queue, each chunk when it is due, and then the
// end.
func (f *flow) deliver(d Direction, queue <-chan chunk, to net.Conn) {
	for c := range queue {
		if !f.await(c.due) || !f.pass(d, c.bytes, to) {
			return
		}
	}
	f.finish(d, to)
}

// await returns when it is time; false: the flow has ended.
func (f *flow) await(due time.Time) bool {
	left := time.Until(due)
	if left <= 0 {
		return true
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-f.ended:
		return false
	}
}

// pass does with bytes what the fault of the moment says; false: nothing more can be
// passed this way.
func (f *flow) pass(d Direction, bytes []byte, to net.Conn) bool {
	for {
		v := f.proxy.judge(f, d, len(bytes))
		if v.changed != nil {
			select {
			case <-v.changed:
				continue
			case <-f.ended:
				return false
			}
		}
		if _, err := to.Write(bytes[:v.pass]); err != nil {
			f.abort()
			return false
		}
		if v.cut {
			f.loseReplies()
			return false
		}
		return true
	}
}

// finish passes on that one side has ended, once anything can be.
func (f *flow) finish(d Direction, to net.Conn) {
	for {
		changed := f.proxy.parted(f, d)
		if changed == nil {
			break
		}
		select {
		case <-changed:
		case <-f.ended:
			return
		}
	}
	if tcp, ok := to.(*net.TCPConn); ok && d == ToRedis {
		_ = tcp.CloseWrite() // what Redis has been sent it carries out first
		return
	}
	f.abort()
}

// loseReplies resets the client. Redis is only told that no more requests come, so
// that it carries out what it has been sent; what it answers nobody hears.
func (f *flow) loseReplies() { reset(f.client) }
