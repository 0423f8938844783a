package jwt_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	gojwt "github.com/golang-jwt/jwt/v5"

	"hark/authz"
	"hark/authz/jwt"
)

const secret = "a-secret-of-thirty-two-bytes-or-more"

// claims are those of a token.
type claims map[string]any

// good are claims that are let in for an hour.
func good() claims { return claims{"sub": "7", "exp": time.Now().Add(time.Hour).Unix()} }

// with returns the claims with one more, or without it if the value is nil.
func (c claims) with(name string, value any) claims {
	if value == nil {
		delete(c, name)
	} else {
		c[name] = value
	}
	return c
}

// sign makes a token: any claims, any algorithm, any key, and a kid unless it is "".
func sign(tb testing.TB, algorithm string, key any, kid string, c claims) string {
	tb.Helper()
	t := gojwt.NewWithClaims(gojwt.GetSigningMethod(algorithm), gojwt.MapClaims(c))
	if kid != "" {
		t.Header["kid"] = kid
	}
	text, err := t.SignedString(key)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// hs signs by the secret.
func hs(tb testing.TB, c claims) string { return sign(tb, "HS256", []byte(secret), "", c) }

// A private key of each kind, generated once.
var (
	rsaKey  = sync.OnceValue(func() crypto.Signer { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	rsaKey2 = sync.OnceValue(func() crypto.Signer { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	p256    = sync.OnceValue(func() crypto.Signer { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	p384    = sync.OnceValue(func() crypto.Signer { return must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)) })
	p521    = sync.OnceValue(func() crypto.Signer { return must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)) })
	edKey   = sync.OnceValue(newEd25519)
	edKey2  = sync.OnceValue(newEd25519)
)

func newEd25519() crypto.Signer {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return must(key, err)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// publicPEM is the public half of a key.
func publicPEM(key crypto.Signer) string {
	der := must(x509.MarshalPKIXPublicKey(key.Public()))
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// A jwk is one key of a JWKS, written without the library that reads it.
type jwk map[string]any

func publicJWK(kid string, key crypto.Signer) jwk {
	k := jwk{"kid": kid}
	encode := base64.RawURLEncoding.EncodeToString
	switch public := key.Public().(type) {
	case *rsa.PublicKey:
		k["kty"], k["n"], k["e"] = "RSA", encode(public.N.Bytes()), encode(big.NewInt(int64(public.E)).Bytes())
	case *ecdsa.PublicKey:
		size := (public.Curve.Params().BitSize + 7) / 8
		k["kty"], k["crv"] = "EC", public.Curve.Params().Name
		k["x"], k["y"] = encode(public.X.FillBytes(make([]byte, size))), encode(public.Y.FillBytes(make([]byte, size)))
	case ed25519.PublicKey:
		k["kty"], k["crv"], k["x"] = "OKP", "Ed25519", encode(public)
	}
	return k
}

// with returns the key with one more member.
func (k jwk) with(name string, value any) jwk {
	k[name] = value
	return k
}

func jwks(keys ...jwk) string {
	if keys == nil {
		keys = []jwk{}
	}
	return string(must(json.Marshal(map[string]any{"keys": keys})))
}

func newAuthenticator(tb testing.TB, c jwt.Config) *jwt.Authenticator {
	tb.Helper()
	if c.Algorithms == nil {
		c.Algorithms = []string{"HS256"}
	}
	if c.Secret == "" && c.PublicKey == "" && c.JWKS == "" {
		c.Secret = secret
	}
	a, err := jwt.New(c)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

// bearing is a request with the token in its Authorization header.
func bearing(token string) *http.Request {
	r := httptest.NewRequest("POST", "/pusher/auth", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

// ask returns who brings the token. An error never comes with an identity.
func ask(tb testing.TB, a *jwt.Authenticator, token string) (authz.Identity, error) {
	tb.Helper()
	return authenticate(tb, a, bearing(token))
}

func authenticate(tb testing.TB, a *jwt.Authenticator, r *http.Request) (authz.Identity, error) {
	tb.Helper()
	id, err := a.Authenticate(tb.Context(), r)
	if err != nil {
		if !isZero(id) {
			tb.Errorf("an identity beside an error: %+v, %v", id, err)
		}
		if errors.Is(err, authz.ErrUnauthenticated) == errors.Is(err, authz.ErrUnavailable) {
			tb.Errorf("%v is not one of ErrUnauthenticated and ErrUnavailable", err)
		}
	}
	return id, err
}

func isZero(id authz.Identity) bool {
	return id.ID == "" && id.Tenant == "" && id.Info == nil && id.Roles == nil && id.Attrs == nil && id.ExpiresAt.IsZero()
}

// wantUser fails unless the token is let in as user 7.
func wantUser(tb testing.TB, a *jwt.Authenticator, token string) {
	tb.Helper()
	if id, err := ask(tb, a, token); err != nil || id.ID != "7" {
		tb.Errorf("%+v, %v, want user 7", id, err)
	}
}

func wantError(tb testing.TB, a *jwt.Authenticator, token string, want error) error {
	tb.Helper()
	id, err := ask(tb, a, token)
	if !errors.Is(err, want) {
		tb.Errorf("%+v, %v, want %v", id, err, want)
	}
	return err
}

// raw makes a token of any header and claims, signed by the secret or not at all.
func raw(header, body string, signed bool) string {
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(header)) + "." + encode([]byte(body)) + "."
	if !signed {
		return text
	}
	signature, err := gojwt.SigningMethodHS256.Sign(text[:len(text)-1], []byte(secret))
	return text + encode(must(signature, err))
}

func object(text string) jsontext.Value { return jsontext.Value(text) }
