package persistent

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// keptAnswer is up to how many bytes of memory each buffer keeps from one answer to the
// next.
const keptAnswer = 64 << 10

// An answer is the ResponseWriter of a request. Memory is kept from one to the next.
type answer struct {
	header  http.Header
	status  int          // 0: not said yet
	head    bytes.Buffer // status and headers; encode adds the rest, and the body
	typed   bool         // what the body is has been said, or cannot be
	options []string     // of the connection, as the handler says: Connection
	body    bytes.Buffer
}

func (a *answer) reset() {
	clear(a.header)
	a.status, a.typed, a.options = 0, false, nil
	for _, b := range []*bytes.Buffer{&a.head, &a.body} {
		b.Reset()
		if b.Cap() > keptAnswer {
			*b = bytes.Buffer{}
		}
	}
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// ours are the headers that say how the answer is sent, which encode does.
var ours = map[string]bool{"Connection": true, "Content-Length": true, "Date": true, "Transfer-Encoding": true}

// WriteHeader implements http.ResponseWriter. What is not final is not sent.
func (a *answer) WriteHeader(status int) {
	if a.status != 0 || status < 200 {
		return
	}
	a.status = status
	a.head.WriteString("HTTP/1.1 ")
	a.head.WriteString(strconv.Itoa(status))
	a.head.WriteByte(' ')
	a.head.WriteString(http.StatusText(status))
	a.head.WriteString("\r\n")
	_ = a.header.WriteSubset(&a.head, ours) // to memory
	_, typed := a.header["Content-Type"]
	a.typed = typed || a.header.Get("Content-Encoding") != ""
	a.options = slices.Clone(a.header["Connection"])
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if !a.bodied() {
		return 0, http.ErrBodyNotAllowed
	}
	return a.body.Write(p)
}

// WriteString implements io.StringWriter.
func (a *answer) WriteString(s string) (int, error) { return a.Write([]byte(s)) }

// bodied reports whether an answer of that status may have a body (RFC 9110 §6.4.1).
func (a *answer) bodied() bool {
	return a.status != http.StatusNoContent && a.status != http.StatusNotModified
}

// last reports, once the handler has returned, whether it wants the connection to end.
func (a *answer) last() bool {
	a.WriteHeader(http.StatusOK)
	return len(a.options) > 0 && a.options[0] == "close"
}

// encode returns the whole answer, which is valid until the next reset. more says that
// the connection goes on.
func (a *answer) encode(more bool) []byte {
	h := &a.head
	if !a.typed && a.body.Len() > 0 {
		h.WriteString("Content-Type: ")
		h.WriteString(http.DetectContentType(a.body.Bytes()))
		h.WriteString("\r\n")
	}
	h.WriteString("Date: ")
	h.Write(time.Now().UTC().AppendFormat(h.AvailableBuffer(), http.TimeFormat))
	if a.bodied() {
		h.WriteString("\r\nContent-Length: ")
		h.Write(strconv.AppendInt(h.AvailableBuffer(), int64(a.body.Len()), 10))
	}
	h.WriteString("\r\n")
	switch {
	case !more:
		h.WriteString("Connection: close\r\n")
	case len(a.options) > 0:
		_ = http.Header{"Connection": a.options}.Write(h) // to memory
	}
	h.WriteString("\r\n")
	h.Write(a.body.Bytes())
	return h.Bytes()
}
