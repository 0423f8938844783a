package jwt

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	gojwt "github.com/golang-jwt/jwt/v5"

	"hark/authz"
)

// maxToken is how many bytes of a token are looked at. One with many roles has 2 000.
const maxToken = 16 << 10

// Run keeps the keys of a JWKS fresh until ctx ends, and returns nil then. It is called once. With a Secret or a PublicKey
// there is nothing to do, and it only waits.
func (a *Authenticator) Run(ctx context.Context) error { return a.keys.run(ctx) }

// Authenticate returns who r speaks for, by its token: the zero Identity if it has none. The error is an
// [authz.ErrUnauthenticated] or, if the keys have not been fetched, an [authz.ErrUnavailable]; its text is for the log.
func (a *Authenticator) Authenticate(ctx context.Context, r *http.Request) (authz.Identity, error) {
	token := a.sources.token(r)
	if token == "" {
		return authz.Identity{}, nil
	}
	id, err := a.identify(ctx, token)
	switch {
	case err == nil:
		return id, nil
	case errors.Is(err, authz.ErrUnavailable):
		return authz.Identity{}, err
	}
	return authz.Identity{}, fmt.Errorf("%w: %w", authz.ErrUnauthenticated, err)
}

// identify verifies a token and reads its claims.
func (a *Authenticator) identify(ctx context.Context, token string) (authz.Identity, error) {
	switch {
	case len(token) > maxToken:
		return authz.Identity{}, fmt.Errorf("the token has %d bytes, more than %d", len(token), maxToken)
	case strings.ContainsAny(token, "\r\n"):
		return authz.Identity{}, errors.New("the token has line breaks") // which the decoder of base64 would skip
	}
	var c claims
	_, err := a.parser.ParseWithClaims(token, &c, func(t *gojwt.Token) (any, error) {
		if _, ok := t.Header["crit"]; ok { // RFC 7515, 4.1.11: refuse what is not understood
			return nil, errors.New("the token has extensions (crit), of which none is known")
		}
		return a.keys.find(ctx, t)
	})
	if err != nil {
		return authz.Identity{}, err
	}
	return c.identity(a.claims, a.leeway)
}
