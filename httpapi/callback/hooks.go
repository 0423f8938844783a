package callback

import (
	"context"
	"errors"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"hark/authz"
	"hark/protocol"
)

// An Event is a name and data. Data is a string, as clients get it; in an answer it may be any JSON value, whose text it
// then is.
type Event struct {
	Name string
	Data string
}

// A Message is what a client sent that is no subscription and no client event: pusher.send_event(name, data).
type Message struct {
	Socket   protocol.SocketID
	Identity authz.Identity // whose socket it is
	Event    Event
}

// Message asks what is answered to a message: events for its sender. A refusal is authz.ErrDenied or
// authz.ErrUnauthenticated; any other error is authz.ErrUnavailable. It is not sent a second time once it may have been
// received.
func (c *Client) Message(ctx context.Context, m Message) ([]Event, error) {
	return askAbout(ctx, c, question{Kind: KindMessage, Socket: m.Socket, Event: m.Event.Name, Data: &m.Event.Data}, m.Identity, readEvents)
}

// A Subscribed is a socket that has just subscribed to a channel.
type Subscribed struct {
	Socket   protocol.SocketID
	Identity authz.Identity
	Channel  string
	Pattern  string         // that the hook is registered for
	Captures authz.Captures // of that pattern, unescaped
}

// Subscribed asks what the new subscriber sees first: events for nobody else. Errors are as those of [Client.Message].
func (c *Client) Subscribed(ctx context.Context, s Subscribed) ([]Event, error) {
	q := question{Kind: KindSubscribed, Socket: s.Socket, Channel: s.Channel, Pattern: s.Pattern, Params: s.Captures}
	return askAbout(ctx, c, q, s.Identity, readEvents)
}

// askAbout asks a question about what somebody does, on a goroutine that outlives ctx: what becomes of the call is worth
// knowing even if nobody waits for it any more.
func askAbout[V any](ctx context.Context, c *Client, q question, who authz.Identity, read func([]byte) (V, error)) (V, error) {
	var none V
	var err error
	if q.User, err = encodeUser(who); err != nil {
		return none, unavailable(q.Kind, err)
	}
	f := newFlight[V](digest{})
	err = c.start(ctx, q.Kind, func(ctx context.Context) {
		v, err := ask(ctx, c, q, http.Header{}, read)
		f.land(v, err)
	})
	if err != nil {
		return none, err
	}
	return f.wait(ctx)
}

// An eventBody is the JSON of an event in an answer.
type eventBody struct {
	Name string `json:"name"`
	Data data   `json:"data"`
}

// readEvents reads {"events":[{"name":"total","data":{"cost":5}}]}.
func readEvents(body []byte) ([]Event, error) {
	var b struct {
		Events *[]eventBody `json:"events"`
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return nil, err
	}
	if b.Events == nil {
		return nil, errors.New(`it needs "events", an array that may be empty`)
	}
	events := make([]Event, 0, len(*b.Events))
	for _, e := range *b.Events {
		if e.Name == "" {
			return nil, errors.New(`an event needs a "name"`)
		}
		events = append(events, Event{e.Name, e.Data.text})
	}
	return events, nil
}

// A data is the data of an event in an answer: a JSON string's value, or the text of any other value.
type data struct {
	text  string
	given bool
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (d *data) UnmarshalJSONFrom(from *jsontext.Decoder) error {
	v, err := from.ReadValue()
	if err != nil {
		return err
	}
	d.text, d.given = string(v), true
	if v.Kind() == '"' {
		return json.Unmarshal(v, &d.text)
	}
	return nil
}
