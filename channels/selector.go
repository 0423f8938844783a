package channels

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A Selector says which connections of an app something is for. It is data, so
// that it can be stored, sent to other nodes, and written as JSON by backends:
//
//	{"everyone":true}
//	{"roles":["admin"],"tenant":"acme","except":{"users":["7"]}}
//
// All that it says must hold of a connection; of a list, one entry. It is asked at
// the moment when something is sent or done, of the connections that are there.
//
// The zero Selector says nothing: it selects nobody, and is ErrNoTarget wherever
// one is needed. Everybody has to be said. In Go an empty field cannot be told
// from one that is left out: where an id may be empty by mistake, write
// Tenant(id).And(Roles("admin")), which is ErrNoTarget then, and no literal. In
// JSON a field that is there and empty, or null, is an error.
type Selector struct {
	Everyone bool              `json:"everyone,omitzero"`
	SignedIn bool              `json:"signed_in,omitzero"` // who is no guest
	Guests   bool              `json:"guests,omitzero"`
	Users    []string          `json:"users,omitzero"` // by their ids
	Roles    []string          `json:"roles,omitzero"`
	Tenant   string            `json:"tenant,omitzero"`
	Attrs    map[string]string `json:"attrs,omitzero"`   // all of these
	Sockets  []string          `json:"sockets,omitzero"` // by their ids
	On       string            `json:"on,omitzero"`      // the pattern of a channel that they are on
	Any      []Selector        `json:"any,omitzero"`     // one of these
	All      []Selector        `json:"all,omitzero"`     // all of these
	Except   *Selector         `json:"except,omitzero"`  // and not these
}

// Everyone selects all connections, guests too.
func Everyone() Selector { return Selector{Everyone: true} }

// SignedIn selects all connections but those of guests.
func SignedIn() Selector { return Selector{SignedIn: true} }

// Guests selects the connections of guests.
func Guests() Selector { return Selector{Guests: true} }

// Users selects the connections of users, by their ids.
func Users(ids ...string) Selector { return Selector{Users: some(ids)} }

// Roles selects the connections of users who have one of the roles.
func Roles(roles ...string) Selector { return Selector{Roles: some(roles)} }

// Tenant selects the connections of a tenant's users.
func Tenant(id string) Selector { return Selector{Tenant: id} }

// Attr selects the connections of users with an attribute of this value.
func Attr(key, value string) Selector { return Selector{Attrs: map[string]string{key: value}} }

// Sockets selects connections by their socket ids.
func Sockets(ids ...string) Selector { return Selector{Sockets: some(ids)} }

// On selects the connections that are on a channel which the pattern matches
// (authz.ParsePattern).
func On(pattern string) Selector { return Selector{On: pattern} }

// some makes a list that names nobody differ from one that is not there.
func some(list []string) []string { return append([]string{}, list...) }

// And selects what both select.
func (s Selector) And(t Selector) Selector { return Selector{All: []Selector{s, t}} }

// Or selects what either selects.
func (s Selector) Or(t Selector) Selector { return Selector{Any: []Selector{s, t}} }

// But selects what s selects and t does not; t has to name somebody, too.
func (s Selector) But(t Selector) Selector { return Selector{All: []Selector{s}, Except: &t} }

// IsZero reports whether s is the zero Selector.
func (s Selector) IsZero() bool {
	return !s.Everyone && !s.SignedIn && !s.Guests && s.Users == nil && s.Roles == nil && s.Tenant == "" &&
		s.Attrs == nil && s.Sockets == nil && s.On == "" && s.Any == nil && s.All == nil && s.Except == nil
}

// Check returns nil if s can be used. Otherwise the error is ErrNoTarget, or says
// what is wrong: a pattern, an empty id, too much of something.
func (s Selector) Check() error {
	_, err := s.compile()
	return err
}

// ErrNoTarget says that a Selector selects nobody, by what it says and not by who
// is there.
var ErrNoTarget = errors.New("channels: the selector names nobody; say everyone if that is meant")

// ParseSelector reads a Selector from JSON and checks it.
func ParseSelector(text []byte) (Selector, error) {
	var s Selector
	if err := json.Unmarshal(text, &s); err != nil {
		if wrong, ok := errors.AsType[*selectorError](err); ok {
			return Selector{}, wrong
		}
		return Selector{}, fmt.Errorf("channels: the selector is not JSON: %w", err)
	}
	return s, s.Check()
}

// A selectorError is JSON that is no Selector.
type selectorError struct{ text string }

func (e *selectorError) Error() string { return "channels: the selector " + e.text }

func wrongSelector(format string, args ...any) error {
	return &selectorError{fmt.Sprintf(format, args...)}
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom. What it does not know is an
// error, and so is null: a misspelled or forgotten condition must not select more
// than was meant.
func (s *Selector) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	*s = Selector{}
	if d.StackDepth() > maxNesting {
		return wrongSelector("is nested more than %d deep", maxNesting)
	}
	if d.PeekKind() != '{' {
		if _, err := d.ReadValue(); err != nil {
			return err
		}
		return wrongSelector(`must be a JSON object, such as {"users":["7"]} or {"everyone":true}`)
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() == '"' {
		if err := s.readMember(d); err != nil {
			return err
		}
	}
	_, err := d.ReadToken() // the }, or what is wrong instead
	return err
}

func (s *Selector) readMember(d *jsontext.Decoder) error {
	token, err := d.ReadToken()
	if err != nil {
		return err
	}
	name := token.String()
	to, form := s.member(name)
	if to == nil {
		return wrongSelector("has %q, which is nothing it can have", name)
	}
	switch d.PeekKind() {
	case 0:
		_, err = d.ReadValue() // no JSON: this says why
		return err
	case 'n':
		return wrongSelector("has a %q that is not %s", name, form)
	}
	err = json.UnmarshalDecode(d, to)
	if wrong, ok := errors.AsType[*selectorError](err); ok {
		return wrong
	}
	if _, ok := errors.AsType[*json.SemanticError](err); ok {
		return wrongSelector("has a %q that is not %s", name, form)
	}
	if text, ok := to.(*string); ok && err == nil && *text == "" {
		return wrongSelector("has an empty %q: leave it out if it does not matter", name)
	}
	return err
}

// member returns where a member of the JSON object belongs, and what it has to be.
func (s *Selector) member(name string) (to any, form string) {
	const flag, list, text = "true or false", "an array of strings", "a string"
	switch name {
	case "everyone":
		return &s.Everyone, flag
	case "signed_in":
		return &s.SignedIn, flag
	case "guests":
		return &s.Guests, flag
	case "users":
		return &s.Users, list
	case "roles":
		return &s.Roles, list
	case "tenant":
		return &s.Tenant, text
	case "attrs":
		return &s.Attrs, "an object of strings"
	case "sockets":
		return &s.Sockets, list
	case "on":
		return &s.On, text
	case "any":
		return &s.Any, "an array of selectors"
	case "all":
		return &s.All, "an array of selectors"
	case "except":
		return &s.Except, "a selector"
	}
	return nil, ""
}
