package httpapi

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"hark/authz"
	"hark/channels"
	"hark/protocol"
)

// trigger serves POST /events.
func (h *Handler) trigger(r *request) (any, error) {
	body := r.body
	if len(body) == 0 {
		var err error
		if body, err = queryBody(r.params); err != nil {
			return nil, err
		}
	}
	t, err := protocol.ParseTrigger(body, r.app.Limits())
	if err != nil {
		return nil, err
	}
	if err := publish(r, t); err != nil {
		return nil, err
	}
	if t.Info == 0 {
		return nil, nil
	}
	counted := make(counts)
	states := make(map[string]protocol.ChannelState, len(t.Channels))
	for _, name := range t.Channels {
		if states[name], err = counted.state(r, name, t.Info); err != nil {
			return nil, err
		}
	}
	return protocol.TriggerResponse{Channels: states}, nil
}

// queryBody makes a body of the parameters of a query: Pusher takes those of a
// POST from either.
func queryBody(params authz.Params) ([]byte, error) {
	fields := make(map[string]any)
	var names []string
	for _, p := range params {
		switch p.Key {
		case "name", "data", "channel", "socket_id", "info":
			fields[p.Key] = p.Value
		case "channels[]":
			names = append(names, p.Value)
		}
	}
	if names != nil {
		fields["channels"] = names
	}
	body, err := json.Marshal(fields)
	if err != nil {
		return nil, badRequest("Invalid parameters in the query string: they must be UTF-8")
	}
	return body, nil
}

// triggerBatch serves POST /batch_events. After an event that a channel did not
// take, it gets no later one: retrying what the answer names keeps the order.
func (h *Handler) triggerBatch(r *request) (any, error) {
	batch, err := protocol.ParseBatch(r.body, r.app.Limits())
	if err != nil {
		return nil, err
	}
	var undelivered channels.UndeliveredError
	asked := protocol.Info(0)
	events := make([]channels.Trigger, len(batch))
	for i, t := range batch {
		asked |= t.Info
		if events[i], err = event(t); err != nil {
			return nil, badRequest(fmt.Sprintf("batch[%d]: %v", i, err))
		}
		events[i].More = i < len(batch)-1
	}
	for _, t := range events {
		if slices.Contains(undelivered.Channels, t.Channels[0]) {
			continue
		}
		if err := r.app.Trigger(r.ctx, t); err != nil {
			undelivered.Channels = append(undelivered.Channels, t.Channels...)
			undelivered.Err = err
		}
	}
	if undelivered.Err != nil {
		return nil, &undelivered
	}
	if asked == 0 {
		return nil, nil
	}
	counted := make(counts)
	states := make([]protocol.ChannelState, len(batch))
	for i, t := range batch {
		if states[i], err = counted.state(r, t.Channels[0], t.Info); err != nil {
			return nil, err
		}
	}
	return protocol.BatchResponse{Batch: states}, nil
}

// publish triggers t.
func publish(r *request, t protocol.TriggerRequest) error {
	e, err := event(t)
	if err != nil {
		return err
	}
	return r.app.Trigger(r.ctx, e)
}

// event returns what a request wants to be triggered.
func event(t protocol.TriggerRequest) (channels.Trigger, error) {
	e := channels.Trigger{Name: t.Name, Data: t.Data, Channels: t.Channels, Except: t.SocketID}
	if t.Only == nil {
		return e, nil
	}
	var err error
	e.Only, err = selector("only", t.Only)
	return e, err
}

// counts are the channels of one request that have been counted, each once.
type counts map[string]channels.ChannelInfo

// state answers info about a channel that was triggered. user_count is left out
// where there are no users.
func (c counts) state(r *request, name string, info protocol.Info) (protocol.ChannelState, error) {
	if !protocol.KindOf(name).IsPresence() {
		info &^= protocol.InfoUserCount
	}
	if info == 0 {
		return protocol.ChannelState{}, nil
	}
	now, ok := c[name]
	if !ok {
		var err error
		if now, err = r.app.Channel(r.ctx, name); err != nil {
			return protocol.ChannelState{}, &uncountedError{err}
		}
		c[name] = now
	}
	return describe(now, info), nil
}

// An uncountedError is why there is no info about what has been delivered.
type uncountedError struct{ err error }

func (e *uncountedError) Error() string { return "count after a trigger: " + e.err.Error() }
func (e *uncountedError) Unwrap() error { return e.err }

// describe returns what info asks for.
func describe(now channels.ChannelInfo, info protocol.Info) protocol.ChannelState {
	var s protocol.ChannelState
	if info.Has(protocol.InfoUserCount) {
		s.UserCount = &now.Users
	}
	if info.Has(protocol.InfoSubscriptionCount) {
		s.SubscriptionCount = &now.Sockets
	}
	if info.Has(protocol.InfoCache) {
		s.Cache = cached(now.Cached)
	}
	return s
}

// cached describes a cached event; the seconds left are rounded up, since one
// with none left is not there.
func cached(c channels.Cached) jsontext.Value {
	if c == (channels.Cached{}) {
		return jsontext.Value("null")
	}
	left := time.Until(c.Until)
	text, err := json.Marshal(protocol.CacheState{Data: c.Data, TTL: int((left + time.Second - 1) / time.Second)}, jsontext.AllowInvalidUTF8(true))
	if err != nil {
		panic(err) // a string and a number can be encoded
	}
	return text
}

// accepted is the answer of a call that says 202 and nothing else.
type accepted struct{}

func (accepted) respond(c *gin.Context) { c.Writer.WriteHeader(http.StatusAccepted) }

// triggerChannel serves POST /channels/{name}/events, which is deprecated: the
// body is the event's data as it is.
func (h *Handler) triggerChannel(r *request) (any, error) {
	fields := map[string]any{"name": r.param("name"), "channel": r.channel, "data": string(r.body)}
	if id, ok := r.params.Get("socket_id"); ok {
		fields["socket_id"] = id
	}
	body, err := json.Marshal(fields)
	if err != nil {
		return nil, badRequest("The body must be UTF-8 text")
	}
	t, err := protocol.ParseTrigger(body, r.app.Limits())
	if err != nil {
		return nil, err
	}
	return accepted{}, publish(r, t)
}
