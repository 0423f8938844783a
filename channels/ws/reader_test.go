package ws_test

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hark/channels"
	"hark/channels/ws"
	"hark/protocol"
)

// wantEndedOnce closes the client's side, if it is still open, and checks that
// the socket was told once that the connection has ended.
func wantEndedOnce(t *testing.T, k *socket, c *client) {
	t.Helper()
	c.Close()
	<-k.ended
	k.server.wait()
	if n := k.ends.Load(); n != 1 {
		t.Errorf("End was called %d times", n)
	}
}

func TestMessages(t *testing.T) {
	for _, test := range []struct {
		name   string
		frames [][]byte
		want   []string
	}{
		{"one", [][]byte{fin(opText, "hello")}, []string{"hello"}},
		{"empty", [][]byte{fin(opText, "")}, []string{""}},
		{"two in one write", [][]byte{append(fin(opText, "a"), fin(opText, "b")...)}, []string{"a", "b"}},
		{"fragments", [][]byte{maskedFrame(opText, []byte("he")), maskedFrame(opContinuation, []byte("ll")), fin(opContinuation, "o")}, []string{"hello"}},
		{"larger than any buffer", [][]byte{fin(opText, strings.Repeat("x", 40000))}, []string{strings.Repeat("x", 40000)}},
		{"as large as may be", [][]byte{fin(opText, strings.Repeat("x", messageLimit))}, []string{strings.Repeat("x", messageLimit)}},
		{"not UTF-8, which the socket judges", [][]byte{fin(opText, "\xff")}, []string{"\xff"}},
	} {
		everywhere(t, test.name, func(t *testing.T, s *server) {
			k, c := s.connect()
			for _, b := range test.frames {
				c.say(b)
			}
			for _, want := range test.want {
				if got := <-k.messages; got != want {
					t.Errorf("received %.60q of %d bytes, want %.60q of %d", got, len(got), want, len(want))
				}
			}
			wantEndedOnce(t, k, c)
		})
	}
}

func TestNoMessageLimit(t *testing.T) {
	everywhere(t, "", func(t *testing.T, s *server) {
		s.limit = math.MaxInt // as protocol.Limits says it
		k, c := s.connect()
		c.say(fin(opText, strings.Repeat("x", 5<<20)))
		if got := <-k.messages; len(got) != 5<<20 {
			t.Errorf("received %d bytes", len(got))
		}
		wantEndedOnce(t, k, c)
	})
}

func TestByteAtATime(t *testing.T) {
	everywhere(t, "", func(t *testing.T, s *server) {
		k, c := s.connect()
		stream := bytes.Join([][]byte{fin(opText, "one"), fin(opPong, "p"), maskedFrame(opText, []byte("t")), fin(opContinuation, "wo")}, nil)
		for i := range stream {
			c.say(stream[i : i+1])
		}
		for _, want := range []string{"one", "two"} {
			if got := <-k.messages; got != want {
				t.Errorf("received %q, want %q", got, want)
			}
		}
		wantEndedOnce(t, k, c)
	})
}

// What came in one piece is read by itself where it is whole, and by coder where it is
// not: the order stays.
func TestManyAtOnce(t *testing.T) {
	everywhere(t, "", func(t *testing.T, s *server) {
		k, c := s.connect()
		long := strings.Repeat("x", 3000) // more than an intake holds
		c.say(bytes.Join([][]byte{
			fin(opText, "one"), fin(opPing, "p"), fin(opText, ""),
			maskedFrame(opText, []byte("th")), fin(opPing, "q"), fin(opContinuation, "ree"),
			fin(opText, strings.Repeat("4", 126)), fin(opText, long), fin(opText, "six"),
		}, nil))
		for _, want := range []string{"one", "", "three", strings.Repeat("4", 126), long, "six"} {
			if got := <-k.messages; got != want {
				t.Errorf("received %q, want %q", got, want)
			}
		}
		c.want(opPong, "p")
		c.want(opPong, "q")
		wantEndedOnce(t, k, c)
	})
}

// A text over the limit ends the connection, however it comes.
func TestSmallLimit(t *testing.T) {
	const limit = 100
	long := strings.Repeat("x", limit+1)
	for _, test := range []struct {
		name   string
		frames []byte
	}{
		{"as a whole", fin(opText, long)},
		{"in fragments", append(maskedFrame(opText, []byte(long[:limit])), fin(opContinuation, long[limit:])...)},
	} {
		everywhere(t, test.name, func(t *testing.T, s *server) {
			s.limit = limit
			k, c := s.connect()
			c.say(append(fin(opText, long[:limit]), test.frames...))
			if got := <-k.messages; got != long[:limit] {
				t.Errorf("received %q", got)
			}
			c.wantClosed(protocol.CloseTooBig)
			if n := len(k.messages); n > 0 {
				t.Errorf("%d more messages were received", n)
			}
			wantEndedOnce(t, k, c)
		})
	}
}

// What comes behind a message that ends the connection is not received, be it there
// already.
func TestNothingBehindTheEnd(t *testing.T) {
	everywhere(t, "", func(t *testing.T, s *server) {
		k, c := s.connect()
		k.receive = func([]byte) { k.Close(protocol.CloseUnauthorized, "no") }
		c.say(append(fin(opText, "one"), fin(opText, "two")...))
		c.wantClosed(protocol.CloseUnauthorized)
		wantEndedOnce(t, k, c)
		if n := len(k.messages); n != 1 {
			t.Errorf("%d messages were received, want 1", n)
		}
	})
}

// FuzzCutFrame: what is cut off is what RFC 6455 §5.2 says a frame is, and only a text,
// ping or pong that is there as a whole.
func FuzzCutFrame(f *testing.F) {
	for _, n := range []int{0, 1, 7, 8, 9, 125, 126, 1000} {
		f.Add(fin(opText, strings.Repeat("t", n)))
		f.Add(append(fin(opPing, strings.Repeat("p", n)), "more"...))
	}
	f.Add(fin(opText, "half")[:9])
	f.Add(fin(opClose, ""))
	f.Add(fin(opBinary, "b"))
	f.Add(maskedFrame(opText, []byte("a part")))
	f.Add(maskedFrame(0xc0|opText, []byte("compressed")))
	f.Add([]byte("\x81\x02no mask"))
	f.Add([]byte("\x81\xfe\x00\x01\x00\x00\x00\x00x"))
	f.Add([]byte("\x81\xff\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00x"))
	f.Fuzz(func(t *testing.T, b []byte) {
		const limit = 500
		wantOp, wantPayload, wantN := wholeFrame(b, limit)
		op, payload, n := ws.CutFrame(bytes.Clone(b), limit)
		if op != wantOp || !bytes.Equal(payload, wantPayload) || n != wantN {
			t.Errorf("got %#x, %q and %d, want %#x, %q and %d", op, payload, n, wantOp, wantPayload, wantN)
		}
		if n > 0 && payload == nil {
			t.Error("there is no payload, not even an empty one")
		}
	})
}

// wholeFrame is cutFrame, step by step.
func wholeFrame(b []byte, limit int) (op byte, payload []byte, n int) {
	if len(b) < 2 || b[0]>>4 != 8 || b[1]>>7 != 1 {
		return 0, nil, 0 // more to come, an extension, or no mask
	}
	op, size, rest := b[0]&0xf, int(b[1]&0x7f), b[2:]
	switch {
	case op != opText && op != opPing && op != opPong, size == 127, size == 126 && op != opText:
		return 0, nil, 0
	case size == 126 && len(rest) < 2:
		return 0, nil, 0
	case size == 126:
		size, rest = int(rest[0])<<8|int(rest[1]), rest[2:]
	}
	if len(rest) < 4+size || op == opText && size > limit {
		return 0, nil, 0
	}
	for i := range size {
		payload = append(payload, rest[4+i]^rest[i%4])
	}
	return b[0], payload, len(b) - len(rest) + 4 + size
}

func TestControlFrames(t *testing.T) {
	everywhere(t, "a ping is answered and a sign of life", func(t *testing.T, s *server) {
		k, c := s.connect()
		c.say(fin(opPing, "are you there"))
		c.want(opPong, "are you there")
		<-k.alive
		wantEndedOnce(t, k, c)
	})
	everywhere(t, "a pong is a sign of life", func(t *testing.T, s *server) {
		k, c := s.connect()
		c.say(fin(opPong, "nobody asked"))
		<-k.alive
		wantEndedOnce(t, k, c)
	})
	everywhere(t, "a ping inside a message", func(t *testing.T, s *server) {
		k, c := s.connect()
		c.say(maskedFrame(opText, []byte("a")))
		c.say(fin(opPing, ""))
		c.want(opPong, "")
		c.say(fin(opContinuation, "b"))
		if got := <-k.messages; got != "ab" {
			t.Errorf("received %q", got)
		}
		wantEndedOnce(t, k, c)
	})
	everywhere(t, "Ping sends a ping", func(t *testing.T, s *server) {
		k, c := s.connect()
		k.Conn.(channels.Pinger).Ping()
		c.want(opPing, "")
		wantEndedOnce(t, k, c)
	})
	bubble(t, "a ping and then silence", func(t *testing.T, s *server) {
		k, c := s.connect()
		c.say(fin(opPing, ""))
		c.want(opPong, "")
		time.Sleep(50 * time.Second)
		k.Send(text(1))
		c.want(opText, string(payload(text(1))))
		wantEndedOnce(t, k, c)
	})
}

// payload is the text of a batch of one.
func payload(b protocol.Batch) []byte {
	for text := range b.All() {
		return text
	}
	return nil
}

// TestRejected: what RFC 6455 or the limits do not allow ends the connection
// with a code that the client gets, whatever it is still sending.
func TestRejected(t *testing.T) {
	for _, test := range []struct {
		name string
		send []byte
		code protocol.CloseCode
	}{
		{"binary", fin(opBinary, "\x00"), 1003},
		{"too big by one", fin(opText, strings.Repeat("x", messageLimit+1)), 1009},
		{"far too big", fin(opText, strings.Repeat("x", 20*messageLimit)), 1009},
		{"too big in fragments", append(maskedFrame(opText, make([]byte, messageLimit)), fin(opContinuation, "x")...), 1009},
		{"reserved opcode", fin(3, ""), 1002},
		{"reserved bit", maskedFrame(0xc0|opText, nil), 1002},
		{"continuation of nothing", fin(opContinuation, "x"), 1002},
		{"message in a message", append(maskedFrame(opText, []byte("a")), fin(opText, "b")...), 1002},
		{"fragmented ping", maskedFrame(opPing, nil), 1002},
		{"long ping", fin(opPing, strings.Repeat("x", 126)), 1002},
		{"close with half a code", fin(opClose, "\x03"), 1002},
		{"close with a code that is none", fin(opClose, "\x03\xee"), 1002},
		{"close with a reason that is no UTF-8", fin(opClose, "\x03\xe8\xff"), 1007},
	} {
		t.Run(test.name, func(t *testing.T) {
			overTCP(t, func(t *testing.T, s *server) {
				k, c := s.connect()
				// More follows, so that the server closes with input unread.
				sent := make(chan struct{})
				go func() {
					defer close(sent)
					c.Write(test.send)
					c.Write(fin(opText, strings.Repeat("y", 10000)))
				}()
				c.wantClosed(test.code)
				<-sent
				<-k.ended
				if n := len(k.messages); n > 0 {
					t.Errorf("%d messages were received", n)
				}
			})
		})
	}
	t.Run("unmasked", func(t *testing.T) {
		overTCP(t, func(t *testing.T, s *server) {
			k, c := s.connect()
			c.say([]byte("\x81\x02hi"))
			if _, err := c.Next(); err == nil {
				t.Error("a frame without a mask was answered with a message")
			}
			<-k.ended
		})
	})
}

func TestPeerCloses(t *testing.T) {
	everywhere(t, "its code and reason come back", func(t *testing.T, s *server) {
		k, c := s.connect()
		c.say(fin(opClose, "\x03\xe8bye"))
		c.want(opClose, "\x03\xe8bye")
		c.end()
		wantEndedOnce(t, k, c)
		if err := k.Send(text(1)); !errors.Is(err, channels.ErrClosed) {
			t.Errorf("Send after the peer's close: %v", err)
		}
	})
	everywhere(t, "without a code", func(t *testing.T, s *server) {
		k, c := s.connect()
		c.say(fin(opClose, ""))
		c.want(opClose, "")
		c.end()
		wantEndedOnce(t, k, c)
	})
	everywhere(t, "after what was queued", func(t *testing.T, s *server) {
		k, c := s.connect()
		for n := range 100 {
			k.Send(text(n))
		}
		c.say(fin(opClose, "\x03\xe8"))
		s.settle()
		for n := range 100 {
			c.want(opText, string(payload(text(n))))
		}
		c.want(opClose, "\x03\xe8")
		c.end()
		wantEndedOnce(t, k, c)
	})
	everywhere(t, "at the same time as we", func(t *testing.T, s *server) {
		k, c := s.connect()
		k.Close(protocol.CloseReconnect, "restart")
		c.say(fin(opClose, "\x03\xe8"))
		c.want(opClose, "\x10\x68restart")
		c.end()
		wantEndedOnce(t, k, c)
	})
	everywhere(t, "without a word", func(t *testing.T, s *server) {
		k, c := s.connect()
		c.Drop()
		wantEndedOnce(t, k, c)
	})
}

func TestServerCloses(t *testing.T) {
	everywhere(t, "and nothing is received any more", func(t *testing.T, s *server) {
		k, c := s.connect()
		k.Close(protocol.CloseReconnect, "")
		c.want(opClose, "\x10\x68")
		c.say(fin(opPing, "no answer to this"))
		c.say(fin(opText, "late"))
		c.end()
		wantEndedOnce(t, k, c)
		if len(k.messages) > 0 {
			t.Errorf("received %q after Close", <-k.messages)
		}
	})
	everywhere(t, "and the peer says nothing", func(t *testing.T, s *server) {
		k, c := s.connect()
		start := time.Now()
		k.Close(protocol.ClosePongNotReceived, "")
		c.want(opClose, "\x10\x69")
		<-k.ended
		s.wantTook(start, ws.CloseWait)
		c.end()
	})
	bubble(t, "and the peer keeps sending", func(t *testing.T, s *server) {
		k, c := s.connect()
		start := time.Now()
		k.Close(protocol.CloseReconnect, "")
		c.want(opClose, "\x10\x68")
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for err := error(nil); err == nil; time.Sleep(time.Millisecond) {
				_, err = c.Write(fin(opText, "more"))
			}
		}()
		c.end()
		if d := time.Since(start); d > ws.CloseWait {
			t.Errorf("it took %v to end, want %v", d, ws.CloseWait)
		}
		<-sent
		wantEndedOnce(t, k, c)
	})
	bubble(t, "while a header is half there", func(t *testing.T, s *server) {
		k, c := s.connect()
		c.say([]byte{0x80 | opText, 0x80 | 126, 1})
		time.Sleep(time.Hour)
		if k.ends.Load() > 0 {
			t.Error("silence alone ended the connection; that is the hub's to decide")
		}
		k.Close(protocol.ClosePongNotReceived, "")
		c.want(opClose, "\x10\x69")
		<-k.ended
	})
	bubble(t, "while the socket is busy with a message", func(t *testing.T, s *server) {
		k, c := s.connect()
		busy, on := make(chan struct{}), make(chan struct{})
		k.receive = func([]byte) { close(busy); <-on }
		c.say(fin(opText, "slow"))
		<-busy
		k.Close(protocol.CloseReconnect, "")
		c.want(opClose, "\x10\x68")
		start := time.Now()
		c.end()
		if d := time.Since(start); d > ws.CloseWait {
			t.Errorf("it took %v to end, want %v", d, ws.CloseWait)
		}
		close(on)
		wantEndedOnce(t, k, c)
	})
	everywhere(t, "from within Receive", func(t *testing.T, s *server) {
		k, c := s.connect()
		k.receive = func([]byte) { k.Close(protocol.CloseInvalidPayload, "no UTF-8") }
		c.say(fin(opText, "\xff"))
		if got := c.wantClosed(protocol.CloseInvalidPayload); got != "no UTF-8" {
			t.Errorf("the reason was %q", got)
		}
		wantEndedOnce(t, k, c)
	})
}

func TestPeerSendsTooSlowly(t *testing.T) {
	// A control frame that stays away makes coder give the connection up.
	bubble(t, "half a ping", func(t *testing.T, s *server) {
		k, c := s.connect()
		c.say(fin(opPing, "abc")[:7])
		<-k.ended
		c.end()
	})
	bubble(t, "half a message", func(t *testing.T, s *server) {
		k, c := s.connect()
		c.say(fin(opText, strings.Repeat("x", 1000))[:500])
		time.Sleep(time.Minute)
		c.say(fin(opText, strings.Repeat("x", 1000))[500:])
		if got := <-k.messages; len(got) != 1000 {
			t.Errorf("received %d bytes", len(got))
		}
		wantEndedOnce(t, k, c)
	})
}

// TestWire: the connection that coder is given keeps its promises whoever uses
// it.
func TestWire(t *testing.T) {
	bubble(t, "a closed wire reads no more, whatever deadline is set", func(t *testing.T, s *server) {
		k, c := s.connect()
		k.Send(text(1)) // which keeps the connection open for a while
		synctest.Wait()
		w := ws.Wire(k.Conn)
		w.Close()
		w.SetDeadline(time.Time{})
		w.SetReadDeadline(time.Now().Add(time.Hour))
		<-k.ended
		synctest.Wait()
		if _, err := w.Read(make([]byte, 1)); err == nil {
			t.Error("read from a closed wire")
		}
		c.want(opText, string(payload(text(1))))
		c.end()
	})
	bubble(t, "a read deadline counts until then", func(t *testing.T, s *server) {
		k, _ := s.connect()
		w := ws.Wire(k.Conn)
		w.SetWriteDeadline(time.Now())
		w.SetReadDeadline(time.Now().Add(time.Second))
		<-k.ended
		if w.LocalAddr() == nil || w.RemoteAddr() == nil {
			t.Error("a wire has no addresses")
		}
	})
	everywhere(t, "it writes control frames only", func(t *testing.T, s *server) {
		k, c := s.connect()
		if n, err := ws.Wire(k.Conn).Write([]byte("\x8a\x00\x81\x02hi")); err == nil || n != 2 {
			t.Errorf("Write of a message: %d, %v", n, err)
		}
		c.want(opPong, "")
	})
}
