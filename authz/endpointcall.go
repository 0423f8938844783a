package authz

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"hark/protocol"
)

// maxCall bounds the body of a call, in bytes: 100 names of 164 characters, of which each may be escaped as %HH.
const maxCall = 64 << 10

// The content types that are read.
const (
	formType = "application/x-www-form-urlencoded"
	jsonType = "application/json"
)

// A call is what came to an endpoint.
type call struct {
	http   *http.Request
	body   []byte
	form   url.Values // what the body says; of JSON only socket_id and channel_name
	isForm bool
}

// readCall reads a body, of which it knows no more than that it is a form or JSON.
func readCall(w http.ResponseWriter, r *http.Request) (call, *protocol.RESTError) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCall))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return call{}, &protocol.RESTError{Status: http.StatusRequestEntityTooLarge,
			Text: fmt.Sprintf("The body may have %d bytes: ask about fewer channels at a time", maxCall)}
	}
	if err != nil {
		return call{}, malformed("The body could not be read to its end, send it again")
	}
	c := call{http: r, body: body}
	var refused *protocol.RESTError
	switch kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind {
	case formType:
		c.isForm = true
		c.form, refused = readForm(string(body))
	case jsonType:
		c.form, refused = readJSON(body)
	default:
		refused = malformed("The Content-Type must be %s or %s", formType, jsonType)
	}
	return c, refused
}

// readForm reads a form. Unlike net/url it takes a semicolon for the ordinary character that it is in channels' names.
func readForm(body string) (url.Values, *protocol.RESTError) {
	form := make(url.Values)
	for field := range strings.SplitSeq(body, "&") {
		if field == "" {
			continue
		}
		name, value, _ := strings.Cut(field, "=")
		name, err := url.QueryUnescape(name)
		if err == nil {
			value, err = url.QueryUnescape(value)
		}
		if err != nil || !utf8.ValidString(name) || !utf8.ValidString(value) {
			return nil, malformed("The form is malformed: send UTF-8 text, with other characters than letters and digits escaped as %%HH")
		}
		form.Add(name, value)
	}
	return form, nil
}

// readJSON reads the fields of a JSON object that an endpoint knows. One that is null is not there.
func readJSON(body []byte) (url.Values, *protocol.RESTError) {
	var fields struct {
		Socket  any `json:"socket_id"`
		Channel any `json:"channel_name"`
	}
	if err := json.Unmarshal(body, &fields); err != nil || jsontext.Value(body).Kind() != '{' {
		return nil, malformed("The body must be a JSON object with socket_id and channel_name")
	}
	form := make(url.Values)
	for name, value := range map[string]any{"socket_id": fields.Socket, "channel_name": fields.Channel} {
		switch value := value.(type) {
		case nil:
		case string:
			form.Set(name, value)
		default:
			return nil, malformed("%s must be a string", name)
		}
	}
	return form, nil
}

func malformed(format string, args ...any) *protocol.RESTError {
	return &protocol.RESTError{Status: http.StatusBadRequest, Text: fmt.Sprintf(format, args...)}
}

// one returns a field that has to be there once.
func (c call) one(name string) (string, *protocol.RESTError) {
	switch values := c.form[name]; {
	case len(values) > 1:
		return "", malformed("%s is there more than once", name)
	case len(values) == 0 || values[0] == "":
		return "", malformed("%s is missing", name)
	default:
		return values[0], nil
	}
}

// socket returns which socket it is about.
func (c call) socket() (protocol.SocketID, *protocol.RESTError) {
	text, refused := c.one("socket_id")
	if refused != nil {
		return "", refused
	}
	id, err := protocol.ParseSocketID(text)
	if err != nil {
		return "", malformed("%v", err)
	}
	return id, nil
}

// channels returns which channels it is about, each once and no more than max, and whether it was asked as one asks about
// many.
func (c call) channels(max int) (names []string, many bool, refused *protocol.RESTError) {
	for field, values := range c.form {
		if index, ok := strings.CutPrefix(field, "channel_name["); ok && strings.TrimLeft(index, "0123456789") == "]" {
			names = append(names, values...)
		}
	}
	switch {
	case len(names) == 0:
		name, refused := c.one("channel_name")
		return []string{name}, false, refused
	case c.form.Has("channel_name"):
		return nil, false, malformed("Send either channel_name or channel_name[0] and so on")
	case len(names) > max:
		return nil, false, malformed("These are %d channels: ask about %d at a time", len(names), max)
	}
	slices.Sort(names)
	return slices.Compact(names), true, nil
}

// forAuthenticator returns the request for an Authenticator, to do with as it likes: it can read the body once more.
func (c call) forAuthenticator(ctx context.Context) *http.Request {
	r := c.http.Clone(ctx)
	r.Body = io.NopCloser(bytes.NewReader(c.body))
	c.fillForms(r)
	return r
}

// forPolicies returns the request for policies, several of which look at it at the same time: it has no body, so that
// ParseForm and FormValue change nothing.
func (c call) forPolicies(ctx context.Context) *http.Request {
	r := c.http.WithContext(ctx)
	r.Body = http.NoBody
	c.fillForms(r)
	return r
}

// fillForms sets what ParseForm would set.
func (c call) fillForms(r *http.Request) {
	r.Form, r.PostForm = r.URL.Query(), make(url.Values)
	if !c.isForm {
		return
	}
	for name, values := range c.form {
		r.PostForm[name] = slices.Clone(values)
		r.Form[name] = slices.Concat(values, r.Form[name])
	}
}
