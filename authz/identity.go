package authz

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"hark/protocol"
)

// An Identity is who a connection, or one HTTP request, speaks for. The zero Identity is a guest. It is a plain value:
// nobody modifies what its slices and its map hold.
//
// Its JSON is what applications answer callbacks with, each part optional:
//
//	{"id":"7","tenant":"acme","info":{"name":"Ada"},"roles":["editor"],"attrs":{"plan":"pro"},"expires_at":1790000000}
type Identity struct {
	// ID is the application's user id, unique within the app. Members of presence channels have it, and events to a
	// user name it. "": a guest.
	ID string
	// Tenant is for policies and selectors, where one app serves several tenants. The ID alone says who it is, so such
	// an app qualifies its ids.
	Tenant string
	// Info is public: the other members of a presence channel see it. The text of a JSON object; nil is {}.
	Info jsontext.Value
	// Roles and Attrs are private: policies and selectors read them, no client is ever sent them.
	Roles []string
	Attrs map[string]string
	// ExpiresAt ends the identity; zero: it does not expire. Whole seconds since 1970 in JSON.
	ExpiresAt time.Time
}

// Guest reports whether nobody is signed in.
func (id Identity) Guest() bool { return id.ID == "" }

// HasRole reports whether role is among the roles.
func (id Identity) HasRole(role string) bool { return slices.Contains(id.Roles, role) }

// Expired reports whether the identity has ended by now.
func (id Identity) Expired(now time.Time) bool {
	return !id.ExpiresAt.IsZero() && !now.Before(id.ExpiresAt)
}

// Member returns the identity as a member of a presence channel.
func (id Identity) Member() protocol.Member {
	return protocol.Member{UserID: id.ID, UserInfo: id.Info}
}

// An Authenticator says who makes a request: the upgrade to a websocket, or a call of the auth endpoint. It reads what
// the application uses: a cookie, an Authorization header, a token in the path.
//
// It returns the zero Identity and nil for a guest. An error that is not ErrUnauthenticated or ErrDenied means that it
// could not tell, and so do a panic and the end of ctx. It may be called concurrently and does not keep r.
type Authenticator interface {
	Authenticate(ctx context.Context, r *http.Request) (Identity, error)
}

// An AuthenticatorFunc is a function that is an [Authenticator].
type AuthenticatorFunc func(ctx context.Context, r *http.Request) (Identity, error)

// Authenticate calls f.
func (f AuthenticatorFunc) Authenticate(ctx context.Context, r *http.Request) (Identity, error) {
	return f(ctx, r)
}

// RequireUser returns an Authenticator that asks a, and lets no guest in.
func RequireUser(a Authenticator) Authenticator {
	return AuthenticatorFunc(func(ctx context.Context, r *http.Request) (Identity, error) {
		id, err := a.Authenticate(ctx, r)
		switch {
		case err != nil:
			return Identity{}, err
		case id.Guest():
			return Identity{}, fmt.Errorf("%w: nobody is signed in", ErrUnauthenticated)
		}
		return id, nil
	})
}
