package protocol

import (
	"bytes"
	"errors"
	"iter"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A text is any JSON value: the value of a string, the text of anything else. Reading into one never fails for the
// value's kind, so the caller can say which parameter is wrong in the words of the protocol.
type text struct {
	kind  jsontext.Kind // 0: absent
	value string
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (t *text) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	t.kind = d.PeekKind()
	value, err := d.ReadValue()
	if err == nil && t.kind == '"' {
		var memory [512]byte // an event's data, usually
		value, err = unquote(memory[:0], value)
	}
	t.value = string(value)
	return err
}

func (t text) isString() bool { return t.kind == '"' }

// isNull reports whether there is no value: absent, or null.
func (t text) isNull() bool { return t.kind == 0 || t.kind == 'n' }

// string returns the value of a string, and "" for anything else.
func (t text) string() string {
	if t.isString() {
		return t.value
	}
	return ""
}

// An unmarshaler is a pointer to a T that reads its own JSON.
type unmarshaler[T any] interface {
	*T
	json.UnmarshalerFrom
}

// A list is a JSON array, or the kind of what is there in its place. It keeps no more than max items, so that a body of
// brackets cannot cost many times its size, and counts on.
type list[T any, P unmarshaler[T]] struct {
	max   int
	kind  jsontext.Kind // 0: absent
	count int
	items []T
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (l *list[T, P]) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	l.kind = d.PeekKind()
	if l.kind != '[' {
		return d.SkipValue()
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != ']' {
		l.count++
		if l.count > l.max {
			if err := d.SkipValue(); err != nil {
				return err
			}
			continue
		}
		var empty T
		l.items = append(l.items, empty)
		if err := P(&l.items[len(l.items)-1]).UnmarshalJSONFrom(d); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

// isNull reports whether there is no value: absent, or null.
func (l *list[T, P]) isNull() bool { return l.kind == 0 || l.kind == 'n' }

// errNotObject is why members has none.
var errNotObject = errors.New("not a JSON object")

// members reads an object: it yields each key, after which the caller reads the value, or an error, which is the last.
// Null is an object without members. A key is good until its value is read.
func members(d *jsontext.Decoder) iter.Seq2[[]byte, error] {
	return func(yield func(key []byte, err error) bool) {
		start, err := d.ReadToken()
		switch kind := start.Kind(); {
		case err != nil:
			yield(nil, err)
			return
		case kind == 'n':
			return
		case kind != '{':
			yield(nil, errNotObject)
			return
		}
		for d.PeekKind() != '}' {
			key, err := d.ReadValue()
			if err == nil {
				key, err = unquote(nil, key)
			}
			if !yield(key, err) || err != nil {
				return
			}
		}
		if _, err := d.ReadToken(); err != nil {
			yield(nil, err)
		}
	}
}

// unquote returns the value of a JSON string that was read: as it lies there, or, if something in it is escaped, appended
// to dst.
func unquote(dst []byte, s jsontext.Value) ([]byte, error) {
	if bytes.IndexByte(s, '\\') < 0 {
		return s[1 : len(s)-1], nil
	}
	return jsontext.AppendUnquote(dst, s)
}

// validUTF8 returns s, with U+FFFD in place of bytes that are not UTF-8.
func validUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// escapes holds for each byte how many bytes it takes more inside a JSON string: what RFC 8259 §7 says must be escaped
// and nothing else. < and & are not, and neither are U+2028 and U+2029: what a client gets is what was published.
var escapes = func() (more [256]uint8) {
	for c := range 0x20 {
		more[c] = uint8(len(`\u0000`) - 1)
	}
	for _, c := range "\"\\\b\t\n\f\r" {
		more[c] = 1
	}
	return more
}()

// quotedLen returns the length of s, which must be valid UTF-8, as a JSON string.
func quotedLen(s string) int {
	n := len(s) + len(`""`)
	for i := range len(s) {
		n += int(escapes[s[i]])
	}
	return n
}

// appendQuoted appends s, which must be valid UTF-8, as a JSON string.
func appendQuoted(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if escapes[c] == 0 {
			continue
		}
		dst = append(dst, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\r':
			dst = append(dst, '\\', 'r')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		}
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}
