package ws

import (
	"encoding/binary"
	"net"
	"net/http"
	"time"

	"hark/channels"
)

// Socket is what a test may put in place of a channels.Socket.
type Socket = socket

// Serve is ServeHTTP behind the choice of a socket: without a hub.
func (h *Handler) Serve(w http.ResponseWriter, r *http.Request, run func(func()) bool, connect func(channels.Conn) Socket) {
	h.serve(w, r, run, connect)
}

// CloseWait and WriteWait are the times of doc.go.
const (
	CloseWait = closeWait
	WriteWait = writeWait
)

// Patient gives c's Close frame as much time as a busy machine may need, instead of
// CloseWait. It is called before c is closed.
func Patient(c channels.Conn) {
	o := &c.(*Conn).out
	o.mu.Lock()
	defer o.mu.Unlock()
	o.timer = time.AfterFunc(10*CloseWait, o.expire)
}

// Pending returns how many bytes wait in c's outbox, as its bound counts them.
func Pending(c channels.Conn) int {
	o := &c.(*Conn).out
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes
}

// Wire returns c as coder sees it.
func Wire(c channels.Conn) net.Conn { return wire{c.(*Conn)} }

// NewConn returns a Conn without a websocket to read it.
func NewConn(conn net.Conn) *Conn {
	c := new(Conn)
	c.out.attach(conn, nil, func(f func()) bool { go f(); return true }, defaultLimit)
	return c
}

// Parked reports whether c has no goroutine at the moment.
func Parked(c channels.Conn) bool {
	o := &c.(*Conn).out
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.parked != nil
}

// Parking returns how many connections have entered h's parking, and how many
// its poller knows.
func Parking(h *Handler) (entered, known int) {
	h.parking.mu.Lock()
	defer h.parking.mu.Unlock()
	if p := h.parking.poller; p != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		known = len(p.conns)
	}
	return h.parking.n, known
}

// CutFrame is what reads a client's frame that has come as a whole.
var CutFrame = cutFrame

// SendText sends text, whatever it is, as one message by the path of Conn.Send.
func SendText(c channels.Conn, text []byte) error {
	b := []byte{finText, 127}
	switch n := len(text); {
	case n < 126:
		b[1] = byte(n)
	case n < 1<<16:
		b[1] = 126
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	return c.(*Conn).out.send(append(b, text...))
}
