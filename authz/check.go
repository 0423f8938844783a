package authz

import (
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"hark/protocol"
)

// CheckIdentity refuses an identity that no server would take for a user's, and one that has expired. An id is checked as
// that of a user, not only as that of a member, because events to it go by a channel that has it in its name. An
// application that says such a thing was not understood, which is ErrUnavailable; expired is ErrUnauthenticated. Limits
// have their defaults filled in.
func CheckIdentity(id Identity, l protocol.Limits) error {
	n := utf8.RuneCountInString(id.ID)
	switch {
	case id.Guest():
		return nil
	case id.Expired(time.Now()):
		return fmt.Errorf("%w: expired at %v", ErrUnauthenticated, id.ExpiresAt)
	case !protocol.CheckUserID(id.ID):
		return fmt.Errorf("%w: the application says that it is user %q: use only letters, digits and the characters _ - = @ , . ;",
			ErrUnavailable, id.ID)
	case n > l.UserID:
		return fmt.Errorf("%w: the application's id of a user has %d characters and may have %d", ErrUnavailable, n, l.UserID)
	case id.Info != nil && (!id.Info.IsValid() || id.Info.Kind() != '{'):
		return fmt.Errorf("%w: the application's info of user %s is not a JSON object", ErrUnavailable, id.ID)
	case len(id.Info) > l.UserInfo:
		return fmt.Errorf("%w: the application's info of user %s has %d bytes and may have %d", ErrUnavailable, id.ID, len(id.Info), l.UserInfo)
	}
	return nil
}

// CheckOrigin refuses what is not the very text that a browser would send in an Origin.
func CheckOrigin(origin string) error {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || origin != u.Scheme+"://"+u.Host || strings.ContainsFunc(origin, notInOrigins) ||
		u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80" {
		return fmt.Errorf("authz: the origin %q must be as browsers send it, like https://app.example or "+
			"http://localhost:8080: lower-case ASCII, without a path, a default port or wildcards", origin)
	}
	return nil
}

// notInOrigins reports whether no browser sends r in an origin.
func notInOrigins(r rune) bool { return r == '*' || 'A' <= r && r <= 'Z' || r > unicode.MaxASCII }
