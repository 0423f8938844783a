package httpapi

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"hark/authz"
	"hark/channels"
	"hark/protocol"
)

// maxReason is how long a reason that clients are told may be, in bytes.
const maxReason = 1000

// controlRoutes serves what Hark adds to Pusher's API, where the generic calls of
// Pusher's SDKs reach it: $pusher->post('/hark/broadcast', …).
func (h *Handler) controlRoutes(app *gin.RouterGroup) {
	app.POST("/hark/broadcast", h.signed(broadcast))
	app.POST("/hark/revoke", h.signed(revoke))
	app.POST("/hark/recheck", h.signed(recheck))
	app.POST("/hark/reauthenticate", h.signed(reauthenticate))
	app.POST("/hark/terminate", h.signed(terminateSelected))
	app.POST("/hark/invalidate", h.signed(invalidate))
	app.GET("/hark/connections", h.signed(h.listConnections))
	app.GET("/hark/users", h.signed(h.listConnected))
}

// broadcast serves POST /hark/broadcast.
func broadcast(r *request) (any, error) {
	var body struct {
		To     jsontext.Value    `json:"to"`
		Name   string            `json:"name"`
		Data   *string           `json:"data"`
		Except protocol.SocketID `json:"except_socket"`
	}
	to, err := parse(r, &body, &body.To)
	if err != nil {
		return nil, err
	}
	limits := r.app.Limits()
	if err := protocol.CheckEvent(body.Name, limits.EventName); err != nil {
		return nil, badRequest(err.Error())
	}
	switch {
	case body.Data == nil:
		return nil, badRequest("Missing data parameter: it must be a string, encode other values as JSON first")
	case len(*body.Data) > limits.EventData:
		return nil, &protocol.RESTError{Status: 413,
			Text: fmt.Sprintf("The data content of this event exceeds the allowed maximum (%d bytes)", limits.EventData)}
	}
	var except []protocol.SocketID
	if body.Except != "" {
		id, err := protocol.ParseSocketID(string(body.Except))
		if err != nil {
			return nil, badRequest("Invalid except_socket: it must be two numbers with a dot between, like 123.456")
		}
		except = append(except, id)
	}
	return nil, r.app.Broadcast(r.ctx, to, channels.Event{Name: body.Name, Data: *body.Data}, except...)
}

// revoke serves POST /hark/revoke.
func revoke(r *request) (any, error) {
	var body struct {
		To       jsontext.Value `json:"to"`
		Channels string         `json:"channels"`
		Reason   string         `json:"reason"`
	}
	to, err := parse(r, &body, &body.To)
	if err != nil {
		return nil, err
	}
	if err := checkTaking(body.Channels, body.Reason); err != nil {
		return nil, err
	}
	return nil, r.app.Revoke(r.ctx, to, body.Channels, body.Reason)
}

// recheck serves POST /hark/recheck.
func recheck(r *request) (any, error) {
	var body struct {
		To       jsontext.Value `json:"to"`
		Channels string         `json:"channels"`
	}
	to, err := parse(r, &body, &body.To)
	if err != nil {
		return nil, err
	}
	if err := checkTaking(body.Channels, ""); err != nil {
		return nil, err
	}
	err = r.app.Recheck(r.ctx, to, body.Channels)
	if errors.Is(err, channels.ErrNoPolicies) {
		err = badRequest(text(err))
	}
	return nil, err
}

// reauthenticate serves POST /hark/reauthenticate.
func reauthenticate(r *request) (any, error) {
	var body struct {
		To     jsontext.Value `json:"to"`
		Spread int64          `json:"spread_ms"`
	}
	to, err := parse(r, &body, &body.To)
	if err != nil {
		return nil, err
	}
	if longest := channels.MaxSpread.Milliseconds(); body.Spread > longest {
		return nil, badRequest(fmt.Sprintf("Invalid spread_ms: it may be up to %d, which is an hour", longest))
	}
	return nil, r.app.Reauthenticate(r.ctx, to, time.Duration(max(body.Spread, -1))*time.Millisecond)
}

// terminateSelected serves POST /hark/terminate.
func terminateSelected(r *request) (any, error) {
	var body struct {
		To     jsontext.Value `json:"to"`
		Reason string         `json:"reason"`
	}
	to, err := parse(r, &body, &body.To)
	if err != nil {
		return nil, err
	}
	if err := checkReason(body.Reason); err != nil {
		return nil, err
	}
	return nil, r.app.TerminateSelected(r.ctx, to, body.Reason)
}

// invalidate serves POST /hark/invalidate.
func invalidate(r *request) (any, error) {
	var body struct {
		User     string `json:"user"`
		Everyone bool   `json:"everyone"`
	}
	if err := parseBody(r, &body); err != nil {
		return nil, err
	}
	if (body.User == "") != body.Everyone {
		return nil, badRequest(`Say whose answers are to be forgotten: {"user":"7"}, or {"everyone":true}`)
	}
	return nil, r.app.Invalidate(r.ctx, body.User)
}

// parse reads a body that says for whom it is: to points into body.
func parse(r *request, body any, to *jsontext.Value) (channels.Selector, error) {
	if err := parseBody(r, body); err != nil {
		return channels.Selector{}, err
	}
	if *to == nil {
		return channels.Selector{}, badRequest(`Missing to parameter: say for whom it is, as in "to":{"users":["7"]}; everyone has to be said, too: "to":{"everyone":true}`)
	}
	return selector("to", *to)
}

// parseBody reads a body. What is not known is an error: it may have been meant to
// narrow what is done.
func parseBody(r *request, body any) error {
	err := json.Unmarshal(r.body, body, json.RejectUnknownMembers(true))
	if err == nil {
		return nil
	}
	wrong, ok := errors.AsType[*json.SemanticError](err)
	name := ""
	if ok {
		name = wrong.JSONPointer.LastToken()
	}
	switch {
	case errors.Is(err, json.ErrUnknownName):
		return badRequest(fmt.Sprintf("Unknown parameter %q", name))
	case name != "":
		return badRequest(fmt.Sprintf("Invalid %s parameter: it is of the wrong type", name))
	}
	return badRequest("Invalid request body: it must be a JSON object")
}

// selector reads the parameter with this name.
func selector(name string, value jsontext.Value) (channels.Selector, error) {
	s, err := channels.ParseSelector(value)
	if err != nil {
		return s, badRequest("Invalid " + name + " parameter: " + text(err))
	}
	return s, nil
}

// text returns an error of channels or authz in the words for a backend.
func text(err error) string {
	_, words, _ := strings.Cut(err.Error(), ": ")
	return words
}

func checkTaking(pattern, reason string) error {
	if pattern == "" {
		return badRequest(`Missing channels parameter: a name or a pattern, as in "private-doc.{id}" or "{all...}"`)
	}
	if _, err := authz.ParsePattern(pattern); err != nil {
		return badRequest("Invalid channels parameter: " + text(err))
	}
	return checkReason(reason)
}

func checkReason(reason string) error {
	if len(reason) > maxReason {
		return badRequest(fmt.Sprintf("Invalid reason parameter: it may have %d bytes, not %d", maxReason, len(reason)))
	}
	return nil
}
