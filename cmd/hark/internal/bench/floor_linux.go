package bench

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A floor is the least that this package's client can be used with. It trusts everybody and knows no limits.
type floor struct {
	mu       sync.Mutex
	channels map[string]*floorChannel // guarded by mu
	ended    bool                     // guarded by mu; no websocket begins any more
	running  sync.WaitGroup           // websockets; added to under mu
	ids      atomic.Uint64
}

// A floorChannel is the connections that an event is written to.
type floorChannel struct {
	mu    sync.Mutex              // held while an event is written, so that all get the same order
	conns map[*floorConn]struct{} // guarded by mu
	order []*floorConn            // guarded by mu; nil: to be made from conns
}

// A floorConn is one websocket.
type floorConn struct {
	conn  net.Conn
	raw   syscall.RawConn
	write func(fd uintptr) bool // of frame, bound once
	frame []byte                // what is left to be written
	err   error
	mu    sync.Mutex // guards frame and err, and keeps frames whole
}

// ServeFloor serves on a listener until ctx ends. It returns when all connections have ended.
func ServeFloor(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f := &floor{channels: map[string]*floorChannel{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /app/{key}", func(w http.ResponseWriter, r *http.Request) { f.connect(ctx, w, r) })
	mux.HandleFunc("POST /apps/{id}/events", f.trigger)
	server := &http.Server{Handler: mux}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	err := server.Serve(l)
	cancel()
	f.mu.Lock()
	f.ended = true
	f.mu.Unlock()
	f.running.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// begin counts a websocket, and reports whether it may begin.
func (f *floor) begin() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.ended {
		f.running.Add(1)
	}
	return !f.ended
}

func (f *floor) channel(name string) *floorChannel {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.channels[name]
	if c == nil {
		c = &floorChannel{conns: map[*floorConn]struct{}{}}
		f.channels[name] = c
	}
	return c
}

// trigger writes the event to every subscriber before it answers.
func (f *floor) trigger(w http.ResponseWriter, r *http.Request) {
	var event struct {
		Name     string   `json:"name"`
		Channels []string `json:"channels"`
		Data     string   `json:"data"`
	}
	if err := json.UnmarshalRead(r.Body, &event); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for _, name := range event.Channels {
		f.channel(name).publish(eventFrame(event.Name, name, event.Data), nil)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, "{}") // fails if the client has gone
}

// eventFrame is built once for all subscribers.
func eventFrame(event, channel, data string) []byte {
	text, err := json.Marshal(struct {
		Event   string `json:"event"`
		Channel string `json:"channel,omitzero"`
		Data    string `json:"data"`
	}{event, channel, data}, jsontext.AllowInvalidUTF8(true))
	if err != nil {
		panic(err) // of text nothing fails
	}
	return appendServerFrame(nil, opText, text)
}

func (c *floorChannel) publish(frame []byte, except *floorConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.order == nil {
		for conn := range c.conns {
			c.order = append(c.order, conn)
		}
	}
	for _, conn := range c.order {
		if conn != except {
			conn.send(frame) // a connection that fails leaves by itself
		}
	}
}

// enter tells a connection that it is there, before any event.
func (c *floorChannel) enter(conn *floorConn, success []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	conn.send(success)
	c.conns[conn], c.order = struct{}{}, nil
}

func (c *floorChannel) leave(conn *floorConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.conns, conn)
	c.order = nil
}

// send makes one write that does not wait, and waits only if the kernel does not take all.
func (c *floorConn) send(frame []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.frame = frame
	if err := c.raw.Write(c.write); err != nil && c.err == nil {
		c.err = err
	}
	if c.err != nil {
		_ = c.conn.Close() // which ends its reader
	}
}

// writeSome is what RawConn calls until it is done.
func (c *floorConn) writeSome(fd uintptr) bool {
	n, err := syscall.Write(int(fd), c.frame)
	c.frame = c.frame[max(n, 0):]
	if err != nil && !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR) {
		c.err = err
		return true
	}
	return len(c.frame) == 0
}

// connect takes a websocket and reads it until it ends.
func (f *floor) connect(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	if !f.begin() {
		return
	}
	defer f.running.Done()
	hijacker, ok := w.(http.Hijacker)
	if !ok || r.Header.Get("Sec-WebSocket-Key") == "" {
		http.Error(w, "a websocket is wanted", http.StatusBadRequest)
		return
	}
	conn, buffered, err := hijacker.Hijack()
	if err != nil {
		return
	}
	closeConn := func() { _ = conn.Close() } // nothing follows
	defer closeConn()
	defer context.AfterFunc(ctx, closeConn)()
	c := &floorConn{conn: conn}
	c.write = c.writeSome
	if c.raw, err = conn.(syscall.Conn).SyscallConn(); err != nil {
		return
	}
	c.send([]byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		acceptKey(r.Header.Get("Sec-WebSocket-Key")) + "\r\n\r\n"))
	id := f.ids.Add(1)
	c.send(eventFrame(eventEstablished, "", fmt.Sprintf(`{"socket_id":"1.%d","activity_timeout":120}`, id)))
	f.read(c, buffered.Reader)
}

// acceptKey is RFC 6455, section 1.3.
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func (f *floor) read(c *floorConn, r *bufio.Reader) {
	on := map[string]*floorChannel{}
	defer func() {
		for _, channel := range on {
			channel.leave(c)
		}
	}()
	for {
		opcode, payload, err := readClientFrame(r)
		if err != nil {
			return
		}
		switch opcode {
		case opClose:
			c.send(appendServerFrame(nil, opClose, payload))
			return
		case opPing:
			c.send(appendServerFrame(nil, opPong, payload))
		case opText:
			if !f.handle(c, on, payload) {
				return
			}
		}
	}
}

// handle does what a client asks for, and reports whether it can be understood.
func (f *floor) handle(c *floorConn, on map[string]*floorChannel, text []byte) bool {
	var m struct {
		Event   string         `json:"event"`
		Channel string         `json:"channel"`
		Data    jsontext.Value `json:"data"`
	}
	var data struct {
		Channel string `json:"channel"`
	}
	if json.Unmarshal(text, &m) != nil {
		return false
	}
	if strings.HasPrefix(m.Event, "client-") {
		var said string
		if on[m.Channel] == nil || json.Unmarshal(m.Data, &said) != nil {
			return false
		}
		on[m.Channel].publish(eventFrame(m.Event, m.Channel, said), c)
		return true
	}
	if json.Unmarshal(m.Data, &data) != nil {
		return m.Event == "pusher:ping" || m.Event == "pusher:pong"
	}
	switch m.Event {
	case "pusher:subscribe":
		channel := f.channel(data.Channel)
		on[data.Channel] = channel
		channel.enter(c, eventFrame(eventSubscribed, data.Channel, "{}"))
	case "pusher:unsubscribe":
		if channel := on[data.Channel]; channel != nil {
			channel.leave(c)
			delete(on, data.Channel)
		}
	case "pusher:ping":
		c.send(eventFrame("pusher:pong", "", "{}"))
	}
	return true
}

// readClientFrame reads a whole masked frame.
func readClientFrame(r *bufio.Reader) (opcode byte, payload []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	size, extended := int(head[1]&^maskBit), 0
	switch size {
	case length16:
		extended = 2
	case length64:
		return 0, nil, errHugeFrame
	}
	rest := make([]byte, extended+4)
	if _, err := io.ReadFull(r, rest); err != nil {
		return 0, nil, err
	}
	if extended > 0 {
		size = int(rest[0])<<8 | int(rest[1])
	}
	mask := rest[extended:]
	payload = make([]byte, size)
	if _, err := io.ReadFull(r, payload); err != nil {
		return 0, nil, err
	}
	for i := range payload {
		payload[i] ^= mask[i%4]
	}
	return head[0] & 0xF, payload, nil
}
