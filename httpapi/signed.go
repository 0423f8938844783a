package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json"

	"hark/authz"
	"hark/channels"
	"hark/protocol"
)

// A request is a REST request whose signature is right. It is gone, and its
// body read over by another, as soon as it is answered.
type request struct {
	ctx     context.Context
	app     *channels.App
	channel string       // named in the path; "": none
	user    string       // likewise
	params  authz.Params // of the query
	body    []byte
	memory  []byte // for bodies; no more than trusted bytes
}

var requests = sync.Pool{New: func() any { return new(request) }}

// free gives r back for the next request, with nothing but memory in it.
func (r *request) free() {
	params := r.params
	clear(params)
	if cap(params) > usualParams {
		params = nil
	}
	*r = request{memory: r.memory, params: params[:0]}
	requests.Put(r)
}

// usualParams is how many parameters a query may have whose memory is kept.
const usualParams = 16

// param returns a parameter of the query, "" if it is not there.
func (r *request) param(name string) string {
	v, _ := r.params.Get(name)
	return v
}

// signed serves what answer answers to requests whose signature is right: a
// value that is encoded as JSON, or an error.
func (h *Handler) signed(answer func(*request) (any, error)) gin.HandlerFunc {
	return func(c *gin.Context) {
		r := requests.Get().(*request)
		var value any
		err := h.verify(c, r)
		if err == nil {
			value, err = answer(r)
		}
		if err == nil {
			respond(c, value)
		} else {
			h.fail(c, err)
		}
		r.free()
	}
}

// verify reads a request into r and checks who sent it. Nothing of it is looked
// into before its signature has been found right.
func (h *Handler) verify(c *gin.Context, r *request) error {
	app, err := h.app(c)
	if err != nil {
		return err
	}
	if err := r.readBody(c.Request, app.Limits().RESTBody); err != nil {
		return err
	}
	u := c.Request.URL
	signed := authz.RESTRequest{
		Method: c.Request.Method, Path: u.Path, RawPath: u.EscapedPath(), RawQuery: u.RawQuery, Body: r.body, Memory: r.params,
	}
	r.params, err = app.Verifier().VerifyREST(signed, h.config.Now())
	if err != nil {
		if !errors.Is(err, authz.ErrUnknownKey) {
			return err
		}
		if _, other := h.appOfKey(u.RawQuery); other == nil {
			err = &protocol.RESTError{Status: http.StatusUnauthorized, Text: "Not authorized for that app"}
		}
		return err
	}
	if app.Disabled() {
		return &protocol.RESTError{Status: http.StatusForbidden, Text: "This app is disabled"}
	}
	r.ctx, r.app = c.Request.Context(), app
	r.channel, r.user = c.Param("channel"), c.Param("user")
	return nil
}

// app returns the app that the path names, or, where it names none, the one
// that the key belongs to: the Python SDK leaves the app out of one path.
func (h *Handler) app(c *gin.Context) (*channels.App, error) {
	if id := c.Param("app"); id != "" {
		if app, ok := h.hub.App(id); ok {
			return app, nil
		}
		return nil, &protocol.RESTError{Status: http.StatusNotFound, Text: fmt.Sprintf("Unknown app %q, check the app id", id)}
	}
	return h.appOfKey(c.Request.URL.RawQuery)
}

// appOfKey returns the app of the key that a query names.
func (h *Handler) appOfKey(query string) (*channels.App, error) {
	params, err := authz.ParseQuery(query)
	if err != nil {
		return nil, err
	}
	key, _ := params.Get("auth_key")
	if app, ok := h.hub.AppByKey(key); ok {
		return app, nil
	}
	return nil, authz.ErrUnknownKey
}

// trusted is up to how many bytes memory is set aside for a body that has not
// come yet, on the word of its header. Who sent it is not known then.
const trusted = 64 << 10

// readBody reads a body of at most limit bytes. One that says it is longer is
// not read at all.
func (r *request) readBody(sent *http.Request, limit int) error {
	if sent.ContentLength > int64(limit) {
		return tooLarge(limit)
	}
	if n := sent.ContentLength; n >= 0 && n <= trusted {
		r.memory = slices.Grow(r.memory[:0], int(n))
		r.body = r.memory[:n]
		if _, err := io.ReadFull(sent.Body, r.body); err != nil {
			return errIncomplete
		}
		return nil
	}
	var err error
	r.body, err = io.ReadAll(io.LimitReader(sent.Body, int64(min(limit, math.MaxInt-1))+1))
	switch {
	case err != nil, int64(len(r.body)) < sent.ContentLength:
		return errIncomplete
	case len(r.body) > limit:
		return tooLarge(limit)
	}
	return nil
}

func tooLarge(limit int) error {
	return &protocol.RESTError{Status: http.StatusRequestEntityTooLarge,
		Text: fmt.Sprintf("The request body exceeds the allowed maximum (%d bytes), send fewer events at a time", limit)}
}

// errIncomplete does not say why: that would name addresses of the network.
var errIncomplete = badRequest("The request body could not be read to its end, send it again")

// The header values of answers, made once.
var (
	jsonType  = []string{"application/json"}
	plainType = []string{"text/plain; charset=utf-8"}
	empty     = []byte("{}")
)

// A responder is an answer that is not just JSON with status 200: it sends itself.
type responder interface {
	respond(c *gin.Context)
}

// respond sends 200, the only status that the PHP SDK takes for success, and value as
// JSON; a nil value is {}. A responder sends what it will.
func respond(c *gin.Context, value any) {
	if r, ok := value.(responder); ok {
		r.respond(c)
		return
	}
	sendJSON(c, http.StatusOK, value)
}

// sendJSON sends a status and value as JSON; a nil value is {}.
func sendJSON(c *gin.Context, status int, value any) {
	body := empty
	if value != nil {
		var err error
		if body, err = json.Marshal(value, json.Deterministic(true)); err != nil {
			panic(err) // the response types of protocol can be encoded
		}
	}
	c.Writer.Header()["Content-Type"] = jsonType
	c.Writer.WriteHeader(status)
	c.Writer.Write(body) // the client has gone if that fails
}

// fail sends an error as the status and the text that it stands for.
func (h *Handler) fail(c *gin.Context, err error) {
	if e, ok := errors.AsType[*protocol.RESTError](err); ok {
		refuse(c, e.Status, e.Text)
		return
	}
	h.config.Logger.Warn("request not served", "path", c.Request.URL.Path, "error", err)
	if _, ok := errors.AsType[*uncountedError](err); ok {
		refuse(c, http.StatusServiceUnavailable,
			"Delivered, but the channels could not be counted: ask for them alone, do not trigger again")
		return
	}
	text := "Not available now, try again"
	if errors.Is(err, channels.ErrBusy) {
		text = "Too much is asked of the connections of this app at once, ask again later"
	}
	if e, ok := errors.AsType[*channels.UndeliveredError](err); ok {
		text = "Not delivered to " + strings.Join(e.Channels, ", ") + "; trigger there again"
	}
	c.Writer.Header().Set("Retry-After", "1")
	refuse(c, http.StatusServiceUnavailable, text)
}

// refuse sends a status and a text.
func refuse(c *gin.Context, status int, text string) {
	c.Writer.Header()["Content-Type"] = plainType
	c.Writer.WriteHeader(status)
	io.WriteString(c.Writer, text+"\n") // the client has gone if that fails
	c.Abort()
}
