package authz_test

import (
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"hark/authz"
	"hark/protocol"
)

func mustParse(t *testing.T, pattern string) authz.Pattern {
	t.Helper()
	p, err := authz.ParsePattern(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPatternMatch(t *testing.T) {
	t.Parallel()
	type captures = authz.Captures
	for _, tt := range []struct {
		name, pattern, channel string
		want                   captures // nil: no match
	}{
		{"a name", "private-orders", "private-orders", captures{}},
		{"the whole name, not its beginning", "private-orders", "private-orders2", nil},
		{"nor its end", "private-orders", "my-private-orders", nil},
		{"nor a line of it", "private-orders", "private-orders\n", nil},
		{"case matters", "private-orders", "private-Orders", nil},

		{"a capture", "private-orders.{id}", "private-orders.7", captures{"id": "7"}},
		{"takes one character at least", "private-orders.{id}", "private-orders.", nil},
		{"takes no dot", "private-orders.{id}", "private-orders.7.8", nil},
		{"takes what names may have", "private-user={id}", "private-user=a_b-C=@,9", captures{"id": "a_b-C=@,9"}},
		{"takes nothing else", "private-user={id}", "private-user=a\nb", nil},
		{"at the start", "{x}-orders", "private-orders", captures{"x": "private"}},
		{"in the middle", "private-{id}-orders", "private-7-orders", captures{"id": "7"}},
		{"where the literal could begin earlier", "private-{id}-orders", "private-orders-orders-orders", captures{"id": "orders-orders"}},
		{"alone", "{all}", "orders", captures{"all": "orders"}},
		{"two", "private-record.{object}.{id}", "private-record.account.7", captures{"object": "account", "id": "7"}},
		{"two, one missing", "private-record.{object}.{id}", "private-record.account", nil},
		{"two, one empty", "private-record.{object}.{id}", "private-record..7", nil},
		{"two, and literals", "{a}x.y{b}", "axx.yyb", captures{"a": "ax", "b": "yb"}},
		{"of the server's own", "#server-to-user-{id}", "#server-to-user-7", captures{"id": "7"}},
		{"no # elsewhere", "{all...}", "#x", nil},

		{"the rest", "private-show.{path...}", "private-show.a.b..c.", captures{"path": "a.b..c."}},
		{"one character at least", "private-show.{path...}", "private-show.", nil},
		{"no line break", "private-show.{path...}", "private-show.a\nb", nil},
		{"everything", "{all...}", "private-a.b", captures{"all": "private-a.b"}},
		{"behind a capture", "private-doc.{type}.{name...}", "private-doc.a.b.c", captures{"type": "a", "name": "b.c"}},

		{"escapes", "private-doc.{type}.{name...}", "private-doc.Sales;20Order.SO;2F1", captures{"type": "Sales Order", "name": "SO/1"}},
		{"an escaped dot", "private-file.{name}", "private-file.a;2Etxt", captures{"name": "a.txt"}},
		{"UTF-8", "private-file.{name}", "private-file.Zo;C3;AB", captures{"name": "Zoë"}},
		{"an escape cut short", "private-file.{name}", "private-file.a;2", nil},
		{"an escape in lower case", "private-file.{name}", "private-file.a;2e", nil},
		{"an escape of what needs none", "private-file.{name}", "private-file.;41", nil},
		{"a bad escape in the rest", "private-file.{name...}", "private-file.a.;zz", nil},
		{"a semicolon in the text is text", "private-a;zz.{id}", "private-a;zz.7", captures{"id": "7"}},

		{"a dot is a dot", "private-a.b", "private-aXb", nil},
		{"no brace left over", "private-{id}", "private-{id}", nil},
		{"no name", "private-x", "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, ok := mustParse(t, tt.pattern).Match(tt.channel)
			if ok != (tt.want != nil) || !maps.Equal(got, tt.want) {
				t.Errorf("%s matches %q: %q, %v, want %q", tt.pattern, tt.channel, got, ok, tt.want)
			}
		})
	}
}

// What means something in a regular expression means nothing in a pattern; what no name can have is refused.
func TestPatternMetacharacters(t *testing.T) {
	t.Parallel()
	for _, c := range `\.+*?()|[]{}^$-_=@,;&~#/: ` + "\x00é" {
		text := "a" + string(c) + "b"
		p, err := authz.ParsePattern(text)
		if isName := protocol.CheckChannel(text, math.MaxInt) == nil; isName != (err == nil) {
			t.Errorf("ParsePattern(%q) = %v", text, err)
		}
		if err != nil {
			continue
		}
		if _, ok := p.Match(text); !ok {
			t.Errorf("%q does not match itself", text)
		}
		for _, other := range []string{"ab", "aab", "aaab", "axb", "a", "b"} {
			if _, ok := p.Match(other); ok {
				t.Errorf("%q matches %q", text, other)
			}
		}
	}
}

func TestParsePatternRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ pattern, want string }{
		{"", `"" matches no channel's name: Invalid channel name: it is empty`},
		{"private/{id}", `"private/{id}" matches no channel's name: Invalid channel name "private/x"`},
		{"private-é", `matches no channel's name`},
		{"private-\xff", `matches no channel's name`},
		{"private-}", `matches no channel's name`},
		{"private-{id}}", `matches no channel's name`},
		{"a#b", `matches no channel's name`},
		{"#{id}", `matches no channel's name: Invalid channel name "#x": # is reserved`},
		{"private-{id", "has a { without its }"},
		{"private-{", "has a { without its }"},
		{"private-{}", `has a capture named ""`},
		{"private-{...}", `has a capture named ""`},
		{"private-{1st}", `has a capture named "1st"`},
		{"private-{_x}", `has a capture named "_x"`},
		{"private-{a b}", `has a capture named "a b": use letters, digits and _, and begin with a letter`},
		{"private-{a..}", `has a capture named "a.."`},
		{"private-{é}", `has a capture named "é"`},
		{"private-{{id}}", `has a capture named "{id"`},
		{"private-{id}.{id}", "captures {id} twice"},
		{"private-{id}.{id...}", "captures {id} twice"},
		{"private-{a...}.x", "has something behind {a...}"},
		{"private-{a...}.{b}", "has something behind {a...}"},
		{"private-{a}{b}", "has no dot between {a} and the next capture"},
		{"private-{tenant}-{room}", "has no dot between {tenant} and the next capture, so that a name could be divided in several ways"},
		{"private-{a}.{b}={c...}", "has no dot between {b} and the next capture"},
	} {
		p, err := authz.ParsePattern(tt.pattern)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("ParsePattern(%q) = %v, want %s", tt.pattern, err, tt.want)
		}
		if _, ok := p.Match(tt.pattern); ok || p.String() != "" {
			t.Errorf("ParsePattern(%q) returns a pattern besides its error", tt.pattern)
		}
	}
}

// Names that are made of different values are different, and are captured as what they were made of.
func TestPatternCollisions(t *testing.T) {
	t.Parallel()
	p := mustParse(t, "private-{tenant}.{room}")
	seen := map[string][2]string{}
	values := []string{"a", "b", "a.b", "b.a", "a;2Eb", "a-b", ".", "..", ";", "a/b", "a b"}
	for _, tenant := range values {
		for _, room := range values {
			channel := "private-" + protocol.EscapeSegment(tenant) + "." + protocol.EscapeSegment(room)
			if other, ok := seen[channel]; ok {
				t.Errorf("%s is the channel of %q and of %q", channel, other, [2]string{tenant, room})
			}
			seen[channel] = [2]string{tenant, room}
			got, ok := p.Match(channel)
			if want := (authz.Captures{"tenant": tenant, "room": room}); !ok || !maps.Equal(got, want) {
				t.Errorf("%s is captured as %q, want %q", channel, got, want)
			}
		}
	}
}

// The one thing that two names may share: a rest.
func TestPatternRestDoesNotTellDotsApart(t *testing.T) {
	t.Parallel()
	p := mustParse(t, "private-{path...}")
	plain, _ := p.Match("private-a.b")
	escaped, _ := p.Match("private-a;2Eb")
	if plain["path"] != "a.b" || escaped["path"] != "a.b" {
		t.Errorf("captured %q and %q, want a.b twice", plain, escaped)
	}
}

func TestPatternNames(t *testing.T) {
	t.Parallel()
	p := mustParse(t, "private-{a}.{b2}.{c_d...}")
	want := []string{"a", "b2", "c_d"}
	got := p.Names()
	if !slices.Equal(got, want) {
		t.Fatalf("Names() = %q, want %q", got, want)
	}
	got[0] = "x"
	if again := p.Names(); !slices.Equal(again, want) {
		t.Errorf("whoever gets the names can change them: %q", again)
	}
	if text := p.String(); text != "private-{a}.{b2}.{c_d...}" {
		t.Errorf("String() = %s", text)
	}
}

func TestZeroPattern(t *testing.T) {
	t.Parallel()
	var p authz.Pattern
	for _, channel := range []string{"", "x"} {
		if got, ok := p.Match(channel); ok || got != nil {
			t.Errorf("the zero Pattern matches %q", channel)
		}
	}
}

// FuzzParsePattern builds a name from each pattern that can be parsed, with the same value in every capture: it must be
// matched, and the value come back. Whatever else is matched is a channel's name.
func FuzzParsePattern(f *testing.F) {
	for _, pattern := range []string{
		"private-orders", "private-orders.{id}", "private-doc.{type}.{name...}", "{all...}", "#server-to-user-{id}", "{a}x.y{b}",
		"private-{a}{b}", "private-{a}-{b}", "private-{", "{}", "{...}", "{a}.{a}", "a+b", "\xff", "", "{a...}.{b}", "a;{b}",
	} {
		f.Add(pattern, "SO/1", "private-orders.7")
		f.Add(pattern, "a.b;\xffé", "private-doc.Sales;20Order.SO;2F1")
	}
	f.Fuzz(func(t *testing.T, pattern, value, channel string) {
		p, err := authz.ParsePattern(pattern)
		if err != nil {
			if p.String() != "" || !strings.HasPrefix(err.Error(), "authz: the pattern ") {
				t.Fatalf("ParsePattern(%q) = %v, %v", pattern, p, err)
			}
			return
		}
		if value == "" {
			value = "x"
		}
		name := pattern
		for _, capture := range p.Names() {
			name = strings.Replace(name, "{"+capture+"...}", protocol.EscapeSegment(value), 1)
			name = strings.Replace(name, "{"+capture+"}", protocol.EscapeSegment(value), 1)
		}
		got, ok := p.Match(name)
		if !ok || len(got) != len(p.Names()) {
			t.Fatalf("%q does not match %q: %q", pattern, name, got)
		}
		for _, capture := range p.Names() {
			if got[capture] != value {
				t.Fatalf("%q captures %q from %q, want %q", pattern, got, name, value)
			}
		}
		if got, ok := p.Match(channel); ok && (protocol.CheckChannel(channel, math.MaxInt) != nil || len(got) != len(p.Names())) {
			t.Fatalf("%q matches %q: %q", pattern, channel, got)
		}
	})
}
