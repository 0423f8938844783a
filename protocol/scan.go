package protocol

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// scanMessage is Decode for what a scan takes.
func scanMessage(b []byte) (Message, bool) {
	var event, channel, data span
	s := scan{text: b}
	for more := s.next('{'); more; more = s.next(',') {
		name, ok := s.name()
		if !ok {
			return Message{}, false
		}
		var to *span
		switch string(name.of(b)) {
		case "event":
			to = &event
		case "channel":
			to = &channel
		case "data":
			to = &data
		}
		if to == nil || *to != (span{}) {
			return Message{}, false
		}
		var isString bool
		if *to, isString, ok = s.valueOrString(); !ok || !isString && to != &data {
			return Message{}, false
		}
	}
	if !s.next('}') || !s.end() || event.from == event.to || event.escaped || channel.escaped {
		return Message{}, false
	}
	if data.escaped {
		var memory [512]byte // an event's data, usually
		unquoted, err := unquote(memory[:0], b[data.from-1:data.to+1])
		if err != nil {
			return Message{}, false
		}
		return Message{string(event.of(b)), string(channel.of(b)), string(unquoted), true}, true
	}
	text := string(b) // little more than the three together
	return Message{
		Name:    text[event.from:event.to],
		Channel: text[channel.from:channel.to],
		Data:    text[data.from:data.to],
		HasData: data != span{},
	}, true
}

const (
	scanDepth = 8 // how deep values are nested, at most
	scanNames = 8 // names in one object, at most
)

// A scan reads JSON as JSON.stringify writes it, if it is ASCII: no white space between tokens, no escapes but those of two
// characters; and nothing nested deeply. Its methods return false for everything else, be it valid or not: jsontext decides
// then, from the beginning. What they take jsontext takes too, with the same result.
type scan struct {
	text []byte
	at   int // what has been read
}

// next reads one byte, if it is c.
func (s *scan) next(c byte) bool {
	if s.at == len(s.text) || s.text[s.at] != c {
		return false
	}
	s.at++
	return true
}

// end reports whether everything has been read.
func (s *scan) end() bool { return s.at == len(s.text) }

// string reads a string and returns where in the text its value is.
func (s *scan) string() (value span, ok bool) {
	if !s.next('"') {
		return span{}, false
	}
	value.from = s.at
	for ; !s.end(); s.at++ {
		switch c := s.text[s.at]; {
		case c == '"':
			value.to = s.at
			s.at++
			return value, true
		case c == '\\':
			value.escaped = true
			s.at++
			if s.end() || strings.IndexByte(`"\/bfnrt`, s.text[s.at]) < 0 {
				return span{}, false
			}
		case c < ' ' || c >= utf8.RuneSelf:
			return span{}, false
		}
	}
	return span{}, false
}

// name reads a string that is the same in the text, and the colon behind it.
func (s *scan) name() (value span, ok bool) {
	value, ok = s.string()
	return value, ok && !value.escaped && s.next(':')
}

// valueOrString reads any value and returns where it is: of a string the value, of anything else the text.
func (s *scan) valueOrString() (where span, isString, ok bool) {
	if !s.end() && s.text[s.at] == '"' {
		where, ok = s.string()
		return where, true, ok
	}
	start := s.at
	ok = s.value(0)
	return span{from: start, to: s.at}, false, ok
}

// value reads any value that is nested in depth others.
func (s *scan) value(depth int) bool {
	if s.end() || depth > scanDepth {
		return false
	}
	switch c := s.text[s.at]; c {
	case '"':
		_, ok := s.string()
		return ok
	case '{':
		return s.object(depth)
	case '[':
		return s.array(depth)
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	default:
		return s.number()
	}
}

// object reads an object whose names are all different.
func (s *scan) object(depth int) bool {
	var names [scanNames]span
	s.at++
	if s.next('}') {
		return true
	}
	for n := range names {
		name, ok := s.name()
		if !ok || !s.value(depth+1) {
			return false
		}
		for _, other := range names[:n] {
			if bytes.Equal(name.of(s.text), other.of(s.text)) {
				return false
			}
		}
		names[n] = name
		if !s.next(',') {
			return s.next('}')
		}
	}
	return false
}

func (s *scan) array(depth int) bool {
	s.at++
	if s.next(']') {
		return true
	}
	for s.value(depth + 1) {
		if !s.next(',') {
			return s.next(']')
		}
	}
	return false
}

func (s *scan) word(w string) bool {
	if !bytes.HasPrefix(s.text[s.at:], []byte(w)) {
		return false
	}
	s.at += len(w)
	return true
}

// number reads a number without an exponent.
func (s *scan) number() bool {
	s.next('-')
	if !s.next('0') && !s.digits() {
		return false
	}
	return !s.next('.') || s.digits()
}

// digits reads one digit or more.
func (s *scan) digits() bool {
	start := s.at
	for s.at < len(s.text) && '0' <= s.text[s.at] && s.text[s.at] <= '9' {
		s.at++
	}
	return s.at > start
}

// A span is a part of a text: from its first byte to before its end.
type span struct {
	from, to int
	escaped  bool // it is of a string, and something in it is escaped
}

func (p span) of(text []byte) []byte { return text[p.from:p.to] }
