package protocol

import "strings"

// EscapeSegment returns s, whatever it holds, as a part of a channel's name: bytes other than A-Z a-z 0-9 _ - become ;HH
// in upper-case hex. The dot is among them, so names that are made of segments and dots differ wherever their segments do:
//
//	"private-doc." + EscapeSegment("Sales Order") + "." + EscapeSegment("SO/1")   private-doc.Sales;20Order.SO;2F1
//
// In a browser:
//
//	encodeURIComponent(s).replace(/[.!~*'()]/g, c => '%' + c.charCodeAt(0).toString(16).toUpperCase()).replace(/%/g, ';')
//
// Nothing stays nothing, which no pattern of channels captures.
func EscapeSegment(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; needsEscape(c) {
			b.WriteByte(';')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func needsEscape(c byte) bool {
	return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-')
}

// UnescapeSegment undoes [EscapeSegment]. It returns false for an escape that EscapeSegment does not make: one that is
// cut short, in lower case, or of a byte that needs none. Other characters are taken as they are.
func UnescapeSegment(s string) (string, bool) {
	if !strings.Contains(s, ";") {
		return s, true
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != ';' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", false
		}
		high, low := unhex(s[i+1]), unhex(s[i+2])
		if high < 0 || low < 0 || !needsEscape(byte(high<<4|low)) {
			return "", false
		}
		b.WriteByte(byte(high<<4 | low))
		i += 2
	}
	return b.String(), true
}

// unhex returns the value of an upper-case hex digit, or -1.
func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
