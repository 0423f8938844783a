package authz

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// conclude makes one decision of what the policies said. It looks at all of them before it says anything, so their order
// makes no difference.
func conclude(r Request, answers []Answer) (Grant, error) {
	var unasked, unauthenticated, denied error
	var allowed []Answer
	for _, a := range answers {
		switch {
		case a.Err != nil && !isNo(a.Err):
			unasked = fmt.Errorf("policy %s: %w", a.Pattern, unavailable(a.Err))
		case errors.Is(a.Err, ErrUnauthenticated):
			unauthenticated = fmt.Errorf("policy %s: %w", a.Pattern, a.Err)
		case a.Err != nil:
			denied = fmt.Errorf("policy %s: %w", a.Pattern, a.Err)
		case a.Decision.Denied():
			denied = fmt.Errorf("%w: policy %s: %s", ErrDenied, a.Pattern, a.Decision.reason)
		case a.Decision.Allowed():
			allowed = append(allowed, a)
		}
	}
	grant, err := join(r, allowed)
	switch {
	case unasked != nil:
		return Grant{}, unasked
	case err != nil:
		return Grant{}, err
	case unauthenticated != nil:
		return Grant{}, unauthenticated
	case denied != nil:
		return Grant{}, denied
	case len(answers) == 0:
		return Grant{}, fmt.Errorf("%w: no policy is for %s", ErrDenied, r.Channel)
	case len(allowed) == 0:
		return Grant{}, fmt.Errorf("%w: no policy allows it", ErrDenied)
	}
	return grant, nil
}

// join makes one Grant of all answers that allow. Which of two infos would be the right one, nobody can tell.
func join(r Request, allowed []Answer) (Grant, error) {
	g := Grant{Identity: r.Identity, Info: r.Identity.Info}
	by := "" // whose info it is
	for _, a := range allowed {
		if info := a.Decision.info; info != "" {
			if by != "" && info != string(g.Info) {
				return Grant{}, fmt.Errorf("%w: the policies %s and %s each give another info", ErrUnavailable, by, a.Pattern)
			}
			g.Info, by = jsontext.Value(info), a.Pattern
		}
		g.TTL = shorter(g.TTL, a.Decision.ttl)
	}
	return g, nil
}

// isNo reports whether an error is an answer.
func isNo(err error) bool {
	return !errors.Is(err, ErrUnavailable) && (errors.Is(err, ErrDenied) || errors.Is(err, ErrUnauthenticated))
}

// unavailable returns err as an ErrUnavailable.
func unavailable(err error) error {
	if errors.Is(err, ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// shorter returns the shorter of two times to live, of which 0 is none.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
