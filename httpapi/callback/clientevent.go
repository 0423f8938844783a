package callback

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"hark/authz"
	"hark/protocol"
)

// maxDeliveries is how many deliveries one verdict routes an event to, as many as channels one trigger may have.
const maxDeliveries = 100

// A ClientEvent is a client- event that one subscriber sends to the others.
type ClientEvent struct {
	Socket   protocol.SocketID
	Identity authz.Identity // of the sender, whatever Event.Data claims
	Channel  string
	Pattern  string         // that the filter is registered for
	Captures authz.Captures // of that pattern, unescaped
	Event    Event
}

// A Verdict is what becomes of a client event. The zero Verdict rejects it.
type Verdict struct {
	Action     Action
	Event      Event              // of Replace
	Code       protocol.CloseCode // of Reject, for pusher:error; 0: nothing was said, which is 4301
	Message    string             // of Reject; "": nothing was said
	Deliveries []Delivery         // of Route
}

// An Action is what is done with a client event.
type Action uint8

// The actions.
const (
	Reject  Action = iota // it goes nowhere, and its sender is told so
	Pass                  // on as it is
	Replace               // on as another
	Drop                  // it goes nowhere
	Route                 // it goes nowhere, and others are delivered in its place
)

// A Delivery is an event for a channel.
type Delivery struct {
	Channel string
	Event   Event
	// Except is the JSON object of a selector, as the application wrote it: who does not get it besides the sender. Nil:
	// nobody.
	Except jsontext.Value
}

// ClientEvent asks what becomes of a client event. Where the application answers 401, 403 or 404, that is a Verdict, to
// reject it; every error is authz.ErrUnavailable and comes with the same. It is not sent a second time once it may have
// been received.
func (c *Client) ClientEvent(ctx context.Context, e ClientEvent) (Verdict, error) {
	q := question{
		Kind: KindClientEvent, Socket: e.Socket, Channel: e.Channel, Pattern: e.Pattern, Params: e.Captures,
		Event: e.Event.Name, Data: &e.Event.Data,
	}
	v, err := askAbout(ctx, c, q, e.Identity, func(body []byte) (Verdict, error) { return readVerdict(body, e.Event) })
	if errors.Is(err, authz.ErrDenied) || errors.Is(err, authz.ErrUnauthenticated) {
		return Verdict{}, nil
	}
	return v, err
}

// readVerdict reads what is said about an event. Of a replacement, what it leaves out stays as it was.
func readVerdict(body []byte, about Event) (Verdict, error) {
	var b struct {
		Verdict    string             `json:"verdict"`
		Event      *string            `json:"event"`
		Data       data               `json:"data"`
		Code       protocol.CloseCode `json:"code"`
		Message    string             `json:"message"`
		Deliveries []deliveryBody     `json:"deliveries"`
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return Verdict{}, err
	}
	switch b.Verdict {
	case "pass":
		return Verdict{Action: Pass}, nil
	case "drop":
		return Verdict{Action: Drop}, nil
	case "replace":
		v := Verdict{Action: Replace, Event: about}
		if b.Event != nil {
			v.Event.Name = *b.Event
		}
		if b.Data.given {
			v.Event.Data = b.Data.text
		}
		if v.Event.Name == "" {
			return Verdict{}, errors.New(`"event" is empty`)
		}
		return v, nil
	case "reject":
		if b.Code != 0 && (b.Code < 4300 || b.Code > 4999) {
			return Verdict{}, fmt.Errorf(`"code" is %d; the codes of errors that close nothing are from 4300 to 4999`, b.Code)
		}
		return Verdict{Code: b.Code, Message: b.Message}, nil
	case "route":
		return route(b.Deliveries)
	}
	return Verdict{}, fmt.Errorf(`"verdict" is %q; it must be pass, replace, drop, reject or route`, b.Verdict)
}

type deliveryBody struct {
	Channel string         `json:"channel"`
	Event   string         `json:"event"`
	Data    data           `json:"data"`
	Except  jsontext.Value `json:"except"`
}

func route(deliveries []deliveryBody) (Verdict, error) {
	if len(deliveries) > maxDeliveries {
		return Verdict{}, fmt.Errorf("%d deliveries; %d are the most", len(deliveries), maxDeliveries)
	}
	v := Verdict{Action: Route}
	for _, b := range deliveries {
		d := Delivery{Channel: b.Channel, Event: Event{b.Event, b.Data.text}}
		if d.Channel == "" || d.Event.Name == "" {
			return Verdict{}, errors.New(`a delivery needs a "channel" and an "event"`)
		}
		switch b.Except.Kind() {
		case 0, 'n':
		case '{':
			d.Except = b.Except
		default:
			return Verdict{}, errors.New(`"except" must be an object: it says who does not get the delivery`)
		}
		v.Deliveries = append(v.Deliveries, d)
	}
	return v, nil
}
