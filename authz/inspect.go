package authz

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// escapes are the characters that Ruby's String#inspect writes in a form of their own.
var escapes = map[rune]string{
	'"': `\"`, '\\': `\\`, '\n': `\n`, '\r': `\r`, '\t': `\t`,
	'\f': `\f`, '\v': `\v`, '\b': `\b`, '\a': `\a`, 0x1b: `\e`,
}

// inspect quotes s as Ruby's String#inspect does. The official server quotes so in its answers, and people paste the
// quoted text into scripts to find out what they should have signed. Checked against Ruby 3.1.
func inspect(s string) string {
	var b strings.Builder
	b.Grow(len(s) + 16)
	b.WriteByte('"')
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		rest := s[i+size:]
		escape, escaped := escapes[r]
		switch {
		case escaped:
			b.WriteString(escape)
		case r == '#' && rest != "" && strings.IndexByte("{$@", rest[0]) >= 0:
			b.WriteString(`\#`) // would interpolate
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02X`, s[i])
		case unicode.IsGraphic(r), unicode.In(r, unicode.Cf, unicode.Co): // what Ruby calls printable
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\u{%X}`, r)
		default:
			fmt.Fprintf(&b, `\u%04X`, r)
		}
		i += size
	}
	b.WriteByte('"')
	return b.String()
}
