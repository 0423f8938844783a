package redistest_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"hark/channels/redisbroker/redistest"
)

// moment is how long a test listens for what is not to come, where nothing else can
// show that it does not.
const moment = 50 * time.Millisecond

// A line is a connection through a proxy.
type line struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

func dial(t *testing.T, p *redistest.Proxy) *line {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &line{t, conn, bufio.NewReader(conn)}
}

func (l *line) say(text string) {
	l.t.Helper()
	if _, err := io.WriteString(l.conn, text+"\r\n"); err != nil {
		l.t.Fatal(err)
	}
}

// hear returns the next line, or what came instead within d.
func (l *line) hear(d time.Duration) (string, error) {
	if err := l.conn.SetReadDeadline(time.Now().Add(d)); err != nil {
		l.t.Fatal(err)
	}
	return l.r.ReadString('\n')
}

func (l *line) expect(want string) {
	l.t.Helper()
	got, err := l.hear(10 * time.Second)
	if err != nil || got != want+"\r\n" {
		l.t.Errorf("heard %q, %v, want %q", got, err, want)
	}
}

// silent expects nothing to come.
func (l *line) silent() {
	l.t.Helper()
	if got, err := l.hear(moment); !errors.Is(err, os.ErrDeadlineExceeded) {
		l.t.Errorf("heard %q, %v, want nothing", got, err)
	}
}

// broken expects the connection to be told that it has failed.
func (l *line) broken() {
	l.t.Helper()
	if got, err := l.hear(10 * time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		l.t.Errorf("heard %q, %v, want the end of the connection", got, err)
	}
}

// refused expects a new connection to fail, at once or soon.
func refused(t *testing.T, p *redistest.Proxy) {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		return // the reset came before the call returned
	}
	defer conn.Close()
	(&line{t, conn, bufio.NewReader(conn)}).broken()
}

// until polls until the answer to a command is want.
func until(t *testing.T, s *redistest.Server, want string, args ...string) {
	t.Helper()
	got := ""
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if got = do(t, s, args...); got == want {
			return
		}
	}
	t.Errorf("%v: got %q, want %q", args, got, want)
}

// lost polls until a proxy has lost n bytes.
func lost(t *testing.T, p *redistest.Proxy, n int64) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); p.Counts().Lost < n; {
		if time.Now().After(deadline) {
			t.Fatalf("%+v, want %d bytes lost", p.Counts(), n)
		}
	}
}

func open(t *testing.T) (*redistest.Server, *redistest.Proxy, *line) {
	t.Helper()
	s := redistest.Start(t, redistest.Options{})
	p := redistest.NewProxy(t, s.Addr())
	l := dial(t, p)
	l.say("PING")
	l.expect("+PONG")
	return s, p, l
}

func TestProxyCounts(t *testing.T) {
	_, p, l := open(t)
	l.say("ECHO hello")
	l.expect("$5")
	l.expect("hello")
	want := redistest.Counts{
		Connections: 1,
		Requests:    int64(len("PING\r\nECHO hello\r\n")),
		Replies:     int64(len("+PONG\r\n$5\r\nhello\r\n")),
	}
	if got := p.Counts(); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}

func TestProxyDial(t *testing.T) {
	_, p, _ := open(t)
	other := redistest.Start(t, redistest.Options{})
	do(t, other, "SET", "who", "other")
	for range 2 {
		conn, err := p.Dial(t.Context(), "tcp", other.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		l := &line{t, conn, bufio.NewReader(conn)}
		l.say("GET who")
		l.expect("$5")
		l.expect("other")
	}
}

func TestProxyLatency(t *testing.T) {
	_, p, l := open(t)
	p.Latency(moment)
	began := time.Now()
	l.say("PING")
	l.expect("+PONG")
	if took := time.Since(began); took < 2*moment {
		t.Errorf("there and back took %v, want at least %v", took, 2*moment)
	}
	p.Heal()
	l.say("PING")
	l.expect("+PONG")
}

func TestProxyStall(t *testing.T) {
	for _, tt := range []struct {
		name      string
		direction redistest.Direction
		meanwhile string // what Redis has done
	}{
		{"requests", redistest.ToRedis, ""},
		{"replies", redistest.FromRedis, "1"},
		{"both", redistest.Both, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, p, l := open(t)
			p.Stall(tt.direction)
			l.say("INCR n")
			until(t, s, tt.meanwhile, "GET", "n")
			l.silent()
			expect(t, "meanwhile", do(t, s, "GET", "n"), tt.meanwhile)
			p.Heal()
			l.expect(":1")
		})
	}
}

// What is stalled is bounded: the rest waits with its sender, and all of it arrives.
func TestProxyStallIsBounded(t *testing.T) {
	s, p, l := open(t)
	p.Stall(redistest.ToRedis)
	const size = 64 << 20 // more than all buffers on the way take
	sent := make(chan error, 1)
	go func() {
		_, err := l.conn.Write([]byte("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$67108864\r\n"))
		if err == nil {
			_, err = l.conn.Write(make([]byte, size))
		}
		sent <- err
	}()
	l.silent()
	select {
	case err := <-sent:
		t.Errorf("all of it has been sent: %v", err)
	default:
	}
	p.Heal()
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	l.say("")
	l.expect("+OK")
	expect(t, "arrived", do(t, s, "STRLEN", "a"), "67108864")
}

func TestProxyBlackHole(t *testing.T) {
	for _, tt := range []struct {
		name      string
		direction redistest.Direction
		lost      int64
		after     string // what Redis has done
	}{
		{"requests", redistest.ToRedis, int64(len("INCR n\r\n")), ""},
		{"replies", redistest.FromRedis, int64(len(":1\r\n")), "1"},
		{"both", redistest.Both, int64(len("INCR n\r\n")), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, p, l := open(t)
			p.BlackHole(tt.direction)
			l.say("INCR n")
			lost(t, p, tt.lost)
			l.silent()
			p.Heal()
			l.broken()
			expect(t, "in the end", do(t, s, "GET", "n"), tt.after)
			l = dial(t, p)
			l.say("PING")
			l.expect("+PONG")
		})
	}
}

func TestProxyHalfOpen(t *testing.T) {
	_, p, old := open(t)
	p.HalfOpen()
	fresh := dial(t, p)
	for _, l := range []*line{old, fresh} {
		l.say("PING")
		l.silent()
	}
	p.Heal()
	old.broken()
	fresh.broken()
}

func TestProxyRefuse(t *testing.T) {
	_, p, old := open(t)
	p.Refuse()
	old.broken()
	refused(t, p)
	p.Partition(true) // which replaces it
	l := dial(t, p)
	l.say("PING")
	l.silent()
	p.Partition(false)
	l.broken()
	l = dial(t, p)
	l.say("PING")
	l.expect("+PONG")
}

func TestProxyReset(t *testing.T) {
	_, p, old := open(t)
	p.Reset()
	old.broken()
	l := dial(t, p)
	l.say("PING")
	l.expect("+PONG")
}

// A reply is lost, and what it answers has been done.
func TestProxyCutReplies(t *testing.T) {
	s, p, l := open(t)
	p.CutReplies(int64(len(":1\r\n:")))
	l.say("INCR n")
	l.expect(":1")
	l.say("INCR n")
	l.broken()
	until(t, s, "2", "GET", "n")
	l = dial(t, p)
	l.say("INCR n")
	l.expect(":3")
	if got := p.Counts(); got.Cuts != 1 || got.Lost != int64(len("2\r\n")) {
		t.Errorf("%+v, want one cut and three bytes lost", got)
	}
}

// A server that goes ends its connections; the proxy outlives it.
func TestProxyOutlivesServer(t *testing.T) {
	s, p, l := open(t)
	s.Kill()
	l.broken()
	refused(t, p)
	s.Restart()
	l = dial(t, p)
	l.say("PING")
	l.expect("+PONG")
}

// A proxy ends, and all its goroutines with it, whatever its connections wait for.
func TestProxyEnds(t *testing.T) {
	for name, fault := range map[string]func(*redistest.Proxy){
		"nothing":   (*redistest.Proxy).Heal,
		"latency":   func(p *redistest.Proxy) { p.Latency(time.Hour) },
		"stall":     func(p *redistest.Proxy) { p.Stall(redistest.Both) },
		"hole":      func(p *redistest.Proxy) { p.BlackHole(redistest.Both) },
		"half-open": (*redistest.Proxy).HalfOpen,
	} {
		t.Run(name, func(t *testing.T) {
			_, p, old := open(t)
			fault(p)
			old.say("PING")
			dial(t, p).say("PING")
		})
	}
}

func TestProxyIsBounded(t *testing.T) {
	_, p, _ := open(t)
	p.HalfOpen()
	for range 511 { // and the one that is open
		dial(t, p)
	}
	refused(t, p)
	p.Heal()
	l := dial(t, p)
	l.say("PING")
	l.expect("+PONG")
}
