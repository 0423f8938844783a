package conformance

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// opcodes are the kinds of frames (RFC 6455 §5.2).
var opcodes = map[string]byte{"text": 1, "binary": 2, "close": 8, "ping": 9, "pong": 10}

// A received is what came from the server: a message, a control frame, or the
// end of the connection.
type received struct {
	kind   string // text, ping, pong, closed, or broken: the server broke the rules of framing
	text   string // the message, the payload, why the frame is broken
	code   int    // of closed; 0: there was no close frame
	reason string // of closed
}

// A websocket is the client's side of a connection. One goroutine reads it into
// received until it ends; close waits for that.
type websocket struct {
	conn         net.Conn
	received     chan received
	answersPings atomic.Bool

	stop    chan struct{} // closed by close
	done    chan struct{} // closed when the reader has ended
	once    sync.Once
	writeMu sync.Mutex // frames go out whole
}

// maxMessage bounds what the server may send in one message, in bytes.
const maxMessage = 16 << 20

// handshake asks for a websocket on a connection. The connection is closed
// unless it returns one.
func handshake(ctx context.Context, conn net.Conn, host, path string) (*websocket, error) {
	unblock := context.AfterFunc(ctx, func() { conn.Close() })
	defer unblock()
	nonce := make([]byte, 16)
	rand.Read(nonce) // never fails
	key := base64.StdEncoding.EncodeToString(nonce)
	_, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n", path, host, key)
	if err != nil {
		conn.Close()
		return nil, err
	}
	r := bufio.NewReader(conn)
	answer, err := http.ReadResponse(r, nil)
	if err == nil {
		err = checkHandshake(answer, key)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	w := &websocket{conn: conn, received: make(chan received, 1024), stop: make(chan struct{}), done: make(chan struct{})}
	w.answersPings.Store(true)
	go w.read(r)
	return w, nil
}

func checkHandshake(answer *http.Response, key string) error {
	// RFC 6455 §1.3.
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	want := base64.StdEncoding.EncodeToString(sum[:])
	switch {
	case answer.StatusCode != http.StatusSwitchingProtocols:
		return fmt.Errorf("the handshake was answered %s", answer.Status)
	case answer.Header.Get("Sec-WebSocket-Accept") != want:
		return errors.New("the handshake was answered with a wrong Sec-WebSocket-Accept")
	case answer.Header.Get("Sec-WebSocket-Protocol") != "" || answer.Header.Get("Sec-WebSocket-Extensions") != "":
		return errors.New("the handshake was answered with a subprotocol or an extension that nobody asked for")
	}
	return nil
}

// end waits until the server has ended the connection, and ends it itself if
// that takes too long.
func (w *websocket) end(patience time.Duration) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case <-w.received:
			continue
		case <-w.done:
		case <-timer.C:
		}
		w.close()
		return
	}
}

// close ends the connection at once.
func (w *websocket) close() {
	w.once.Do(func() { close(w.stop) })
	w.conn.Close()
	<-w.done
}

// read is the reader's goroutine.
func (w *websocket) read(r *bufio.Reader) {
	defer close(w.done)
	for {
		got := w.next(r)
		end := got.kind == "closed" || got.kind == "broken"
		if end {
			w.conn.Close()
		}
		select {
		case w.received <- got:
		case <-w.stop:
			return
		}
		if end {
			return
		}
	}
}

// next reads up to the end of a message, a control frame that somebody may
// want to see, or the end.
func (w *websocket) next(r *bufio.Reader) received {
	var message []byte
	kind := byte(0)
	for {
		f, err := readFrame(r)
		if err != nil {
			if broken, ok := errors.AsType[brokenFrame](err); ok {
				return received{kind: "broken", text: string(broken)}
			}
			return received{kind: "closed"}
		}
		if f.opcode >= 8 {
			if got, ok := w.control(f); ok {
				return got
			}
			continue
		}
		if (f.opcode == 0) == (kind == 0) {
			return received{kind: "broken", text: "a fragment out of place"}
		}
		if f.opcode != 0 {
			kind = f.opcode
		}
		if message = append(message, f.payload...); len(message) > maxMessage {
			return received{kind: "broken", text: "a message that does not end"}
		}
		if !f.fin {
			continue
		}
		if kind != opcodes["text"] || !utf8.Valid(message) {
			return received{kind: "broken", text: fmt.Sprintf("a message that is no UTF-8 text: %q", message)}
		}
		return received{kind: "text", text: string(message)}
	}
}

// control handles a control frame, or hands it on.
func (w *websocket) control(f frame) (received, bool) {
	switch f.opcode {
	case opcodes["close"]:
		got := received{kind: "closed", code: 1005} // RFC 6455 §7.1.5: a close frame without a code
		if len(f.payload) >= 2 {
			got.code = int(binary.BigEndian.Uint16(f.payload))
			got.reason = string(f.payload[2:])
		}
		if why := badClose(f.payload); why != "" {
			return received{kind: "broken", text: why}, true
		}
		_ = w.send("close", f.payload) // the connection ends either way
		return got, true
	case opcodes["ping"]:
		if !w.answersPings.Load() {
			return received{kind: "ping", text: string(f.payload)}, true
		}
		_ = w.send("pong", f.payload) // a broken connection is found by reading
		return received{}, false
	}
	return received{kind: "pong", text: string(f.payload)}, true
}

// badClose says what is wrong with the payload of a close frame, or "": the
// codes that stand for none in §7.4.1 of RFC 6455, a byte alone, and a reason
// that is no UTF-8, such as one that was cut inside a character.
func badClose(payload []byte) string {
	if len(payload) == 0 {
		return ""
	}
	if len(payload) == 1 {
		return "a close frame of one byte"
	}
	code := binary.BigEndian.Uint16(payload)
	switch {
	case code < 1000, code >= 5000, code >= 1004 && code <= 1006, code >= 1015 && code < 3000:
		return fmt.Sprintf("a close frame with the code %d", code)
	case !utf8.Valid(payload[2:]):
		return fmt.Sprintf("a close frame whose reason is no UTF-8: %q", payload[2:])
	}
	return ""
}

// A frame is one frame of the server's.
type frame struct {
	fin     bool
	opcode  byte
	payload []byte
}

// A brokenFrame is what a server must not send.
type brokenFrame string

func (b brokenFrame) Error() string { return string(b) }

func readFrame(r *bufio.Reader) (frame, error) {
	head := make([]byte, 2, 8)
	if _, err := io.ReadFull(r, head); err != nil {
		return frame{}, err
	}
	f := frame{fin: head[0]&0x80 != 0, opcode: head[0] & 0x0f}
	length, masked := uint64(head[1]&0x7f), head[1]&0x80 != 0
	switch {
	case masked:
		return f, brokenFrame("a masked frame")
	case head[0]&0x70 != 0:
		return f, brokenFrame("a reserved bit")
	case f.opcode >= 8 && (!f.fin || length > 125):
		return f, brokenFrame("a control frame that is too long, or a fragment")
	case f.opcode > 10 || f.opcode > 2 && f.opcode < 8:
		return f, brokenFrame("a reserved opcode")
	}
	if size := map[uint64]int{126: 2, 127: 8}[length]; size > 0 {
		more := make([]byte, 8)
		if _, err := io.ReadFull(r, more[8-size:]); err != nil {
			return f, err
		}
		length = binary.BigEndian.Uint64(more)
	}
	if length > maxMessage {
		return f, brokenFrame("a frame that does not end")
	}
	f.payload = make([]byte, length)
	_, err := io.ReadFull(r, f.payload)
	return f, err
}

// mask is what a client's frames are masked with. It protects proxies from
// scripts in a page; there is nothing to protect here.
var mask = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// send sends a message, whole or in several fragments, or a control frame. The
// connection ends when the server takes too long to read it.
func (w *websocket) send(kind string, parts ...[]byte) error {
	w.writeMu.Lock()
	defer w.writeMu.Unlock()
	for i, part := range parts {
		head := byte(0)
		if i == 0 {
			head = opcodes[kind]
		}
		if i == len(parts)-1 {
			head |= 0x80
		}
		if err := w.write(appendFrame(nil, head, part)); err != nil {
			return err
		}
	}
	return nil
}

// sendWire sends bytes as they are.
func (w *websocket) sendWire(b []byte) error {
	w.writeMu.Lock()
	defer w.writeMu.Unlock()
	return w.write(b)
}

// writeWait bounds one write.
const writeWait = 10 * time.Second

func (w *websocket) write(b []byte) error {
	if err := w.conn.SetWriteDeadline(time.Now().Add(writeWait)); err != nil {
		return err
	}
	_, err := w.conn.Write(b)
	return err
}

func appendFrame(b []byte, head byte, payload []byte) []byte {
	b = append(b, head)
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	b = append(b, mask[:]...)
	for i, c := range payload {
		b = append(b, c^mask[i%4])
	}
	return b
}
