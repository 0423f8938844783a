package channels

import (
	"errors"
	"fmt"
	"slices"

	"hark/authz"
)

// A Selector says which connections something is for. It is data, so that it can
// be stored, sent to other nodes, and written as JSON by backends:
//
//	{"everyone":true}
//	{"roles":["admin"],"tenant":"acme","except":{"users":["7"]}}
//
// What it names must all hold of a connection; of a list, one. The zero Selector
// selects nobody and is an error wherever one is needed: everybody has to be
// said.
type Selector struct {
	Everyone bool              `json:"everyone,omitzero"`
	SignedIn bool              `json:"signed_in,omitzero"` // who is no guest
	Guests   bool              `json:"guests,omitzero"`
	Users    []string          `json:"users,omitzero"` // by their ids
	Roles    []string          `json:"roles,omitzero"`
	Tenant   string            `json:"tenant,omitzero"`
	Attrs    map[string]string `json:"attrs,omitzero"`
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

// Users selects the connections of users.
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

// But selects what s selects and t does not.
func (s Selector) But(t Selector) Selector { return Selector{All: []Selector{s}, Except: &t} }

// ErrNoTarget says that a Selector selects nobody, by what it says and not by who
// is there.
var ErrNoTarget = errors.New("channels: the selector names nobody; say everyone if that is meant")

// maxTerms bounds a Selector: the Selectors in it, and the entries of their lists.
const maxTerms = 10_000

// A matcher is a Selector ready to be asked.
type matcher struct {
	Selector
	on     authz.Pattern
	any    []matcher
	all    []matcher
	except *matcher
}

// compile checks the selector. The error is ErrNoTarget or says what is wrong.
func (s Selector) compile() (*matcher, error) {
	terms := 0
	m, err := s.compileWithin(&terms)
	if err != nil {
		return nil, err
	}
	return &m, nil
}

func (s Selector) compileWithin(terms *int) (matcher, error) {
	m := matcher{Selector: s}
	*terms += 1 + len(s.Users) + len(s.Roles) + len(s.Sockets) + len(s.Attrs)
	if *terms > maxTerms {
		return m, fmt.Errorf("channels: the selector names more than %d things, use several calls", maxTerms)
	}
	for _, list := range [][]string{s.Users, s.Roles, s.Sockets} {
		if list != nil && len(list) == 0 {
			return m, ErrNoTarget
		}
	}
	if s.Any != nil && len(s.Any) == 0 || s.All != nil && len(s.All) == 0 || s.Attrs != nil && len(s.Attrs) == 0 {
		return m, ErrNoTarget
	}
	if !s.Everyone && !s.SignedIn && !s.Guests && s.Users == nil && s.Roles == nil && s.Tenant == "" &&
		s.Attrs == nil && s.Sockets == nil && s.On == "" && s.Any == nil && s.All == nil {
		return m, ErrNoTarget
	}
	if s.On != "" {
		var err error
		if m.on, err = authz.ParsePattern(s.On); err != nil {
			return m, err
		}
	}
	for _, part := range []struct {
		from []Selector
		to   *[]matcher
	}{{s.Any, &m.any}, {s.All, &m.all}} {
		for _, inner := range part.from {
			compiled, err := inner.compileWithin(terms)
			if err != nil {
				return m, err
			}
			*part.to = append(*part.to, compiled)
		}
	}
	if s.Except != nil {
		compiled, err := s.Except.compileWithin(terms)
		if err != nil {
			return m, err
		}
		m.except = &compiled
	}
	return m, nil
}

// matches reports whether the selector selects the socket.
func (m *matcher) matches(s *Socket) bool {
	id := s.Identity()
	switch {
	case m.SignedIn && id.Guest(),
		m.Guests && !id.Guest(),
		m.Users != nil && (id.Guest() || !slices.Contains(m.Users, id.ID)),
		m.Roles != nil && !slices.ContainsFunc(m.Roles, id.HasRole),
		m.Tenant != "" && m.Tenant != id.Tenant,
		m.Sockets != nil && !slices.Contains(m.Sockets, string(s.id)),
		m.On != "" && !s.isOn(m.on),
		m.except != nil && m.except.matches(s):
		return false
	}
	for key, value := range m.Attrs {
		if got, ok := id.Attrs[key]; !ok || got != value {
			return false
		}
	}
	for i := range m.all {
		if !m.all[i].matches(s) {
			return false
		}
	}
	if m.any == nil {
		return true
	}
	for i := range m.any {
		if m.any[i].matches(s) {
			return true
		}
	}
	return false
}

// isOn reports whether the socket is on a channel that the pattern matches.
func (s *Socket) isOn(pattern authz.Pattern) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for sub := range s.subs.all {
		if _, ok := pattern.Match(sub.channel.place.Channel); ok && sub.joined.Load() {
			return true
		}
	}
	return false
}
