package bench

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// A response is the beginning of an answer over HTTP.
type response struct {
	status int
	body   []byte // part of what was scanned
	last   bool   // the server closes the connection after it
}

var (
	errNoLength = errors.New("the server answers without a Content-Length, which this client does not read")
	errNotHTTP  = errors.New("the server does not answer with HTTP/1.1")
)

const (
	maxResponseHead = 16 << 10
	maxResponseBody = 1 << 20
)

// scanResponse cuts the first answer off b. It returns 0 and no error while b does not hold all of it.
func scanResponse(b []byte) (r response, n int, err error) {
	head, rest, ok := bytes.Cut(b, []byte("\r\n\r\n"))
	if !ok {
		if len(b) > maxResponseHead {
			return r, 0, errNotHTTP
		}
		return r, 0, nil
	}
	line, fields, _ := bytes.Cut(head, []byte("\r\n"))
	code, ok := bytes.CutPrefix(line, []byte("HTTP/1.1 "))
	if !ok || len(code) < 3 {
		return r, 0, errNotHTTP
	}
	if r.status, err = strconv.Atoi(string(code[:3])); err != nil {
		return r, 0, errNotHTTP
	}
	length := -1
	for field := range bytes.SplitSeq(fields, []byte("\r\n")) {
		name, value, _ := bytes.Cut(field, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil || length < 0 || length > maxResponseBody {
				return r, 0, fmt.Errorf("the server answers with a Content-Length of %.40q", value)
			}
		case bytes.EqualFold(name, []byte("Connection")):
			r.last = bytes.EqualFold(value, []byte("close"))
		}
	}
	if length < 0 {
		return r, 0, errNoLength
	}
	if len(rest) < length {
		return r, 0, nil
	}
	r.body = rest[:length]
	return r, len(head) + len("\r\n\r\n") + length, nil
}

// scanUpgrade cuts the answer to a websocket's handshake off b, as scanResponse does.
func scanUpgrade(b []byte) (int, error) {
	head, _, ok := bytes.Cut(b, []byte("\r\n\r\n"))
	if !ok {
		if len(b) > maxResponseHead {
			return 0, errors.New("the server's answer to the handshake is too long")
		}
		return 0, nil
	}
	status, _, _ := bytes.Cut(head, []byte("\r\n"))
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 101 ")) {
		return 0, fmt.Errorf("the server answered a handshake with %q", status)
	}
	return len(head) + 4, nil
}
