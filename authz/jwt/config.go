package jwt

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	gojwt "github.com/golang-jwt/jwt/v5"

	"hark/authz"
)

// A Config says which tokens are believed, where they are and what they mean. Algorithms and one of Secret, PublicKey and
// JWKS are needed, the rest has defaults.
type Config struct {
	// Algorithms are those by which tokens may be signed: HS256, HS384, HS512 with a Secret; RS256 and PS256 and their like,
	// ES256, ES384, ES512, EdDSA with a public key of the kind.
	Algorithms []string
	// Secret is shared with whoever makes the tokens, and used byte by byte as it is written. 32 bytes at least: whoever
	// has a token can try out shorter ones.
	Secret authz.Secret
	// PublicKey is a public key or a certificate in PEM. RSA keys have 2048 bits at least.
	PublicKey string
	// JWKS is the URL of a set of public keys. Run fetches it.
	JWKS string

	// Issuer has to be the token's iss; "": any.
	Issuer string
	// Audience has one of those to whom the token must be addressed (aud); nil: whomever. Set it where the issuer makes
	// tokens for others too, or theirs open doors here.
	Audience []string
	// Leeway is by how much the clocks of the issuer and of this machine may differ; 0: not at all.
	Leeway time.Duration
	// WithoutExpiry lets in tokens that have no exp, and never expire. By default they are refused.
	WithoutExpiry bool

	Sources Sources
	Claims  Claims

	// Client fetches the JWKS; nil: one that follows no redirects.
	Client *http.Client
	// Logger hears of a JWKS that cannot be fetched; nil: nobody does.
	Logger *slog.Logger
}

// An Authenticator says who makes a request by the token that it carries. It may be used concurrently.
type Authenticator struct {
	sources Sources
	claims  Claims
	leeway  time.Duration
	parser  *gojwt.Parser
	keys    keys
}

// New returns an Authenticator, or says what is wrong with the configuration. It fetches nothing and starts nothing: with a
// JWKS, Run has to run.
func New(c Config) (*Authenticator, error) {
	if c.Leeway < 0 {
		return nil, fmt.Errorf("jwt: the leeway %v is negative", c.Leeway)
	}
	if err := c.Sources.check(); err != nil {
		return nil, fmt.Errorf("jwt: %w", err)
	}
	keys, err := c.keys()
	if err != nil {
		return nil, fmt.Errorf("jwt: %w", err)
	}
	options := []gojwt.ParserOption{
		gojwt.WithValidMethods(slices.Clone(c.Algorithms)),
		gojwt.WithLeeway(c.Leeway),
		gojwt.WithStrictDecoding(), // else one token could be written in several ways
	}
	if !c.WithoutExpiry {
		options = append(options, gojwt.WithExpirationRequired())
	}
	if c.Issuer != "" {
		options = append(options, gojwt.WithIssuer(c.Issuer))
	}
	if len(c.Audience) > 0 {
		options = append(options, gojwt.WithAudience(slices.Clone(c.Audience)...))
	}
	return &Authenticator{
		sources: c.Sources,
		claims:  c.Claims.withDefaults(),
		leeway:  c.Leeway,
		parser:  gojwt.NewParser(options...),
		keys:    keys,
	}, nil
}

// keys returns where the keys come from, having checked that every algorithm has some.
func (c Config) keys() (keys, error) {
	if len(c.Algorithms) == 0 {
		return nil, errors.New("no algorithm is allowed: name the one your tokens are signed by, like HS256 or RS256")
	}
	for _, name := range c.Algorithms {
		if algorithms[name] == nil {
			return nil, fmt.Errorf("%q is no algorithm that is known: use %s", name, strings.Join(algorithmNames(), ", "))
		}
	}
	given := 0
	for _, s := range []string{string(c.Secret), c.PublicKey, c.JWKS} {
		if s != "" {
			given++
		}
	}
	if given != 1 {
		return nil, fmt.Errorf("%d of Secret, PublicKey and JWKS are given: tokens are checked with one of them", given)
	}
	switch {
	case c.Secret != "":
		return newFixedKey(c.Algorithms, []byte(c.Secret))
	case c.PublicKey != "":
		key, err := parsePublicKey(c.PublicKey)
		if err != nil {
			return nil, err
		}
		return newFixedKey(c.Algorithms, key)
	}
	u, err := url.Parse(c.JWKS)
	if err != nil {
		return nil, fmt.Errorf("the JWKS: %w", err)
	}
	if u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("the JWKS %q is no URL like https://issuer.example/.well-known/jwks.json", u.Redacted())
	}
	for _, name := range c.Algorithms {
		if strings.HasPrefix(name, "HS") {
			return nil, fmt.Errorf("%s needs a Secret: the keys of a JWKS are public, so anybody could sign by it", name)
		}
	}
	return newKeySet(c, u), nil
}
