package conntest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"hark/protocol"
)

// sizes are those of the messages' filler, in bytes, in turn: around the
// lengths at which a websocket's header changes, and beyond every buffer.
var sizes = []int{0, 10, 60, 61, 62, 63, 64, 65, 200, 1000, 3, 4096, 5, 65000, 1, 65471, 30, 70000, 2, 128}

// message is the one with number seq of a sender. The same numbers give the
// same bytes, so a receiver knows what must have come.
func message(sender, seq int) protocol.Frame {
	return sized(sender, seq, sizes[seq%len(sizes)])
}

// sized is a message with a filler of n bytes.
func sized(sender, seq, n int) protocol.Frame {
	pattern := fmt.Sprintf("%x.", sender*7919+seq)
	filler := strings.Repeat(pattern, n/len(pattern)+1)[:n]
	return protocol.Event{Name: "e", Channel: "c", Data: fmt.Sprintf("%d %d %d %s", sender, seq, n, filler)}.Frame()
}

// received counts what came from each sender.
type received map[int]int

// take checks that text is the next message of its sender, byte for byte.
func (r received) take(t *testing.T, text []byte) {
	t.Helper()
	m, err := protocol.Decode(text)
	if err != nil {
		t.Fatalf("received %d bytes that are no message: %v", len(text), err)
	}
	var sender, seq, n int
	if _, err := fmt.Sscan(m.Data, &sender, &seq, &n); err != nil {
		t.Fatalf("received %.60q, which no sender sent", text)
	}
	if want := r[sender]; seq != want {
		t.Fatalf("received message %d of sender %d, want %d", seq, sender, want)
	}
	if want := sized(sender, seq, n).JSON(); !bytes.Equal(text, want) {
		t.Fatalf("message %d of sender %d has changed on the way: %d bytes, want %d", seq, sender, len(text), len(want))
	}
	r[sender]++
}

// takeN takes n messages.
func (r received) takeN(t *testing.T, p Peer, n int) {
	t.Helper()
	for i := range n {
		text, err := p.Next()
		if err != nil {
			t.Fatalf("message %d of %d: %v", i, n, err)
		}
		r.take(t, text)
	}
}

// takeAll takes messages until the connection ends, and returns how it did.
func (r received) takeAll(t *testing.T, p Peer) error {
	t.Helper()
	for {
		text, err := p.Next()
		if err != nil {
			return err
		}
		r.take(t, text)
	}
}

// wantClosed takes messages to the end and checks that a code came there.
func (r received) wantClosed(t *testing.T, p Peer, code protocol.CloseCode) *Closed {
	t.Helper()
	err := r.takeAll(t, p)
	closed, ok := errors.AsType[*Closed](err)
	if !ok {
		t.Fatalf("the connection ended with %v, want a close with %d", err, code)
	}
	if closed.Code != code {
		t.Errorf("closed with %d %q, want %d", closed.Code, closed.Reason, code)
	}
	return closed
}
