package protocol_test

import (
	"math"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"pgregory.net/rapid"

	"hark/protocol"
)

// What applications name their things, and what becomes of it.
var segments = []struct{ plain, escaped string }{
	{"7", "7"},
	{"Az09_-", "Az09_-"},
	{"Sales Order", "Sales;20Order"},
	{"SO/1", "SO;2F1"},
	{"a.b", "a;2Eb"},
	{"a;2Eb", "a;3B2Eb"},
	{"=@,;.", ";3D;40;2C;3B;2E"},
	{"!~*'()", ";21;7E;2A;27;28;29"},
	{"Zoë", "Zo;C3;AB"},
	{"🎈", ";F0;9F;8E;88"},
	{"\x00\t\n\x7f", ";00;09;0A;7F"},
	{`a%20"\`, "a;2520;22;5C"},
	{"#:&?+ ", ";23;3A;26;3F;2B;20"},
	{"", ""},
}

func TestEscapeSegment(t *testing.T) {
	t.Parallel()
	for _, s := range segments {
		if got := protocol.EscapeSegment(s.plain); got != s.escaped {
			t.Errorf("EscapeSegment(%q) = %s, want %s", s.plain, got, s.escaped)
		}
		if got, ok := protocol.UnescapeSegment(s.escaped); !ok || got != s.plain {
			t.Errorf("UnescapeSegment(%s) = %q, %v, want %q", s.escaped, got, ok, s.plain)
		}
	}
	if got := protocol.EscapeSegment("\xff\xc3"); got != ";FF;C3" {
		t.Errorf("bytes that are not UTF-8 become %s", got)
	}
}

// The line of JavaScript in the comment of EscapeSegment does the same.
func TestEscapeSegmentInABrowser(t *testing.T) {
	t.Parallel()
	const script = `
		const escape = s =>
			encodeURIComponent(s).replace(/[.!~*'()]/g, c => '%' + c.charCodeAt(0).toString(16).toUpperCase()).replace(/%/g, ';')
		const all = Array.from({length: 0x250}, (_, i) => String.fromCharCode(i))
		console.log(JSON.stringify(JSON.parse(process.argv[1]).concat(all).map(s => [s, escape(s)])))`
	var plain []string
	for _, s := range segments {
		plain = append(plain, s.plain)
	}
	input, err := json.Marshal(plain)
	if err != nil {
		t.Fatal(err)
	}
	output, err := exec.CommandContext(t.Context(), "node", "-e", script, string(input)).Output()
	if err != nil {
		t.Fatalf("node (apt-get install nodejs): %v", err)
	}
	var escaped [][2]string
	if err := json.Unmarshal(output, &escaped); err != nil {
		t.Fatal(err)
	}
	if len(escaped) != len(segments)+0x250 {
		t.Fatalf("%d strings were escaped", len(escaped))
	}
	for _, pair := range escaped {
		if got := protocol.EscapeSegment(pair[0]); got != pair[1] {
			t.Errorf("EscapeSegment(%q) = %s, JavaScript makes %s", pair[0], got, pair[1])
		}
	}
}

func TestUnescapeSegment(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		";", ";;", ";2", "a;2", ";2;2F", ";2f", ";c3", ";G0", ";0G", "; 2", ";-1", ";41", ";7A", ";30", ";5F", ";2D", ";zz", ";\xff\xff",
	} {
		if got, ok := protocol.UnescapeSegment(s); ok || got != "" {
			t.Errorf("UnescapeSegment(%q) = %q, %v, want false", s, got, ok)
		}
	}
	// A user's id and the like may stand in a name as it is.
	for _, s := range []string{"ada@example", "a=b,c", "a.b", "é"} {
		if got, ok := protocol.UnescapeSegment(s); !ok || got != s {
			t.Errorf("UnescapeSegment(%q) = %q, %v", s, got, ok)
		}
	}
}

// Tuples of any length, but one at least, and of anything, joined by dots: two that differ never make one name.
func TestSegmentsNeverCollide(t *testing.T) {
	t.Parallel()
	part := rapid.OneOf(
		rapid.SampledFrom([]string{"", ".", "..", ";", ";2E", "2E", "a", "a.a", "a;2Ea", "-"}),
		rapid.String(),
		rapid.StringMatching(`[.;2Ea]*`),
	)
	tuples := rapid.SliceOfN(part, 1, 4)
	name := func(tuple []string) string {
		var escaped []string
		for _, s := range tuple {
			escaped = append(escaped, protocol.EscapeSegment(s))
		}
		return strings.Join(escaped, ".")
	}
	rapid.Check(t, func(t *rapid.T) {
		tuple := tuples.Draw(t, "tuple")
		var back []string
		for s := range strings.SplitSeq(name(tuple), ".") {
			plain, ok := protocol.UnescapeSegment(s)
			if !ok {
				t.Fatalf("%q makes %s, which cannot be read", tuple, name(tuple))
			}
			back = append(back, plain)
		}
		// One tuple can be read back from a name, so no two make it.
		if !slices.Equal(back, tuple) {
			t.Fatalf("%q comes back as %q", tuple, back)
		}
		other := tuples.Draw(t, "other")
		if !slices.Equal(other, tuple) && name(other) == name(tuple) {
			t.Fatalf("%q and %q make one name", tuple, other)
		}
	})
}

// FuzzEscapeSegment: whatever is escaped is a part of a channel's name, comes back, and is all that comes back as it: of
// what is unescaped only what EscapeSegment makes holds escapes.
func FuzzEscapeSegment(f *testing.F) {
	for _, s := range segments {
		f.Add(s.plain, s.escaped)
	}
	f.Add("\xff", ";2e")
	f.Add(";41", ";41")
	f.Add("é", "a@b;2E")
	f.Fuzz(func(t *testing.T, a, b string) {
		escaped := protocol.EscapeSegment(a)
		if strings.Contains(escaped, ".") || protocol.CheckChannel("x"+escaped, math.MaxInt) != nil {
			t.Fatalf("EscapeSegment(%q) = %q", a, escaped)
		}
		if back, ok := protocol.UnescapeSegment(escaped); !ok || back != a {
			t.Fatalf("%q is escaped as %q, which is unescaped as %q, %v", a, escaped, back, ok)
		}
		if (escaped == protocol.EscapeSegment(b)) != (a == b) {
			t.Fatalf("%q and %q are both escaped as %q", a, b, escaped)
		}
		plain, ok := protocol.UnescapeSegment(b)
		if !ok {
			if protocol.EscapeSegment(plain) == b || plain != "" {
				t.Fatalf("UnescapeSegment(%q) = %q, false", b, plain)
			}
			return
		}
		// Written canonically, the characters that b has as they are are the only difference.
		for i := 0; i < len(b); i++ {
			if b[i] == ';' {
				if got := protocol.EscapeSegment(plain[:1]); got != b[i:i+3] {
					t.Fatalf("UnescapeSegment(%q) undoes %q, EscapeSegment writes %q", b, b[i:i+3], got)
				}
				i += 2
			} else if plain[0] != b[i] {
				t.Fatalf("UnescapeSegment(%q) changes %q", b, b[i])
			}
			plain = plain[1:]
		}
		if plain != "" {
			t.Fatalf("UnescapeSegment(%q) has %q too much", b, plain)
		}
	})
}
