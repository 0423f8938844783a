package ws_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"hark/channels"
	"hark/channels/ws"
	"hark/protocol"
)

// talk makes the server wait for more of c: one message soon follows another.
func talk(k *socket, c *client) {
	c.t.Helper()
	for range 2 {
		c.say(fin(opText, "hello"))
		<-k.messages
	}
}

// silence returns when whoever has been silent since it was called has been so
// for longer than ParkAfter: what happens to a client that talked later, too.
func (s *server) silence() {
	s.t.Helper()
	k, c := s.connect()
	talk(k, c)
	awaitParked(k)
	c.Drop()
	<-k.ended
}

// parked runs test with clients that are parked after 20 ms, whether they had
// talked or not.
func parked(t *testing.T, name string, test func(t *testing.T, s *server, k *socket, c *client)) {
	for _, talked := range []bool{false, true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serveTCP(t)
			s.ParkAfter = 20 * time.Millisecond
			k, c := s.connect()
			if talked {
				talk(k, c)
			}
			test(t, s, k, c)
		})
	}
}

// wantMessage checks that a message arrives.
func wantMessage(t *testing.T, k *socket, c *client) {
	t.Helper()
	c.say(fin(opText, "still here"))
	if got := <-k.messages; got != "still here" {
		t.Errorf("received %q", got)
	}
}

// TestSilence: what a client has said in part is not lost, however long it
// takes for the rest, and others are not kept waiting by it.
func TestSilence(t *testing.T) {
	for _, test := range []struct {
		name     string
		frame    []byte
		cut      int
		messages int
	}{
		{"after the first byte", fin(opText, "hello"), 1, 1},
		{"after half a header", fin(opText, "hello"), 4, 1},
		{"after half a long header", fin(opText, strings.Repeat("x", 300)), 3, 1},
		{"after a header", fin(opText, "hello"), 6, 1},
		{"after half a message", fin(opText, strings.Repeat("x", 3000)), 1500, 1},
		{"between fragments", append(maskedFrame(opText, []byte("he")), fin(opContinuation, "llo")...), 8, 1},
		{"after a message and half a header", append(fin(opText, "one"), fin(opText, "two")...), 12, 2},
	} {
		parked(t, test.name, func(t *testing.T, s *server, k *socket, c *client) {
			c.say(test.frame[:test.cut])
			s.silence()
			c.say(test.frame[test.cut:])
			for range test.messages {
				<-k.messages
			}
			awaitParked(k)
			wantMessage(t, k, c)
			wantEndedOnce(t, k, c)
		})
	}
	parked(t, "between all bytes", func(t *testing.T, s *server, k *socket, c *client) {
		for _, b := range append(fin(opText, "abc"), fin(opPing, "p")...) {
			c.say([]byte{b})
			s.silence()
		}
		if got := <-k.messages; got != "abc" {
			t.Errorf("received %q", got)
		}
		c.want(opPong, "p")
		wantMessage(t, k, c)
	})
}

// TestPingAndSilence: a ping is answered, and does not keep the connection from
// being parked; nor does the silence after it end the connection.
func TestPingAndSilence(t *testing.T) {
	parked(t, "a ping", func(t *testing.T, s *server, k *socket, c *client) {
		c.say(fin(opPing, "hello"))
		c.want(opPong, "hello")
		<-k.alive
		awaitParked(k)
		wantMessage(t, k, c)
	})
	parked(t, "a ping and half of another", func(t *testing.T, s *server, k *socket, c *client) {
		ping := fin(opPing, "two")
		c.say(append(fin(opPing, "one"), ping[:7]...))
		c.want(opPong, "one")
		s.silence()
		c.say(ping[7:])
		c.want(opPong, "two")
		s.silence()
		wantMessage(t, k, c)
		awaitParked(k)
	})
	parked(t, "a ping right behind a message", func(t *testing.T, s *server, k *socket, c *client) {
		c.say(append(fin(opText, "hello"), fin(opPing, "")...))
		<-k.messages
		c.want(opPong, "")
		s.silence()
		wantMessage(t, k, c)
		awaitParked(k)
	})
	parked(t, "the pong to a ping of ours", func(t *testing.T, s *server, k *socket, c *client) {
		k.Conn.(channels.Pinger).Ping()
		c.want(opPing, "")
		c.say(fin(opPong, ""))
		<-k.alive
		awaitParked(k)
		wantMessage(t, k, c)
	})
}

// TestParkedConnEnds: nobody waits in a read of a parked connection, and its
// end is noticed all the same.
func TestParkedConnEnds(t *testing.T) {
	parked(t, "the peer closes", func(t *testing.T, s *server, k *socket, c *client) {
		awaitParked(k)
		c.say(fin(opClose, "\x03\xe8bye"))
		c.want(opClose, "\x03\xe8bye")
		c.end()
		wantEndedOnce(t, k, c)
	})
	parked(t, "the peer is gone", func(t *testing.T, s *server, k *socket, c *client) {
		awaitParked(k)
		c.Drop()
		wantEndedOnce(t, k, c)
	})
	parked(t, "the peer ends its direction", func(t *testing.T, s *server, k *socket, c *client) {
		awaitParked(k)
		c.Conn.(interface{ CloseWrite() error }).CloseWrite()
		c.end()
		wantEndedOnce(t, k, c)
	})
	parked(t, "we close", func(t *testing.T, s *server, k *socket, c *client) {
		awaitParked(k)
		k.Close(protocol.CloseReconnect, "restart")
		if reason := c.wantClosed(protocol.CloseReconnect); reason != "restart" {
			t.Errorf("the reason was %q", reason)
		}
		wantEndedOnce(t, k, c)
	})
	parked(t, "the close frame had to wait", func(t *testing.T, s *server, k *socket, c *client) {
		awaitParked(k)
		sent := 0
		for ; ws.Pending(k.Conn) == 0; sent++ {
			k.Send(text(sent))
		}
		k.Close(protocol.CloseReconnect, "at last")
		for n := range sent {
			c.want(opText, string(payload(text(n))))
		}
		if reason := c.wantClosed(protocol.CloseReconnect); reason != "at last" {
			t.Errorf("the reason was %q", reason)
		}
		wantEndedOnce(t, k, c)
	})
	parked(t, "the transport is let go", func(t *testing.T, s *server, k *socket, c *client) {
		awaitParked(k)
		ws.Wire(k.Conn).Close()
		c.end()
		wantEndedOnce(t, k, c)
	})
	parked(t, "the hub has ended", func(t *testing.T, s *server, k *socket, c *client) {
		awaitParked(k)
		s.ended.Store(true)
		for err := error(nil); err == nil; { // until it has to wait for the client
			err = k.Send(text(1))
		}
		wantEndedOnce(t, k, c)
	})
	parked(t, "at the moment of parking", func(t *testing.T, s *server, k *socket, c *client) {
		for range 200 {
			k, c := s.connect()
			c.say(fin(opText, "one"))
			<-k.messages // its reader is about to park
			ws.Wire(k.Conn).Close()
			<-k.ended
			c.Drop()
		}
	})
}

// TestReceiveHoldsUpNobodyElse: the poller does not wait for a socket that is
// busy.
func TestReceiveHoldsUpNobodyElse(t *testing.T) {
	s := serveTCP(t)
	busy, busyClient := s.connect()
	on := make(chan struct{})
	busy.receive = func([]byte) { <-on }
	busyClient.say(fin(opText, "slow"))
	for range 3 {
		k, c := s.connect()
		wantMessage(t, k, c)
	}
	close(on)
	<-busy.messages
}

// TestParkingBeginsAgain: the poller ends with the last connection, and there
// is another one for the next.
func TestParkingBeginsAgain(t *testing.T) {
	s := serveTCP(t)
	for range 20 {
		k, c := s.connect()
		wantMessage(t, k, c)
		awaitParked(k)
		c.Drop()
		s.wait() // for the poller, too
		if entered, known := ws.Parking(s.Handler); entered != 0 || known != 0 {
			t.Fatalf("%d connections have entered, the poller knows %d", entered, known)
		}
	}
}

// TestDeadlineOfCoder: a read deadline that coder would set counts, and is not
// taken for the end of our patience.
func TestDeadlineOfCoder(t *testing.T) {
	s := serveTCP(t)
	s.ParkAfter = time.Minute
	k, c := s.connect()
	talk(k, c)
	c.say(fin(opText, "hello")[:3]) // its reader is in coder now, or will be
	ws.Wire(k.Conn).SetReadDeadline(time.Now().Add(time.Millisecond))
	<-k.ended
	wantEndedOnce(t, k, c)
}

// A wrapper is a connection around one that was accepted, as httpapi/persistent gives
// them back.
type wrapper struct{ net.Conn }

func (w wrapper) Accepted() net.Conn { return w.Conn }

type wrapping struct{ net.Listener }

func (w wrapping) Accept() (net.Conn, error) {
	c, err := w.Listener.Accept()
	return wrapper{c}, err
}

// TestWrappedIsParked: a connection that has served requests before is as good as any.
func TestWrappedIsParked(t *testing.T) {
	ln, dial := listenTCP(t)
	k, c := newServer(t, wrapping{ln}, dial).connect()
	wantMessage(t, k, c)
	awaitParked(k)
}
