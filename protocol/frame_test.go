package protocol_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"hark/protocol"
)

// frameOf returns a frame whose JSON is size bytes long.
func frameOf(t *testing.T, size int) protocol.Frame {
	t.Helper()
	empty := len(protocol.Event{Name: "e"}.Frame().JSON())
	f := protocol.Event{Name: "e", Data: strings.Repeat("x", size-empty)}.Frame()
	if len(f.JSON()) != size {
		t.Fatalf("frameOf(%d) is %d bytes long", size, len(f.JSON()))
	}
	return f
}

// RFC 6455 §5.2: the shortest of the three forms must be used.
func TestFrameHeader(t *testing.T) {
	for _, c := range []struct {
		size   int
		header []byte
	}{
		{30, []byte{0x81, 30}},
		{125, []byte{0x81, 125}},
		{126, []byte{0x81, 126, 0, 126}},
		{65535, []byte{0x81, 126, 0xff, 0xff}},
		{65536, []byte{0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0}},
		{1 << 20, []byte{0x81, 127, 0, 0, 0, 0, 0, 0x10, 0, 0}},
	} {
		f := frameOf(t, c.size)
		wire := f.Wire()
		if got := wire[:len(wire)-c.size]; !bytes.Equal(got, c.header) {
			t.Errorf("header of %d bytes = %v, want %v", c.size, got, c.header)
		}
		if got := wire[len(wire)-c.size:]; !bytes.Equal(got, f.JSON()) {
			t.Errorf("the payload of %d bytes is not the JSON", c.size)
		}
	}
}

func TestZeroFrame(t *testing.T) {
	var f protocol.Frame
	if !f.IsZero() || f.Wire() != nil || f.JSON() != nil {
		t.Errorf("the zero Frame has bytes: %v", f)
	}
	if protocol.Ping().Frame().IsZero() {
		t.Error("a ping is the zero Frame")
	}
}

func TestFrameAllocatesOnce(t *testing.T) {
	for _, e := range []protocol.Event{
		orderPaid,
		{Name: "e"},
		{Name: "client-x", Channel: "presence-a", Data: "\"\\\x00\x1f\n<&>\u2028é🎈", UserID: `4"2`},
		{Name: "e", Data: strings.Repeat(`"`, 10240)},
		{Name: "e", Data: strings.Repeat("\x01", 10240)},
	} {
		if got := testing.AllocsPerRun(100, func() { e.Frame() }); got != 1 {
			t.Errorf("Frame of %.40q allocates %v times, want once", e.Data, got)
		}
	}
	refused := protocol.ExistingSubscription("orders")
	if got := testing.AllocsPerRun(100, func() { refused.Frame() }); got != 1 {
		t.Errorf("Frame of an Error allocates %v times, want once", got)
	}
}

// wireOf takes a batch apart as a client's websocket would.
func wireOf(t *testing.T, wire []byte) []string {
	t.Helper()
	var texts []string
	for len(wire) > 0 {
		if wire[0] != 0x81 {
			t.Fatalf("a frame begins with %#x, want FIN and text", wire[0])
		}
		n, head := int(wire[1]), 2
		switch n {
		case 126:
			n, head = int(binary.BigEndian.Uint16(wire[2:])), 4
		case 127:
			n, head = int(binary.BigEndian.Uint64(wire[2:])), 10
		}
		texts = append(texts, string(wire[head:head+n]))
		wire = wire[head+n:]
	}
	return texts
}

func textsOf(b protocol.Batch) []string {
	var texts []string
	for text := range b.All() {
		texts = append(texts, string(text))
	}
	return texts
}

func TestJoinOneFrameCopiesNothing(t *testing.T) {
	f := orderPaid.Frame()
	b := protocol.Join(f)
	if &b.Wire()[0] != &f.Wire()[0] || len(b.Wire()) != len(f.Wire()) {
		t.Error("Join of one frame copied it")
	}
	if b.Len() != 1 {
		t.Errorf("Len = %d, want 1", b.Len())
	}
	if got := testing.AllocsPerRun(100, func() { protocol.Join(f) }); got != 0 {
		t.Errorf("Join of one frame allocates %v times", got)
	}
}

func TestJoin(t *testing.T) {
	a, b, c := frameOf(t, 30), frameOf(t, 200), frameOf(t, 70000)
	var zero protocol.Frame
	for _, test := range []struct {
		name   string
		frames []protocol.Frame
		want   []protocol.Frame
	}{
		{"none", nil, nil},
		{"one", []protocol.Frame{b}, []protocol.Frame{b}},
		{"every length of header", []protocol.Frame{a, b, c}, []protocol.Frame{a, b, c}},
		{"the same twice", []protocol.Frame{a, a}, []protocol.Frame{a, a}},
		{"zero frames", []protocol.Frame{zero, a, zero, b}, []protocol.Frame{a, b}},
		{"one beside a zero frame", []protocol.Frame{zero, a}, []protocol.Frame{a}},
		{"only a zero frame", []protocol.Frame{zero}, nil},
	} {
		var want []string
		for _, f := range test.want {
			want = append(want, string(f.JSON()))
		}
		got := protocol.Join(test.frames...)
		if got.Len() != len(want) {
			t.Errorf("%s: Len = %d, want %d", test.name, got.Len(), len(want))
		}
		if !slices.Equal(textsOf(got), want) {
			t.Errorf("%s: All gives other frames than were joined", test.name)
		}
		if !slices.Equal(wireOf(t, got.Wire()), want) {
			t.Errorf("%s: Wire carries other frames than were joined", test.name)
		}
	}
	if got := testing.AllocsPerRun(100, func() { protocol.Join(a, b, c) }); got != 1 {
		t.Errorf("Join of three frames allocates %v times, want once", got)
	}
}

func TestAllStops(t *testing.T) {
	f := frameOf(t, 30)
	n := 0
	for range protocol.Join(f, f, f).All() {
		n++
		if n == 2 {
			break
		}
	}
	if n != 2 {
		t.Errorf("the loop ran %d times, want 2", n)
	}
}

// Without is compared with joining what is left, over random batches.
func TestWithout(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	sizes := []int{30, 125, 126, 65535, 65536}
	for range 200 {
		var frames, kept []protocol.Frame
		var skip []int
		for i := range r.IntN(8) {
			f := frameOf(t, sizes[r.IntN(len(sizes))])
			frames = append(frames, f)
			if r.IntN(3) == 0 {
				skip = append(skip, i)
			} else {
				kept = append(kept, f)
			}
		}
		whole := protocol.Join(frames...)
		before := bytes.Clone(whole.Wire())
		got, want := whole.Without(skip...), protocol.Join(kept...)
		if !bytes.Equal(got.Wire(), want.Wire()) || got.Len() != want.Len() {
			t.Fatalf("%d frames Without(%v) is not the others joined", len(frames), skip)
		}
		if !bytes.Equal(before, whole.Wire()) {
			t.Fatalf("Without(%v) changed the batch", skip)
		}
	}
}

func TestWithoutNumbersOutside(t *testing.T) {
	b := protocol.Join(frameOf(t, 30), frameOf(t, 31))
	if got := b.Without(-1, 1, 2, 99); fmt.Sprint(textsOf(got)) != fmt.Sprint(textsOf(b)[:1]) {
		t.Errorf("Without(-1, 1, 2, 99) = %q", textsOf(got))
	}
	if got := b.Without(0, 1); got.Len() != 0 || got.Wire() != nil {
		t.Errorf("Without all frames is not the zero Batch: %q", textsOf(got))
	}
}

// A batch is shared by many sockets: appending to what one of them got must not write into the bytes of the others.
func TestWireCannotBeAppendedInto(t *testing.T) {
	f := orderPaid.Frame()
	for name, b := range map[string][]byte{
		"Frame.Wire": f.Wire(), "Frame.JSON": f.JSON(), "Batch.Wire": protocol.Join(f, f).Wire(),
	} {
		if len(b) != cap(b) {
			t.Errorf("%s has room for %d bytes more", name, cap(b)-len(b))
		}
	}
	for text := range protocol.Join(f, f).All() {
		if len(text) != cap(text) {
			t.Error("Batch.All gives texts with room for more")
		}
	}
}
