package authz

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"hark/protocol"
)

// A Pattern matches names of channels, whole ones. Captures stand in its text:
//
//	private-orders.{id}             {id}: one or more characters other than '.'
//	private-doc.{type}.{name...}    {name...}: the rest, dots and all, at least one character; only at the end
//
// Prefixes like private- are part of the text. Two captures have a dot between them, so that a name can be divided in one
// way only: with {tenant}-{room} the room b-c of the tenant a and the room c of the tenant a-b would be one channel.
// [protocol.EscapeSegment] keeps the dots of a value out of the way.
//
// A rest is unescaped like any capture, so it does not tell an escaped dot from a plain one: a.b and a;2Eb are both
// captured as a.b. To whom that matters, the name itself says it.
//
// A Pattern is made by [ParsePattern]; the zero Pattern matches nothing.
type Pattern struct {
	text  string
	names []string
	match *regexp.Regexp // nil: nothing
}

// ParsePattern reads a pattern, or says what is wrong with it.
func ParsePattern(text string) (Pattern, error) {
	fail := func(format string, args ...any) (Pattern, error) {
		return Pattern{}, fmt.Errorf("authz: the pattern %q %s", text, fmt.Sprintf(format, args...))
	}
	var names []string
	var match, sample strings.Builder // sample is a name that is matched, if it is a name
	match.WriteString(`\A`)
	for rest := text; rest != ""; {
		literal, capture, found := strings.Cut(rest, "{")
		if found && len(names) > 0 && !strings.Contains(literal, ".") {
			return fail("has no dot between {%s} and the next capture, so that a name could be divided in several ways", names[len(names)-1])
		}
		match.WriteString(regexp.QuoteMeta(literal))
		sample.WriteString(literal)
		if !found {
			break
		}
		name, after, closed := strings.Cut(capture, "}")
		name, all := strings.CutSuffix(name, "...")
		switch {
		case !closed:
			return fail("has a { without its }")
		case !isIdentifier(name):
			return fail("has a capture named %q: use letters, digits and _, and begin with a letter", name)
		case slices.Contains(names, name):
			return fail("captures {%s} twice", name)
		case all && after != "":
			return fail("has something behind {%s...}, which takes all there is", name)
		case all:
			match.WriteString(`([-\w=@,;.]+)`) // what a channel's name may have
		default:
			match.WriteString(`([-\w=@,;]+)`)
		}
		sample.WriteByte('x')
		names = append(names, name)
		rest = after
	}
	if err := protocol.CheckChannel(sample.String(), math.MaxInt); err != nil {
		return fail("matches no channel's name: %v", err)
	}
	match.WriteString(`\z`)
	return Pattern{text, names, regexp.MustCompile(match.String())}, nil
}

func isIdentifier(s string) bool {
	for i, r := range s {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !letter && (i == 0 || r != '_' && (r < '0' || r > '9')) {
			return false
		}
	}
	return s != ""
}

// String returns the pattern as it was written.
func (p Pattern) String() string { return p.text }

// Names returns the names of the captures, in order.
func (p Pattern) Names() []string { return slices.Clone(p.names) }

// Match reports whether the pattern matches the whole name, and what it captures, unescaped
// ([protocol.UnescapeSegment]). A name that is not properly escaped where it is captured is not matched, nor is what
// cannot be a channel's name.
func (p Pattern) Match(channel string) (Captures, bool) {
	if p.match == nil {
		return nil, false
	}
	found := p.match.FindStringSubmatch(channel)
	if found == nil {
		return nil, false
	}
	captures := make(Captures, len(p.names))
	for i, name := range p.names {
		value, ok := protocol.UnescapeSegment(found[i+1])
		if !ok {
			return nil, false
		}
		captures[name] = value
	}
	return captures, true
}
