package ws_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"hark/channels/conntest"
	"hark/protocol"
)

// Opcodes of RFC 6455 §5.2.
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

// A client is a websocket client that reads one byte stream with its own eyes:
// what is not a frame that a server may send fails the test.
type client struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

// upgrade is the request of a client.
func upgrade(path string, extra ...string) string {
	r := "GET " + path + " HTTP/1.1\r\nHost: hark\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	for _, line := range extra {
		r += line + "\r\n"
	}
	return r + "\r\n"
}

// newClient does the client's part of the handshake on conn. With early, it
// sends that in the same write.
func newClient(t *testing.T, conn net.Conn, request string, early ...byte) *client {
	t.Helper()
	t.Cleanup(func() { conn.Close() })
	if _, ok := conn.(*net.TCPConn); ok {
		conn.SetDeadline(time.Now().Add(time.Minute)) // a bubble notices by itself that a test hangs
	}
	c := &client{t, conn, bufio.NewReader(conn)}
	if _, err := conn.Write(append([]byte(request), early...)); err != nil {
		t.Fatalf("sending the handshake: %v", err)
	}
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatalf("reading the handshake: %v", err)
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("the handshake was answered with %s", res.Status)
	}
	for _, header := range []string{"Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"} {
		if v := res.Header.Get(header); v != "" {
			t.Errorf("the handshake agreed on %s %q", header, v)
		}
	}
	return c
}

// maskedFrame returns a frame of a client, with a mask that is easily undone.
func maskedFrame(first byte, payload []byte) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	mask := [4]byte{1, 2, 3, 4}
	b = append(b, mask[:]...)
	for i, p := range payload {
		b = append(b, p^mask[i%4])
	}
	return b
}

// fin is a whole message, or a control frame.
func fin(op byte, payload string) []byte { return maskedFrame(0x80|op, []byte(payload)) }

func (c *client) say(frame []byte) {
	c.t.Helper()
	if _, err := c.Write(frame); err != nil {
		c.t.Fatalf("sending a frame: %v", err)
	}
}

// frame reads one frame. An error is one of the connection.
func (c *client) frame() (op byte, payload []byte, err error) {
	var head [10]byte
	if _, err := io.ReadFull(c.r, head[:2]); err != nil {
		return 0, nil, err
	}
	op, n := head[0]&0xf, uint64(head[1])
	if head[0]&0xf0 != 0x80 {
		c.t.Fatalf("a frame begins with %#x: not FIN alone", head[0])
	}
	switch n {
	case 126:
		_, err = io.ReadFull(c.r, head[2:4])
		n = uint64(binary.BigEndian.Uint16(head[2:]))
	case 127:
		_, err = io.ReadFull(c.r, head[2:10])
		n = binary.BigEndian.Uint64(head[2:])
	}
	if err != nil {
		return 0, nil, err
	}
	switch {
	case head[1]&0x80 != 0:
		c.t.Fatal("a server's frame has a mask")
	case op != opText && op < opClose || op > opPong:
		c.t.Fatalf("received a frame with opcode %d", op)
	case op >= opClose && n > 125:
		c.t.Fatalf("a control frame has %d bytes", n)
	case n > 64<<20:
		c.t.Fatalf("a frame of %d bytes; the stream is torn", n)
	case head[1] == 126 && n < 126 || head[1] == 127 && n < 1<<16:
		c.t.Fatalf("the length %d is not in its shortest form", n)
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(c.r, payload)
	return op, payload, err
}

// Next implements conntest.Peer. It answers a Close frame and then waits for
// the server to close the connection, as RFC 6455 §7.1.1 asks of clients.
func (c *client) Next() ([]byte, error) {
	for {
		op, payload, err := c.frame()
		if err != nil {
			return nil, err
		}
		switch op {
		case opText:
			return payload, nil
		case opClose:
			c.Write(maskedFrame(0x80|opClose, payload))
			c.end()
			return nil, closed(c.t, payload)
		}
	}
}

// closed is what a Close frame says.
func closed(t *testing.T, payload []byte) *conntest.Closed {
	t.Helper()
	switch len(payload) {
	case 0:
		return &conntest.Closed{Code: 1005}
	case 1:
		t.Fatal("a Close frame has one byte")
	}
	return &conntest.Closed{Code: protocol.CloseCode(binary.BigEndian.Uint16(payload)), Reason: string(payload[2:])}
}

// end checks that the server closes the connection and sends nothing before.
func (c *client) end() {
	c.t.Helper()
	b, err := io.ReadAll(c.r)
	if len(b) > 0 {
		c.t.Errorf("%d bytes follow a Close frame: %.40q", len(b), b)
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		c.t.Errorf("after a Close frame the connection stayed open")
	}
}

// Drop implements conntest.Peer.
func (c *client) Drop() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	c.Close()
}

// want reads the next frame and checks it.
func (c *client) want(op byte, payload string) {
	c.t.Helper()
	gotOp, got, err := c.frame()
	if err != nil {
		c.t.Fatalf("reading a frame: %v, want opcode %d %.80q", err, op, payload)
	}
	if gotOp != op || !bytes.Equal(got, []byte(payload)) {
		c.t.Fatalf("got opcode %d %.80q, want opcode %d %.80q", gotOp, got, op, payload)
	}
}

// wantClosed checks that the connection is closed with a code, and by the
// server. It returns the reason.
func (c *client) wantClosed(code protocol.CloseCode) string {
	c.t.Helper()
	text, err := c.Next()
	got, ok := errors.AsType[*conntest.Closed](err)
	if !ok || got.Code != code {
		c.t.Fatalf("got %.60q and %v, want a close with %d", text, err, code)
	}
	return got.Reason
}

// text is a message, numbered.
func text(n int) protocol.Batch {
	return protocol.Join(protocol.Event{Name: "e", Channel: "c", Data: fmt.Sprint(n)}.Frame())
}
