package bench

import (
	"bytes"
	"strings"
	"testing"
)

func TestScanResponse(t *testing.T) {
	tests := []struct {
		name   string
		in     string
		status int
		body   string
		last   bool
		rest   string
		fails  bool
	}{
		{name: "kept open", in: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", status: 200, body: "{}"},
		{name: "another follows", in: "HTTP/1.1 200 OK\r\ncontent-length:2\r\n\r\n{}HTTP", status: 200, body: "{}", rest: "HTTP"},
		{name: "closed", in: "HTTP/1.1 401 No\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n", status: 401, last: true},
		{name: "half a head", in: "HTTP/1.1 200 OK\r\nContent-Le", rest: "HTTP/1.1 200 OK\r\nContent-Le"},
		{name: "half a body", in: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{", rest: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{"},
		{name: "no length", in: "HTTP/1.1 200 OK\r\n\r\n{}", fails: true},
		{name: "chunks", in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", fails: true},
		{name: "a wrong length", in: "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", fails: true},
		{name: "not HTTP", in: "\x81\x00\r\n\r\n", fails: true},
		{name: "no status", in: "HTTP/1.1 abc\r\n\r\n", fails: true},
		{name: "no end", in: strings.Repeat("a", maxResponseHead+1), fails: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, n, err := scanResponse([]byte(test.in))
			if test.fails {
				if err == nil || n != 0 {
					t.Fatalf("scanResponse: %d, %v; want an error", n, err)
				}
				return
			}
			if err != nil || test.in[n:] != test.rest {
				t.Fatalf("scanResponse leaves %q, %v; want %q", test.in[n:], err, test.rest)
			}
			if n > 0 && (r.status != test.status || string(r.body) != test.body || r.last != test.last) {
				t.Errorf("scanResponse = %d %q %v, want %d %q %v", r.status, r.body, r.last, test.status, test.body, test.last)
			}
		})
	}
}

func FuzzScanResponse(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, n, err := scanResponse(b)
		switch {
		case n < 0 || n > len(b) || err != nil && n != 0:
			t.Fatalf("it took %d of %d bytes, and said %v", n, len(b), err)
		case n > 0 && !bytes.HasSuffix(b[:n], r.body):
			t.Fatalf("the body %q is not the end of %q", r.body, b[:n])
		}
	})
}

func TestScanUpgrade(t *testing.T) {
	const answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
	if n, err := scanUpgrade([]byte(answer + "\x81\x00")); n != len(answer) || err != nil {
		t.Errorf("scanUpgrade: %d, %v; want %d", n, err, len(answer))
	}
	if n, err := scanUpgrade([]byte(answer[:20])); n != 0 || err != nil {
		t.Errorf("half of it: %d, %v; want 0", n, err)
	}
	for _, wrong := range []string{"HTTP/1.1 400 Bad Request\r\n\r\n", strings.Repeat("x", 17<<10)} {
		if n, err := scanUpgrade([]byte(wrong)); n != 0 || err == nil {
			t.Errorf("scanUpgrade(%.20q): %d, %v; want an error", wrong, n, err)
		}
	}
}
