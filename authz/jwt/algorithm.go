package jwt

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	gojwt "github.com/golang-jwt/jwt/v5"
)

// algorithms says of each algorithm which keys are made for it. Those that are not here do not exist, "none" above all.
var algorithms = map[string]func(key any) error{
	"HS256": isSecret, "HS384": isSecret, "HS512": isSecret,
	"RS256": isRSA, "RS384": isRSA, "RS512": isRSA,
	"PS256": isRSA, "PS384": isRSA, "PS512": isRSA,
	"ES256": isOn(elliptic.P256()), "ES384": isOn(elliptic.P384()), "ES512": isOn(elliptic.P521()),
	"EdDSA": isEd25519,
}

func algorithmNames() []string { return slices.Sorted(maps.Keys(algorithms)) }

// fits returns nil if the key is made for the algorithm.
func fits(algorithm string, key any) error {
	made := algorithms[algorithm]
	if made == nil {
		return fmt.Errorf("the algorithm %q is not known", algorithm)
	}
	if err := made(key); err != nil {
		return fmt.Errorf("%s needs %w", algorithm, err)
	}
	return nil
}

const (
	minSecret = 32   // bytes
	minRSA    = 2048 // bits; RFC 7518, 3.3
)

func isSecret(key any) error {
	switch secret, ok := key.([]byte); {
	case !ok:
		return errors.New("a Secret")
	case len(secret) < minSecret:
		return fmt.Errorf("a Secret of %d bytes at least, this one has %d", minSecret, len(secret))
	}
	return nil
}

func isRSA(key any) error {
	switch public, ok := key.(*rsa.PublicKey); {
	case !ok:
		return errors.New("a public RSA key")
	case public.N.BitLen() < minRSA:
		return fmt.Errorf("an RSA key of %d bits at least, this one has %d", minRSA, public.N.BitLen())
	}
	return nil
}

func isOn(curve elliptic.Curve) func(any) error {
	return func(key any) error {
		if public, ok := key.(*ecdsa.PublicKey); !ok || public.Curve != curve {
			return fmt.Errorf("a public key on the curve %s", curve.Params().Name)
		}
		return nil
	}
}

func isEd25519(key any) error {
	if _, ok := key.(ed25519.PublicKey); !ok {
		return errors.New("a public Ed25519 key")
	}
	return nil
}

// parsePublicKey reads one public key in PEM.
func parsePublicKey(text string) (any, error) {
	block, rest := pem.Decode([]byte(text))
	switch {
	case block == nil:
		return nil, errors.New("the PublicKey is not in PEM: it begins with -----BEGIN PUBLIC KEY-----")
	case strings.TrimSpace(string(rest)) != "":
		return nil, errors.New("the PublicKey has something behind its first block: give one key, or a JWKS")
	case strings.Contains(block.Type, "PRIVATE KEY"):
		return nil, errors.New("the PublicKey is a private key: give the public one, nobody else should have the other")
	}
	var key any
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		var c *x509.Certificate
		if c, err = x509.ParseCertificate(block.Bytes); err == nil {
			key = c.PublicKey
		}
	default:
		return nil, fmt.Errorf("the PublicKey is a %s and neither a PUBLIC KEY nor a CERTIFICATE", block.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("the PublicKey cannot be read: %w", err)
	}
	return key, nil
}

// keys are what tokens are verified with.
type keys interface {
	// find returns the key of a token whose algorithm is one of the configuration's, or several to try
	// (gojwt.VerificationKeySet). An error that is not authz.ErrUnavailable means that the token is wrong.
	find(ctx context.Context, t *gojwt.Token) (any, error)
	// run returns when ctx ends.
	run(ctx context.Context) error
}

// A fixedKey is the same for every token. Only the function knows it: there nothing can print a secret.
type fixedKey func() any

// newFixedKey checks that the key is made for each of the algorithms.
func newFixedKey(allowed []string, key any) (keys, error) {
	for _, name := range allowed {
		if err := fits(name, key); err != nil {
			return nil, err
		}
	}
	return fixedKey(func() any { return key }), nil
}

func (k fixedKey) find(context.Context, *gojwt.Token) (any, error) { return k(), nil }

func (k fixedKey) run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}
