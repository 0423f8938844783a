package bench

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestScanFrame(t *testing.T) {
	text := func(size int) string {
		return string(appendServerFrame(nil, opText, []byte(strings.Repeat("a", size))))
	}
	tests := []struct {
		name    string
		in      string
		opcode  byte
		payload int
		n       int
		err     error
	}{
		{name: "nothing", in: ""},
		{name: "half a head", in: "\x81"},
		{name: "half a payload", in: "\x81\x02a"},
		{name: "empty", in: "\x81\x00", opcode: opText, n: 2},
		{name: "short", in: text(125) + "rest", opcode: opText, payload: 125, n: 127},
		{name: "16 bits", in: text(126), opcode: opText, payload: 126, n: 130},
		{name: "half of 16 bits", in: "\x81\x7E\x01"},
		{name: "the most of 16 bits", in: text(65535), opcode: opText, payload: 65535, n: 65539},
		{name: "64 bits", in: text(65536), opcode: opText, payload: 65536, n: 65546},
		{name: "half of 64 bits", in: "\x81\x7F\x00\x00\x00\x00\x00\x01\x00"},
		{name: "ping", in: "\x89\x01x", opcode: opPing, payload: 1, n: 3},
		{name: "close", in: "\x88\x02\x03\xE8", opcode: opClose, payload: 2, n: 4},
		{name: "not final", in: "\x01\x01a", err: errFragmented},
		{name: "continuation", in: "\x80\x01a", err: errFragmented},
		{name: "compressed", in: "\xC1\x01a", err: errFragmented},
		{name: "masked", in: "\x81\x81abcde", err: errMasked},
		{name: "huge", in: "\x81\x7F\x00\x00\x00\x00\x01\x00\x00\x01", err: errHugeFrame},
		{name: "negative", in: "\x81\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", err: errHugeFrame},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f, n, err := scanFrame([]byte(test.in))
			if n != test.n || !errors.Is(err, test.err) {
				t.Fatalf("scanFrame: %d, %v; want %d, %v", n, err, test.n, test.err)
			}
			if n > 0 && (f.opcode != test.opcode || len(f.payload) != test.payload) {
				t.Errorf("scanFrame: opcode %d, %d bytes; want %d, %d", f.opcode, len(f.payload), test.opcode, test.payload)
			}
		})
	}
}

func TestClientFrame(t *testing.T) {
	got := appendClientFrame([]byte("before"), opText, []byte("hi"))
	if want := "before\x81\x82\x00\x00\x00\x00hi"; string(got) != want {
		t.Errorf("appendClientFrame: %q, want %q", got, want)
	}
}

func FuzzScanFrame(f *testing.F) {
	f.Add([]byte("\x81\x02ab\x89\x00"))
	f.Add([]byte("\x81\x7E\x00\x03abc"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, n, err := scanFrame(b)
		switch {
		case n < 0 || n > len(b):
			t.Fatalf("it took %d of %d bytes", n, len(b))
		case err != nil && n != 0:
			t.Fatalf("it took %d bytes and failed: %v", n, err)
		case n > 0 && !bytes.HasSuffix(b[:n], got.payload):
			t.Fatalf("the payload %q is not the end of %q", got.payload, b[:n])
		}
	})
}
