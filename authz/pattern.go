package authz

import (
	"fmt"
	"regexp"
	"strings"

	"hark/protocol"
)

// A Pattern matches names of channels, whole ones. Captures stand in its text:
//
//	private-orders.{id}             {id}: one or more characters other than '.'
//	private-doc.{type}.{name...}    {name...}: the rest, at least one character; only at the end
//
// Prefixes like private- are part of the text. Where a name could be divided in several ways, an earlier capture takes
// as much as it can. A Pattern is made by [ParsePattern]; the zero Pattern matches nothing.
type Pattern struct {
	text  string
	names []string
	match *regexp.Regexp // nil: nothing
}

// ParsePattern reads a pattern, or says what is wrong with it.
func ParsePattern(text string) (Pattern, error) {
	p := Pattern{text: text}
	fail := func(format string, args ...any) (Pattern, error) {
		return Pattern{}, fmt.Errorf("authz: the pattern %q %s", text, fmt.Sprintf(format, args...))
	}
	if text == "" {
		return fail("is empty, so it would match nothing")
	}
	var match strings.Builder
	match.WriteString(`\A`)
	seen := make(map[string]bool)
	for rest := text; rest != ""; {
		literal, capture, found := strings.Cut(rest, "{")
		if i := strings.IndexFunc(literal, notInNames); i >= 0 {
			return fail("has %q, which no channel's name has", literal[i])
		}
		match.WriteString(regexp.QuoteMeta(literal))
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
		case seen[name]:
			return fail("captures %q twice", name)
		case all && after != "":
			return fail("has something behind {%s...}, which takes all there is", name)
		case strings.HasPrefix(after, "{"):
			return fail("has two captures side by side; put something between them")
		case all:
			match.WriteString(`(.+)`)
		default:
			match.WriteString(`([^.]+)`)
		}
		seen[name] = true
		p.names = append(p.names, name)
		rest = after
	}
	match.WriteString(`\z`)
	p.match = regexp.MustCompile(match.String())
	return p, nil
}

// notInNames reports whether no channel's name has r. The # is the server's own.
func notInNames(r rune) bool {
	return r != '#' && protocol.CheckChannel(string(r), 1) != nil
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
func (p Pattern) Names() []string { return p.names }

// Match reports whether the pattern matches the whole name, and what it captures, unescaped
// ([protocol.UnescapeSegment]). A name that is not properly escaped where it is captured is not matched.
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
