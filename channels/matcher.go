package channels

import (
	"fmt"
	"slices"

	"hark/authz"
)

const (
	// maxTerms bounds the entries of a Selector's lists, all together.
	maxTerms = 10_000
	// maxSelectors bounds the Selectors in one, and maxNesting how deep they lie.
	maxSelectors = 100
	maxNesting   = 100
)

// A matcher is a Selector ready to be asked. It never changes.
type matcher struct {
	Selector
	users, roles, sockets names // nil: not asked for
	on                    authz.Pattern
	any                   []matcher
	all                   []matcher
	except                *matcher
}

type names map[string]bool

// terms is about how many things the selector names.
func (s Selector) terms() int {
	n := 1 + len(s.Users) + len(s.Roles) + len(s.Sockets) + len(s.Attrs)
	for _, inner := range s.Any {
		n += inner.terms()
	}
	for _, inner := range s.All {
		n += inner.terms()
	}
	if s.Except != nil {
		n += s.Except.terms()
	}
	return n
}

// compile checks the selector. The error is ErrNoTarget or says what is wrong.
func (s Selector) compile() (*matcher, error) {
	m := new(matcher)
	return m, m.compile(s, new(size))
}

// A size is how much of a selector has been seen.
type size struct{ terms, selectors int }

func (z *size) add(s Selector) error {
	z.selectors++
	z.terms += len(s.Users) + len(s.Roles) + len(s.Sockets) + len(s.Attrs)
	switch {
	case z.selectors > maxSelectors:
		return fmt.Errorf("channels: the selector has more than %d selectors in it, use several calls", maxSelectors)
	case z.terms > maxTerms:
		return fmt.Errorf("channels: the selector names more than %d things, use several calls", maxTerms)
	}
	return nil
}

func (m *matcher) compile(s Selector, z *size) error {
	m.Selector = s
	if err := z.add(s); err != nil {
		return err
	}
	if s.namesNobody() {
		return ErrNoTarget
	}
	for _, list := range []struct {
		what string
		from []string
		to   *names
	}{{"user", s.Users, &m.users}, {"role", s.Roles, &m.roles}, {"socket", s.Sockets, &m.sockets}} {
		if list.from == nil {
			continue
		}
		*list.to = make(names, len(list.from))
		for _, name := range list.from {
			if name == "" {
				return fmt.Errorf("channels: the selector has an empty name of a %s", list.what)
			}
			(*list.to)[name] = true
		}
	}
	if s.On != "" {
		var err error
		if m.on, err = authz.ParsePattern(s.On); err != nil {
			return err
		}
	}
	return m.compileInner(z)
}

// compileInner compiles the selectors in m's.
func (m *matcher) compileInner(z *size) error {
	m.any, m.all = make([]matcher, len(m.Any)), make([]matcher, len(m.All))
	for i := range m.any {
		if err := m.any[i].compile(m.Any[i], z); err != nil {
			return err
		}
	}
	for i := range m.all {
		if err := m.all[i].compile(m.All[i], z); err != nil {
			return err
		}
	}
	if m.Except == nil {
		return nil
	}
	m.except = new(matcher)
	return m.except.compile(*m.Except, z)
}

// namesNobody reports whether s itself says nothing of whom it selects, or has a
// list of nobody.
func (s Selector) namesNobody() bool {
	s.Except = nil // all others than these have to be said
	return s.IsZero() ||
		s.Users != nil && len(s.Users) == 0 ||
		s.Roles != nil && len(s.Roles) == 0 ||
		s.Attrs != nil && len(s.Attrs) == 0 ||
		s.Sockets != nil && len(s.Sockets) == 0 ||
		s.Any != nil && len(s.Any) == 0 ||
		s.All != nil && len(s.All) == 0
}

// matches reports whether the selector selects the socket.
func (m *matcher) matches(s *Socket) bool { return m.matchesAs(s, s.Identity()) }

// matchesAs is matches if the socket speaks for id.
func (m *matcher) matchesAs(s *Socket, id authz.Identity) bool {
	switch {
	case m.SignedIn && id.Guest(),
		m.Guests && !id.Guest(),
		m.users != nil && !m.users[id.ID],
		m.roles != nil && !slices.ContainsFunc(id.Roles, m.roles.has),
		m.Tenant != "" && m.Tenant != id.Tenant,
		m.sockets != nil && !m.sockets[string(s.id)],
		m.On != "" && !s.isOn(m.on),
		m.except != nil && m.except.matchesAs(s, id):
		return false
	}
	for key, value := range m.Attrs {
		if got, ok := id.Attrs[key]; !ok || got != value {
			return false
		}
	}
	for i := range m.all {
		if !m.all[i].matchesAs(s, id) {
			return false
		}
	}
	for i := range m.any {
		if m.any[i].matchesAs(s, id) {
			return true
		}
	}
	return len(m.any) == 0
}

func (n names) has(name string) bool { return n[name] }

// isOn reports whether the socket is on a channel that the pattern matches.
func (s *Socket) isOn(pattern authz.Pattern) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(pattern.Names()) == 0 { // it is a name
		sub := s.subs.find(pattern.String())
		return sub != nil && sub.joined.Load()
	}
	for sub := range s.subs.all {
		if _, ok := pattern.Match(sub.channel.place.Channel); ok && sub.joined.Load() {
			return true
		}
	}
	return false
}
