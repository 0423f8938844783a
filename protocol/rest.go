package protocol

import (
	"errors"
	"fmt"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A RESTError is a refused REST request. Text is the body of the answer, plain text that SDKs show to the developer; the
// official server ends it with a newline, which is not part of Text.
type RESTError struct {
	Status int // the HTTP status
	Text   string
}

// Error returns the text.
func (e *RESTError) Error() string { return e.Text }

func badRequest(format string, args ...any) *RESTError {
	return &RESTError{400, fmt.Sprintf(format, args...)}
}

// A TriggerRequest is one event to publish, all of it checked.
type TriggerRequest struct {
	Name     string
	Data     string   // "" is data too
	Channels []string // at least one, none twice, in the order in which they were first named
	SocketID SocketID // who shall not get it; "" for nobody
	Info     Info     // what the answer says about each channel
	// Only is a JSON value that says who shall get it, of whatever form the server has for that; nil: everybody. It is
	// no part of Pusher's API, and no official SDK sends it.
	Only jsontext.Value
}

// A BatchRequest is events to publish in this order, each on one channel.
type BatchRequest []TriggerRequest

// ParseTrigger reads the body of POST /apps/ID/events. Fields it does not know are ignored, and so is channel where there
// is channels. The error is a [*RESTError].
//
// Pusher: https://pusher.com/docs/channels/library_auth_reference/rest-api/#post-event-trigger-an-event
func ParseTrigger(body []byte, l Limits) (TriggerRequest, error) {
	l = l.WithDefaults()
	b := triggerBodies.Get().(*triggerBody)
	defer b.free()
	b.Channels.max = l.TriggerChannels
	if err := json.Unmarshal(body, b); err != nil {
		return TriggerRequest{}, invalidBody(err)
	}
	if b.Channels.isNull() {
		return b.request([]text{b.Channel}, l)
	}
	if b.Channels.kind != '[' {
		return TriggerRequest{}, badRequest("Expected channels parameter to be an array of strings")
	}
	if err := checkCount("channels", b.Channels.count, l.TriggerChannels); err != nil {
		return TriggerRequest{}, err
	}
	return b.request(b.Channels.items, l)
}

// ParseBatch reads the body of POST /apps/ID/batch_events. It checks every event before it returns any, so that a batch is
// published whole or not at all. The error is a [*RESTError] that says which event is wrong, counting from 0.
//
// Pusher: https://pusher.com/docs/channels/library_auth_reference/rest-api/#post-batch-events-trigger-multiple-events
func ParseBatch(body []byte, l Limits) (BatchRequest, error) {
	l = l.WithDefaults()
	var b struct {
		Batch list[triggerBody, *triggerBody] `json:"batch"`
	}
	b.Batch.max = l.BatchEvents
	if err := json.Unmarshal(body, &b); err != nil {
		return nil, invalidBody(err)
	}
	if b.Batch.kind != '[' {
		return nil, badRequest("Expected batch parameter to be an array of events")
	}
	if err := checkCount("batch", b.Batch.count, l.BatchEvents); err != nil {
		return nil, err
	}
	batch := make(BatchRequest, len(b.Batch.items))
	for i, item := range b.Batch.items {
		r, err := item.request([]text{item.Channel}, l)
		if refused, ok := errors.AsType[*RESTError](err); ok {
			return nil, &RESTError{refused.Status, fmt.Sprintf("batch[%d]: %s", i, refused.Text)}
		}
		batch[i] = r
	}
	return batch, nil
}

func checkCount(name string, n, limit int) error {
	switch {
	case n == 0:
		return badRequest("Expected %s parameter to have at least one item", name)
	case n > limit:
		return badRequest("Expected %s parameter to have at most %d items, not %d", name, limit, n)
	}
	return nil
}

// triggerBody is the JSON of a trigger, and of one event in a batch, which has no channels.
type triggerBody struct {
	Name     text
	Data     text
	Channel  text
	Channels list[text, *text]
	SocketID text
	Info     text
	Only     jsontext.Value
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom: it takes half the time of the library's way into a struct.
func (b *triggerBody) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	for key, err := range members(d) {
		if err != nil {
			return err
		}
		switch string(key) {
		case "name":
			err = b.Name.UnmarshalJSONFrom(d)
		case "data":
			err = b.Data.UnmarshalJSONFrom(d)
		case "channel":
			err = b.Channel.UnmarshalJSONFrom(d)
		case "channels":
			err = b.Channels.UnmarshalJSONFrom(d)
		case "socket_id":
			err = b.SocketID.UnmarshalJSONFrom(d)
		case "info":
			err = b.Info.UnmarshalJSONFrom(d)
		case "only":
			var value jsontext.Value
			value, err = d.ReadValue()
			b.Only = value.Clone()
		default:
			err = d.SkipValue()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

var triggerBodies = sync.Pool{New: func() any { return new(triggerBody) }}

// free gives b back, empty but for the memory of a few channels.
func (b *triggerBody) free() {
	items := b.Channels.items
	clear(items)
	*b = triggerBody{}
	if cap(items) <= 100 {
		b.Channels.items = items[:0]
	}
	triggerBodies.Put(b)
}

// request returns the checked request for an event on these channels. The error is a *RESTError. l has its defaults.
func (b *triggerBody) request(channels []text, l Limits) (r TriggerRequest, err error) {
	if !b.Name.isString() {
		return r, badRequest("Expected name parameter to be a string") // official
	}
	if err := CheckEvent(b.Name.value, l.EventName); err != nil {
		return r, badRequest("%v", err)
	}
	if r.Channels, err = channelNames(channels, l); err != nil {
		return r, err
	}
	if !b.Data.isString() {
		return r, badRequest("Expected data parameter to be a string: encode other values as JSON first")
	}
	if len(b.Data.value) > l.EventData {
		return r, dataTooLarge(l.EventData)
	}
	if r.SocketID, err = b.socketID(); err != nil {
		return r, err
	}
	if r.Info, err = b.info(); err != nil {
		return r, err
	}
	r.Name, r.Data, r.Only = b.Name.value, b.Data.value, b.Only
	return r, nil
}

// dataTooLarge has the official words; limit is in bytes.
func dataTooLarge(limit int) *RESTError {
	return &RESTError{413, fmt.Sprintf(
		"The data content of this event exceeds the allowed maximum (%d bytes). "+
			"See https://pusher.com/docs/channels/server_api/http-api#publishing-events for more info", limit)}
}

// channelNames returns the names, each once. An event on a channel that is named twice is published once.
func channelNames(channels []text, l Limits) ([]string, error) {
	names := make([]string, 0, len(channels))
	var seen map[string]bool
	if len(channels) > 1 {
		seen = make(map[string]bool, len(channels))
	}
	for _, c := range channels {
		if !c.isString() {
			return nil, badRequest("Expected channel parameter to be a string")
		}
		if err := CheckChannel(c.value, l.ChannelName); err != nil {
			return nil, badRequest("%v", err)
		}
		if seen[c.value] {
			continue
		}
		if seen != nil {
			seen[c.value] = true
		}
		names = append(names, c.value)
	}
	return names, nil
}

func (b *triggerBody) socketID() (SocketID, error) {
	if b.SocketID.isNull() {
		return "", nil
	}
	if !b.SocketID.isString() {
		return "", badRequest("Expected socket_id parameter to be a string")
	}
	return ParseSocketID(b.SocketID.value)
}

// info returns what the answer to a trigger shall tell. The cached event is not among it: this is the one it replaces.
func (b *triggerBody) info() (Info, error) {
	if b.Info.isNull() {
		return 0, nil
	}
	if !b.Info.isString() {
		return 0, badRequest("Expected info parameter to be a string")
	}
	i, err := ParseInfo(b.Info.value)
	if err == nil && i.Has(InfoCache) {
		return 0, badRequest("Invalid info parameter: cache is not available here, use user_count or subscription_count")
	}
	return i, err
}

func invalidBody(err error) *RESTError {
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return badRequest("Invalid request body: it is not JSON from byte %d on", syntax.ByteOffset)
	}
	return badRequest("Invalid request body: it must be a JSON object, and so must every event of a batch")
}
