package bench

import (
	"bytes"
	"strings"
)

// A stamp says which event of the bench a frame carries. It stands as plain text in the event's data, so that it looks the same
// in whatever JSON a server makes of it: a mark, then the channel in 4 and the sequence number in 8 hexadecimal digits.
type stamp struct {
	channel uint16
	seq     uint32
}

const (
	stampMark   = "~hb"
	stampLength = len(stampMark) + 4 + 8
)

const digits = "0123456789abcdef"

func (s stamp) append(b []byte) []byte {
	b = append(b, stampMark...)
	for shift := 12; shift >= 0; shift -= 4 {
		b = append(b, digits[s.channel>>shift&0xF])
	}
	for shift := 28; shift >= 0; shift -= 4 {
		b = append(b, digits[s.seq>>shift&0xF])
	}
	return b
}

// data returns the stamp as an event's data of so many bytes, filled up with letters. The data is at least the stamp.
func (s stamp) data(size int) []byte {
	b := s.append(make([]byte, 0, max(size, stampLength)))
	return append(b, strings.Repeat("x", max(0, size-len(b)))...)
}

// stamps finds stamps in messages. Where one was found the next is looked for first: a server puts it in the same place
// every time. The zero value has learned nothing.
type stamps struct{ at int }

// find returns the stamp of a message, and false if there is none.
func (s *stamps) find(message []byte) (stamp, bool) {
	if found, ok := readStamp(message, s.at); ok {
		return found, true
	}
	at := bytes.Index(message, []byte(stampMark))
	if at < 0 {
		return stamp{}, false
	}
	found, ok := readStamp(message, at)
	if ok {
		s.at = at
	}
	return found, ok
}

func readStamp(message []byte, at int) (stamp, bool) {
	if at+stampLength > len(message) || string(message[at:at+len(stampMark)]) != stampMark {
		return stamp{}, false
	}
	at += len(stampMark)
	channel, ok := readHex(message[at : at+4])
	seq, also := readHex(message[at+4 : at+12])
	return stamp{uint16(channel), seq}, ok && also
}

func readHex(b []byte) (n uint32, ok bool) {
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		default:
			return 0, false
		}
		n = n<<4 | uint32(c)
	}
	return n, true
}

// Events of the protocol that a client has to know.
const (
	eventEstablished = "pusher:connection_established"
	eventSubscribed  = "pusher_internal:subscription_succeeded"
	eventPing        = "pusher:ping"
	eventError       = "pusher:error"
	eventRefused     = "pusher:subscription_error"
)

// eventName returns the name in a message of the server without reading the rest as JSON; "" if it has none. Inside a string
// the quotes around event would be escaped, so a key whose quotes are not is the message's own.
func eventName(message []byte) string {
	const key = `"event"`
	for rest := message; ; {
		at := bytes.Index(rest, []byte(key))
		if at < 0 {
			return ""
		}
		rest = bytes.TrimLeft(rest[at+len(key):], " \t\r\n")
		value, ok := bytes.CutPrefix(rest, []byte{':'})
		if !ok {
			continue // a value, not a key
		}
		value, ok = bytes.CutPrefix(bytes.TrimLeft(value, " \t\r\n"), []byte{'"'})
		name, _, whole := bytes.Cut(value, []byte{'"'})
		if !ok || !whole {
			return ""
		}
		return string(name)
	}
}
