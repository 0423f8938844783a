package redisbroker

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"hark/channels"
	"hark/presence"
	"hark/protocol"
)

// What travels between nodes, on pub/sub and in streams. It is text of fields, which
// Lua can write too:
//
//	body    = version kind field*
//	version = "1"
//	kind    = "E" event | "M" member | "C" count | "T" terminate | "K" control
//	        | "G" gap | "Q" question | "A" answer (ask.go)
//	field   = tag length ":" bytes
//
//	E  n name, d data, u user id, x excepted socket, t selector (JSON), c ms to cache
//	M  a user who came, i user_info; or r user who went
//	C  c how many sockets there are
//	K  j the control (JSON)
//	G  nothing: events before it were lost
//
// A tag that a node does not know is passed over, so that newer nodes can say more to
// each other while a cluster is updated. What would be wrong without it is another
// version: nodes that do not know that take a gap, and tell the channel so.
//
// On pub/sub a position comes before it:
//
//	"p" epoch " " sequence " " ms " " body     on a place
//	"c" sequence " " before " " length ":" app body
//	"r" how often                              a place's state was repaired silently
//
// In a stream the sequence and the ms are the entry's id, ms-sequence.
const bodyVersion = '1'

// lostBody is a G.
const lostBody = "1G"

var (
	errBody    = errors.New("redisbroker: not an envelope")
	errVersion = errors.New("redisbroker: an envelope of a newer version")
)

// encode returns e without its position.
func encode(e channels.Envelope) (string, error) {
	var b strings.Builder
	b.Grow(len(e.Name) + len(e.Data) + 64)
	b.WriteByte(bodyVersion)
	switch e.Kind {
	case channels.KindEvent:
		b.WriteByte('E')
		put(&b, 'n', e.Name)
		put(&b, 'd', e.Data)
		put(&b, 'u', e.UserID)
		put(&b, 'x', string(e.Except))
		if e.To != nil {
			text, err := json.Marshal(*e.To)
			if err != nil {
				return "", fmt.Errorf("redisbroker: encode a selector: %w", err)
			}
			put(&b, 't', string(text))
		}
		if e.Cache > 0 {
			put(&b, 'c', strconv.FormatInt(max(e.Cache.Milliseconds(), 1), 10))
		}
	case channels.KindChange:
		b.WriteByte('M')
		if m, ok := e.Diff.Added(); ok {
			put(&b, 'a', m.UserID)
			put(&b, 'i', string(m.UserInfo))
		} else if id, ok := e.Diff.Removed(); ok {
			put(&b, 'r', id)
		}
	case channels.KindCount:
		b.WriteByte('C')
		put(&b, 'c', strconv.Itoa(e.Sockets))
	case channels.KindTerminate:
		b.WriteByte('T')
	case channels.KindControl:
		b.WriteByte('K')
		text, err := json.Marshal(e.Control)
		if err != nil {
			return "", fmt.Errorf("redisbroker: encode a control: %w", err)
		}
		put(&b, 'j', string(text))
	default:
		return "", fmt.Errorf("redisbroker: no envelope is of kind %d", e.Kind)
	}
	return b.String(), nil
}

// put writes a field, unless it is empty.
func put(b *strings.Builder, tag byte, s string) {
	if s == "" {
		return
	}
	b.WriteByte(tag)
	b.WriteString(strconv.Itoa(len(s)))
	b.WriteByte(':')
	b.WriteString(s)
}

// decode reads what encode or a script wrote. errVersion: a newer node did.
func decode(body string) (channels.Envelope, error) {
	var e channels.Envelope
	if len(body) < 2 {
		return e, errBody
	}
	kind := body[1]
	switch kind {
	case 'E':
		e.Kind = channels.KindEvent
	case 'M':
		e.Kind = channels.KindChange
	case 'C':
		e.Kind = channels.KindCount
	case 'T':
		e.Kind = channels.KindTerminate
	case 'K':
		e.Kind = channels.KindControl
	default:
		return e, errVersion
	}
	var came protocol.Member
	err := fields(body, kind, func(tag byte, value string) error { return read(&e, &came, kind, tag, value) })
	if err != nil {
		return e, err
	}
	if came.UserID != "" {
		e.Diff = presence.AddedDiff(came)
	}
	if e.Kind == channels.KindChange && e.Diff.IsZero() || e.Kind == channels.KindControl && e.Control == nil {
		return e, errBody
	}
	return e, nil
}

// fields calls f for the fields of a body of a kind, as long as it returns nil.
func fields(body string, kind byte, f func(tag byte, value string) error) error {
	if len(body) < 2 {
		return errBody
	}
	if body[0] != bodyVersion || body[1] != kind {
		return errVersion
	}
	for rest := body[2:]; rest != ""; {
		value, after, err := sized(rest[1:])
		if err != nil {
			return err
		}
		if err := f(rest[0], value); err != nil {
			return err
		}
		rest = after
	}
	return nil
}

// read reads one field.
func read(e *channels.Envelope, came *protocol.Member, kind, tag byte, value string) error {
	switch string([]byte{kind, tag}) {
	case "En":
		e.Name = value
	case "Ed":
		e.Data = value
	case "Eu":
		e.UserID = value
	case "Ex":
		e.Except = protocol.SocketID(value)
	case "Et":
		e.To = new(channels.Selector)
		if err := json.Unmarshal([]byte(value), e.To); err != nil {
			return errVersion // it may say more than is known here: nobody may get what is not for them
		}
	case "Ec":
		ms, err := strconv.ParseInt(value, 10, 64)
		if err != nil || ms < 0 || ms > int64(1<<53) {
			return errBody
		}
		e.Cache = time.Duration(min(ms, int64(maxCache/time.Millisecond))) * time.Millisecond
	case "Ma":
		came.UserID = value
	case "Mi":
		came.UserInfo = []byte(value)
	case "Mr":
		if value == "" {
			return errBody
		}
		e.Diff = presence.RemovedDiff(value)
	case "Cc":
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return errBody
		}
		e.Sockets = n
	case "Kj":
		e.Control = new(channels.Control)
		if err := json.Unmarshal([]byte(value), e.Control); err != nil {
			return errVersion
		}
	}
	return nil
}

// maxCache is longer than any event is kept.
const maxCache = 100 * 365 * 24 * time.Hour

// sized reads "length:bytes".
func sized(s string) (value, rest string, err error) {
	digits, rest, ok := strings.Cut(s, ":")
	if !ok {
		return "", "", errBody
	}
	n, err := strconv.ParseUint(digits, 10, 31)
	if err != nil || int(n) > len(rest) {
		return "", "", errBody
	}
	return rest[:n], rest[n:], nil
}

// A message is what one node has to put in order on a place.
type message struct {
	epoch, seq uint64
	ms         int64 // of Redis's clock
	repairs    int64 // how often the place had been repaired; of one that stands for a state
	body       string
}

// parseMessage reads what stands on a place's pub/sub channel, behind the "p".
func parseMessage(s string) (m message, err error) {
	var words [3]string
	for i := range words {
		var ok bool
		if words[i], s, ok = strings.Cut(s, " "); !ok {
			return m, errBody
		}
	}
	m.body = s
	if m.epoch, err = strconv.ParseUint(words[0], 10, 64); err != nil {
		return m, errBody
	}
	if m.seq, err = strconv.ParseUint(words[1], 10, 64); err != nil {
		return m, errBody
	}
	if m.ms, err = strconv.ParseInt(words[2], 10, 64); err != nil {
		return m, errBody
	}
	return m, nil
}

// parseEntry reads an entry's id and body, as XRANGE returns them.
func parseEntry(entry any) (m message, err error) {
	pair, ok := entry.([]any)
	if !ok || len(pair) != 2 {
		return m, errBody
	}
	id, ok := pair[0].(string)
	fields, ok2 := pair[1].([]any)
	if !ok || !ok2 || len(fields) < 2 {
		return m, errBody
	}
	if m.body, ok = fields[1].(string); !ok {
		return m, errBody
	}
	at, err := parseID(id)
	m.seq, m.ms = at.seq, at.ms
	return m, err
}

// entry returns the id of m's entry in the stream.
func (m message) entry() string { return strconv.FormatInt(m.ms, 10) + "-" + decimal(m.seq) }

// parseID reads an entry's id.
func parseID(id string) (m message, err error) {
	ms, seq, ok := strings.Cut(id, "-")
	if !ok {
		return m, errBody
	}
	if m.ms, err = strconv.ParseInt(ms, 10, 64); err != nil {
		return m, errBody
	}
	if m.seq, err = strconv.ParseUint(seq, 10, 64); err != nil {
		return m, errBody
	}
	return m, nil
}
