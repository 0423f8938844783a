package ws

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"hark/protocol"
)

func TestCloseFrame(t *testing.T) {
	long := strings.Repeat("x", 200)
	for _, test := range []struct {
		name   string
		code   protocol.CloseCode
		reason string
		want   string
	}{
		{"a code of the Pusher protocol", 4001, "no app", "\x88\x08\x0f\xa1no app"},
		{"no reason", 1000, "", "\x88\x02\x03\xe8"},
		{"the longest reason", 4200, long, "\x88\x7d\x10\x68" + long[:123]},
		{"a reason is cut between runes", 4200, long[:122] + "ü", "\x88\x7c\x10\x68" + long[:122]},
		{"a reason that is not UTF-8", 4200, "a\xff", "\x88\x06\x10\x68a\uFFFD"},
		{"1006 is never sent", 1006, "gone", "\x88\x00"},
		{"1005 is never sent", 1005, "", "\x88\x00"},
		{"1004 is reserved", 1004, "", "\x88\x00"},
		{"1015 is never sent", 1015, "", "\x88\x00"},
		{"no code", 0, "x", "\x88\x00"},
		{"an unused range", 2000, "x", "\x88\x00"},
		{"above all ranges", 5000, "x", "\x88\x00"},
		{"the last of RFC 6455's", 1014, "", "\x88\x02\x03\xf6"},
		{"the first of the libraries'", 3000, "", "\x88\x02\x0b\xb8"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := closeFrame(test.code, test.reason); string(got) != test.want {
				t.Errorf("closeFrame(%d, %q) = %q, want %q", test.code, test.reason, got, test.want)
			}
		})
	}
}

func TestFrameEnd(t *testing.T) {
	var wire []byte
	ends := []int{0}
	for _, n := range []int{0, 10, 100, 126, 5000, 1 << 16, 1} {
		wire = append(wire, protocol.Event{Name: "e", Data: strings.Repeat("x", n)}.Frame().Wire()...)
		ends = append(ends, len(wire))
	}
	for i, end := range ends {
		for _, at := range []int{end - 1, end, end + 1} {
			want := end
			if at > end && i+1 < len(ends) {
				want = ends[i+1]
			}
			if at < 0 || at > len(wire) {
				continue
			}
			if got := frameEnd(wire, at); got != want {
				t.Errorf("frameEnd(%d) = %d, want %d", at, got, want)
			}
		}
	}
}

// FuzzAssembler cuts a stream of control frames at any places: what comes out
// is the frames, whole and in order, and what is no control frame is an error.
func FuzzAssembler(f *testing.F) {
	f.Add([]byte("\x8a\x00"), []byte{1})
	f.Add([]byte("\x8a\x03abc\x88\x02\x03\xe8"), []byte{1, 1, 1, 1, 1, 1, 1, 1})
	f.Add([]byte("\x89\x7d"+strings.Repeat("p", 125)+"\x8a\x01x"), []byte{100, 2, 30})
	f.Add([]byte("\x81\x05hello"), []byte{7})
	f.Add([]byte("\x8a\x7e\x00\x80"), []byte{1, 9})
	f.Add([]byte("\x0a\x00"), []byte{})
	f.Add([]byte("\x8a\x80\x01\x02\x03\x04"), []byte{3})
	f.Fuzz(func(t *testing.T, stream, cuts []byte) {
		want, wantErr := controlFrames(stream)
		var got [][]byte
		var a assembler
		var err error
		for rest := stream; len(rest) > 0 && err == nil; {
			n := len(rest)
			if len(cuts) > 0 {
				n, cuts = min(int(cuts[0]), n), cuts[1:]
			}
			piece := bytes.Clone(rest[:n])
			rest = rest[n:]
			for len(piece) > 0 && err == nil {
				var frame []byte
				if frame, piece, err = a.next(piece); frame != nil {
					got = append(got, frame)
				}
			}
			clear(piece) // the writer's buffer is its own again
		}
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) || (err != nil) != wantErr {
			t.Errorf("got %q and %v, want %q and error %t", got, err, want, wantErr)
		}
		if len(a.held) > maxControl {
			t.Errorf("%d bytes are held", len(a.held))
		}
	})
}

// controlFrames is the assembler's work on a stream that is there as a whole.
func controlFrames(b []byte) (frames [][]byte, wrong bool) {
	for len(b) >= 2 {
		if b[0] < 0x88 || b[0] > 0x8a || b[1] > 125 {
			return frames, true
		}
		n := 2 + int(b[1])
		if len(b) < n {
			return frames, false
		}
		frames, b = append(frames, b[:n]), b[n:]
	}
	return frames, false
}

// FuzzCloseFrame: whatever a code and reason are, the frame is one that a
// client accepts.
func FuzzCloseFrame(f *testing.F) {
	f.Add(4100, "over capacity")
	f.Add(1006, "\xff")
	f.Fuzz(func(t *testing.T, code int, reason string) {
		b := closeFrame(protocol.CloseCode(code), reason)
		if b[0] != finClose || len(b) > maxControl || frameLen(b) != len(b) {
			t.Fatalf("%q is no Close frame", b)
		}
		if len(b) > 2 && (int(b[2])<<8|int(b[3]) != code || !utf8.Valid(b[4:])) {
			t.Errorf("closeFrame(%d, %q) = %q", code, reason, b)
		}
	})
}
