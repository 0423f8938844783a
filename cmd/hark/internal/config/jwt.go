package config

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"hark/authz"
	"hark/authz/jwt"
)

// A JWT says how to read who somebody is from a signed token.
type JWT struct {
	// Algorithms are those by which a token may be signed. They go with the key: HS with Secret, the others with PublicKey
	// and JWKSURL.
	Algorithms []string `yaml:"algorithms" validate:"min=1,dive,oneof=HS256 HS384 HS512 RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA"`
	// Secret, PublicKey and JWKSURL say by what a signature is verified. There is one of them; a secret has 32 bytes at
	// least.
	Secret    authz.Secret `yaml:"secret"`
	PublicKey PEM          `yaml:"public_key"`
	JWKSURL   string       `yaml:"jwks_url"`
	// Issuer is what a token must say in iss; default anything.
	Issuer string `yaml:"issuer"`
	// Audience has one of those that a token must name in aud; default anybody.
	Audience []string `yaml:"audience"`
	// Leeway is by how much the clocks of the issuer and of this machine may differ; default 0s.
	Leeway time.Duration `yaml:"leeway" validate:"min=0"`
	// WithoutExpiry takes tokens that have no exp, and never expire; default false.
	WithoutExpiry bool `yaml:"without_expiry"`

	// Cookie, Path and Query are where a token may be beside "Authorization: Bearer TOKEN": in the cookie of this name, behind
	// this in the path of a websocket, as /t/ in /t/TOKEN/app/KEY, or in the parameter of this name. Default in none of them.
	// A cookie comes along with the pages of others, so only pages of the server's own host, and those of AllowedOrigins, may
	// connect then.
	Cookie string `yaml:"cookie"`
	Path   string `yaml:"path"`
	Query  string `yaml:"query"`
	// Claims has a key for each field of jwt.Claims, in snake case: the names of the claims that say who it is.
	Claims jwt.Claims `yaml:"claims"`
}

// PEM is a public key, or certificates, as text. It may be given as file:///path.
type PEM string

// Config returns what an Authenticator is made with.
func (j JWT) Config() jwt.Config {
	return jwt.Config{
		Algorithms:    j.Algorithms,
		Secret:        j.Secret,
		PublicKey:     string(j.PublicKey),
		JWKS:          j.JWKSURL,
		Issuer:        j.Issuer,
		Audience:      j.Audience,
		Leeway:        j.Leeway,
		WithoutExpiry: j.WithoutExpiry,
		Sources:       jwt.Sources{Cookie: j.Cookie, Path: j.Path, Query: j.Query},
		Claims:        j.Claims,
	}
}

// cookiePattern is the form of a cookie's name.
var cookiePattern = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

func (l *loader) checkJWT(j JWT, path string) {
	l.checkTokens(j, path)
	var given []string // the keys of the file that have something to verify with
	for _, key := range []struct{ name, text string }{
		{"secret", string(j.Secret)}, {"public_key", string(j.PublicKey)}, {"jwks_url", j.JWKSURL},
	} {
		l.empty(path+"."+key.name, key.text)
		if key.text != "" {
			given = append(given, key.name)
		}
	}
	if len(given) != 1 {
		if !l.spoiled(path) {
			l.wrong(path, "needs one of secret, public_key and jwks_url, and has %d", len(given))
		}
		return
	}
	for i, algorithm := range j.Algorithms {
		if j.Secret != "" != strings.HasPrefix(algorithm, "HS") {
			l.wrong(element(path+".algorithms", i), "does not go with the key: HS with secret, the others with public_key and jwks_url")
		}
	}
	if j.JWKSURL != "" {
		l.checkURL(path+".jwks_url", j.JWKSURL)
	}
	if len(j.Algorithms) == 0 || l.spoiled(path) {
		return // that has been said
	}
	if _, err := jwt.New(j.Config()); err != nil {
		l.wrong(path+"."+given[0], "cannot be used: %s", strings.TrimPrefix(err.Error(), "jwt: "))
	}
}

// checkTokens looks at which tokens are taken, and where they are looked for.
func (l *loader) checkTokens(j JWT, path string) {
	l.empty(path+".issuer", j.Issuer)
	if j.Audience != nil && len(j.Audience) == 0 || slices.Contains(j.Audience, "") {
		l.wrong(path+".audience", "is empty; write something or remove the line")
	}
	l.empty(path+".cookie", j.Cookie)
	l.empty(path+".path", j.Path)
	l.empty(path+".query", j.Query)
	if j.Cookie != "" && !cookiePattern.MatchString(j.Cookie) {
		l.wrong(path+".cookie", "must be a cookie's name like session, not %q", j.Cookie)
	}
	if j.Path != "" && (j.Path[0] != '/' || !strings.HasSuffix(j.Path, "/")) {
		l.wrong(path+".path", "must have a slash at both ends, as in /t/, not %q", j.Path)
	}
}
