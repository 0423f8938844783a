package protocol

import (
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// An Event is one message to a client. Data is passed on as it is: the server never looks into it.
type Event struct {
	Name    string // always sent
	Channel string // "": not sent
	Data    string // always sent, as a JSON string, "" too
	UserID  string // "": not sent; else the user who sent a client event on a presence channel
}

const (
	keyEvent   = `{"event":`
	keyChannel = `,"channel":`
	keyData    = `,"data":`
	keyUserID  = `,"user_id":`
)

// Frame returns the event as the websocket frame that every subscriber gets. It allocates once.
func (e Event) Frame() Frame {
	e = e.valid()
	return finishFrame(e.append(newFrame(e.len())))
}

// AppendJSON appends the event's JSON text to dst. Bytes that are not UTF-8 become U+FFFD: a client would have to close
// the connection over them.
func (e Event) AppendJSON(dst []byte) []byte { return e.valid().append(dst) }

// valid returns e with all its strings made valid UTF-8.
func (e Event) valid() Event {
	return Event{validUTF8(e.Name), validUTF8(e.Channel), validUTF8(e.Data), validUTF8(e.UserID)}
}

func (e Event) append(dst []byte) []byte {
	dst = append(dst, keyEvent...)
	dst = appendQuoted(dst, e.Name)
	if e.Channel != "" {
		dst = append(dst, keyChannel...)
		dst = appendQuoted(dst, e.Channel)
	}
	dst = append(dst, keyData...)
	dst = appendQuoted(dst, e.Data)
	if e.UserID != "" {
		dst = append(dst, keyUserID...)
		dst = appendQuoted(dst, e.UserID)
	}
	return append(dst, '}')
}

// len returns how many bytes append appends.
func (e Event) len() int {
	n := len(keyEvent) + quotedLen(e.Name) + len(keyData) + quotedLen(e.Data) + len(`}`)
	if e.Channel != "" {
		n += len(keyChannel) + quotedLen(e.Channel)
	}
	if e.UserID != "" {
		n += len(keyUserID) + quotedLen(e.UserID)
	}
	return n
}

// A Message is what a client sent. It shares no memory with the bytes it was decoded from; its strings may share some with
// each other.
type Message struct {
	Name    string // never ""
	Channel string // "": absent or null
	// Data is the value of a JSON string, or the text of any other JSON value as it was sent, so that
	// {"data":{"on":true}} and {"data":"{\"on\":true}"} are the same message from here on.
	Data    string
	HasData bool // false: there was no data at all. null is data, of the text "null"
}

// Decode reads one message from a client: a JSON object with an event, and maybe a channel and data. Whatever else it
// holds is left out, so that nobody can forge a user_id. All errors are [*Error] of code 0.
//
// Invalid JSON includes what other readers may take in different ways: a name used twice in one object, text that is not
// UTF-8, half a surrogate pair, values nested deeper than 10 000. It may be called concurrently and does not keep b.
func Decode(b []byte) (Message, error) {
	if m, ok := scanMessage(b); ok {
		return m, nil
	}
	return parseMessage(b)
}

// parseMessage is Decode for all JSON.
func parseMessage(b []byte) (Message, error) {
	m := messageBodies.Get().(*messageBody)
	defer m.free()
	if err := json.Unmarshal(b, m); err != nil {
		return Message{}, InvalidJSON()
	}
	if !m.event.isString() || m.event.value == "" || !m.channel.isString() && !m.channel.isNull() {
		return Message{}, InvalidJSON()
	}
	return Message{
		Name:    m.event.value,
		Channel: m.channel.string(),
		Data:    m.data.value,
		HasData: m.data.kind != 0,
	}, nil
}

// messageBody is the JSON of a message.
type messageBody struct{ event, channel, data text }

// free gives m back, empty.
func (m *messageBody) free() {
	*m = messageBody{}
	messageBodies.Put(m)
}

var messageBodies = sync.Pool{New: func() any { return new(messageBody) }}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (m *messageBody) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	for key, err := range members(d) {
		if err != nil {
			return err
		}
		switch string(key) {
		case "event":
			err = m.event.UnmarshalJSONFrom(d)
		case "channel":
			err = m.channel.UnmarshalJSONFrom(d)
		case "data":
			err = m.data.UnmarshalJSONFrom(d)
		default:
			err = d.SkipValue()
		}
		if err != nil {
			return err
		}
	}
	return nil
}
