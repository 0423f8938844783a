package ws_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"hark/channels"
	"hark/channels/ws"
	"hark/protocol"
)

// TestSendAllocatesNothing: on a TCP connection with room a Send is a system
// call and nothing else.
func TestSendAllocatesNothing(t *testing.T) {
	k, c := serveTCP(t).connect()
	b := text(1)
	buf := make([]byte, len(b.Wire()))
	allocs := testing.AllocsPerRun(1000, func() {
		if err := k.Send(b); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c.r, buf); err != nil { // so that there always is room
			t.Fatal(err)
		}
	})
	if allocs != 0 {
		t.Errorf("a Send allocates %v times", allocs)
	}
}

// TestControlFramesBetweenMessages: coder's control frames are never inside of
// a message, even when they are written byte by byte, and however slowly the
// peer reads.
func TestControlFramesBetweenMessages(t *testing.T) { overTCP(t, controlFramesBetweenMessages) }

func controlFramesBetweenMessages(t *testing.T, s *server) {
	const messages, pongs, senders = 150, 150, 3
	k, c := s.connect()
	var all sync.WaitGroup
	for range senders {
		all.Go(func() {
			for seq := range messages {
				size := []int{1, 100, 3000}[seq%3]
				if err := k.Send(protocol.Join(protocol.Event{Name: "e", Data: strings.Repeat("x", size)}.Frame())); err != nil {
					t.Errorf("Send: %v", err)
				}
			}
		})
	}
	all.Go(func() {
		w := ws.Wire(k.Conn)
		for seq := range pongs {
			frame := fmt.Appendf([]byte{0x8a, 5}, "%05d", seq)
			for i := range frame {
				if n, err := w.Write(frame[i : i+1]); n != 1 || err != nil {
					t.Errorf("Write: %d, %v", n, err)
				}
			}
		}
	})
	next := 0
	for range senders*messages + pongs {
		op, payload, err := c.frame()
		if err != nil {
			t.Fatal(err)
		}
		if op == opPong {
			if string(payload) != fmt.Sprintf("%05d", next) {
				t.Errorf("pong %q, want %d", payload, next)
			}
			next++
		}
	}
	all.Wait()
	if next != pongs {
		t.Errorf("%d pongs came, want %d", next, pongs)
	}
}

// TestSlowReaderCostsNobodyElse: while one client does not read, another one's
// messages pass, and what waits for the slow one is bounded.
func TestSlowReaderCostsNobodyElse(t *testing.T) { overTCP(t, slowReaderCostsNobodyElse) }

func slowReaderCostsNobodyElse(t *testing.T, s *server) {
	s.Outbox = 100 << 10
	slow, slowClient := s.connect()
	fast, fastClient := s.connect()
	b := protocol.Join(protocol.Event{Name: "e", Channel: "c", Data: strings.Repeat("x", 1000)}.Frame())
	want := string(payload(b))
	var err error
	for err == nil {
		err = slow.Send(b)
		if n := ws.Pending(slow.Conn); n > s.Outbox {
			t.Fatalf("%d bytes wait, with a bound of %d", n, s.Outbox)
		}
		if err := fast.Send(b); err != nil {
			t.Fatalf("Send to a client that reads: %v", err)
		}
		fastClient.want(opText, want)
	}
	if !errors.Is(err, channels.ErrSlow) {
		t.Errorf("Send to a client that does not read: %v", err)
	}
	slowClient.Next()
	fast.Send(b)
	fastClient.want(opText, want)
}

// TestSlowReaderIsReset: a slow reader that stays away is cut off by the kernel
// too, which would otherwise keep what it had taken.
func TestSlowReaderIsReset(t *testing.T) {
	t.Parallel()
	s := serveTCP(t)
	s.Outbox = 64 << 10
	k, c := s.connect()
	var start time.Time
	for err := error(nil); err == nil; {
		start = time.Now()
		err = k.Send(protocol.Join(protocol.Event{Name: "e", Data: strings.Repeat("x", 9000)}.Frame()))
	}
	<-k.ended
	if d := time.Since(start); d < ws.CloseWait || d > 5*ws.CloseWait {
		t.Errorf("the connection ended after %v", d)
	}
	_, err := io.Copy(io.Discard, c.r)
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the connection ended with %v, want a reset", err)
	}
}

func TestStuckPeer(t *testing.T) {
	bubble(t, "a peer that takes nothing is given up", func(t *testing.T, s *server) {
		k, c := s.connect()
		start := time.Now()
		k.Send(text(1))
		<-k.ended
		if d := time.Since(start); d != ws.WriteWait {
			t.Errorf("it took %v, want %v", d, ws.WriteWait)
		}
		if err := k.Send(text(2)); !errors.Is(err, channels.ErrClosed) {
			t.Errorf("Send afterwards: %v", err)
		}
		wantEndedOnce(t, k, c)
	})
	bubble(t, "one that takes a little at a time is not", func(t *testing.T, s *server) {
		k, c := s.connect()
		for n := range 100 {
			k.Send(protocol.Join(protocol.Event{Name: "e", Data: strings.Repeat("x", 10000)}.Frame()))
			if n == 0 {
				synctest.Wait()
			}
		}
		for range 100 {
			time.Sleep(ws.WriteWait / 3)
			if _, _, err := c.frame(); err != nil {
				t.Fatal(err)
			}
		}
		wantEndedOnce(t, k, c)
	})
}

// TestDrainLeavesNoDeadline: one left behind would fail a direct write later.
func TestDrainLeavesNoDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := net.Pipe()
		defer client.Close()
		conn := &deadlines{Conn: server}
		c := ws.NewConn(conn)
		for n := range 3 {
			c.Send(text(n))
		}
		io.ReadFull(client, make([]byte, 3*len(text(1).Wire())))
		synctest.Wait()
		if n := len(conn.set); n < 2 || conn.set[0].IsZero() || !conn.set[n-1].IsZero() {
			t.Errorf("a drain has set the deadlines %v, want some and none in the end", conn.set)
		}
	})
}

// deadlines is a connection that writes its write deadlines down.
type deadlines struct {
	net.Conn
	set []time.Time
}

func (d *deadlines) SetWriteDeadline(t time.Time) error {
	d.set = append(d.set, t)
	return d.Conn.SetWriteDeadline(t)
}

// TestFloodOfPings: pings of a client that does not read its pongs cannot fill
// the memory, nor do they make it a slow reader by themselves.
func TestFloodOfPings(t *testing.T) {
	bubble(t, "", func(t *testing.T, s *server) {
		s.Outbox = 10 << 10
		k, c := s.connect()
		for range 2000 {
			c.say(fin(opPing, ""))
			<-k.alive
			if n := ws.Pending(k.Conn); n > s.Outbox {
				t.Fatalf("%d bytes wait", n)
			}
		}
		c.say(fin(opClose, "\x03\xe8"))
		synctest.Wait()
		for {
			op, _, err := c.frame()
			if err != nil {
				t.Fatal(err)
			}
			if op == opClose {
				break
			}
		}
		c.end()
		wantEndedOnce(t, k, c)
	})
}

// TestSlowReaderGetsTheFrameItHadBegun: what is dropped of a full outbox is
// whole frames, also of a batch that is partly out.
func TestSlowReaderGetsTheFrameItHadBegun(t *testing.T) {
	bubble(t, "", func(t *testing.T, s *server) {
		s.Outbox = 200 << 10
		k, c := s.connect()
		var frames []protocol.Frame
		for n := range 100 {
			frames = append(frames, protocol.Event{Name: "e", Data: strings.Repeat(fmt.Sprint(n%10), 1000+n)}.Frame())
		}
		batch := protocol.Join(frames...)
		if err := k.Send(batch); err != nil {
			t.Fatal(err)
		}
		c.want(opText, string(frames[0].JSON())) // the first is out, the second has begun
		var head [10]byte
		io.ReadFull(c.r, head[:])
		var err error
		for err == nil {
			err = k.Send(batch)
		}
		if !errors.Is(err, channels.ErrSlow) {
			t.Fatal(err)
		}
		if n := ws.Pending(k.Conn); n > 30<<10 {
			t.Errorf("%d bytes still wait of a slow reader", n)
		}
		rest := make([]byte, len(frames[1].Wire())-len(head))
		if _, err := io.ReadFull(c.r, rest); err != nil {
			t.Fatal(err)
		}
		if string(head[:])+string(rest) != string(frames[1].Wire()) {
			t.Error("the frame that was partly out is torn")
		}
		for n := 2; ; n++ {
			op, payload, err := c.frame()
			if err != nil {
				t.Fatal(err)
			}
			if op == opClose {
				break
			}
			if string(payload) != string(frames[n].JSON()) {
				t.Fatalf("frame %d is torn", n)
			}
		}
		wantEndedOnce(t, k, c)
	})
}

// TestHubHasEnded: where no drain can be started any more, a connection that
// needs one ends.
func TestHubHasEnded(t *testing.T) {
	bubble(t, "", func(t *testing.T, s *server) {
		k, c := s.connect()
		s.ended.Store(true)
		if err := k.Send(text(1)); !errors.Is(err, channels.ErrClosed) {
			t.Errorf("Send: %v, want ErrClosed", err)
		}
		wantEndedOnce(t, k, c)
	})
}

// TestNoBound: an outbox without a bound takes everything.
func TestNoBound(t *testing.T) {
	bubble(t, "", func(t *testing.T, s *server) {
		s.Outbox = -1
		k, c := s.connect()
		b := protocol.Join(protocol.Event{Name: "e", Data: strings.Repeat("x", 1<<20)}.Frame())
		for range 10 {
			if err := k.Send(b); err != nil {
				t.Fatal(err)
			}
		}
		for range 10 {
			c.want(opText, string(payload(b)))
		}
		wantEndedOnce(t, k, c)
	})
}

// TestSendNoticesAReset: a Send is told of an end before any read is.
func TestSendNoticesAReset(t *testing.T) {
	t.Parallel()
	ln, dial := listenTCP(t)
	defer ln.Close()
	client := dial().(*net.TCPConn)
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c := ws.NewConn(conn)
	client.SetLinger(0)
	client.Close()
	for err == nil {
		err = c.Send(text(1))
	}
	if !errors.Is(err, channels.ErrClosed) {
		t.Errorf("Send after a reset: %v, want ErrClosed", err)
	}
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the connection was not closed: %v", err)
	}
}

// TestBatchesUnderPressure is the life of a busy connection: several senders,
// pings from both sides, a reader that is now slow and now fast, and a close in
// the end.
func TestBatchesUnderPressure(t *testing.T) { overTCP(t, batchesUnderPressure) }

func batchesUnderPressure(t *testing.T, s *server) {
	const senders, each = 4, 400
	k, c := s.connect()
	room := make(chan struct{}, 60) // so many messages may wait for the reader
	var all sync.WaitGroup
	for sender := range senders {
		all.Go(func() {
			for seq := range each {
				room <- struct{}{}
				size := []int{20, 200, 50, 8000, 1}[seq%5]
				e := protocol.Event{Name: "e", Data: fmt.Sprintf("%d %d %s", sender, seq, strings.Repeat("x", size))}
				if err := k.Send(protocol.Join(e.Frame())); err != nil {
					t.Errorf("Send: %v", err)
				}
				if seq%50 == 0 {
					k.Conn.(channels.Pinger).Ping()
				}
			}
		})
	}
	next := make([]int, senders)
	for n := 0; n < senders*each; {
		op, payload, err := c.frame()
		if err != nil {
			t.Fatal(err)
		}
		if op == opPing {
			c.say(fin(opPong, string(payload)))
			continue
		}
		m, err := protocol.Decode(payload)
		if err != nil {
			t.Fatal(err)
		}
		var sender, seq int
		fmt.Sscan(m.Data, &sender, &seq)
		if seq != next[sender] {
			t.Fatalf("message %d of sender %d, want %d", seq, sender, next[sender])
		}
		next[sender]++
		if n++; n%40 == 0 { // a slow reader that now and then catches up
			for range 40 {
				<-room
			}
		}
	}
	all.Wait()
	k.Close(protocol.CloseReconnect, "done")
	if reason := c.wantClosed(protocol.CloseReconnect); reason != "done" {
		t.Errorf("the reason was %q", reason)
	}
	<-k.ended
}
