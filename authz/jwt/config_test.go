package jwt_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"hark/authz"
	"hark/authz/jwt"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	hs256 := []string{"HS256"}
	small := must(rsa.GenerateKey(rand.Reader, 1024))
	p224 := must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))
	private := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(rsaKey()))}))
	for _, tt := range []struct {
		name string
		c    jwt.Config
		want string
	}{
		{"nothing", jwt.Config{}, "no algorithm is allowed: name the one your tokens are signed by"},
		{"no algorithm", jwt.Config{Secret: secret}, "no algorithm is allowed"},
		{"none", jwt.Config{Algorithms: []string{"none"}, Secret: secret}, `"none" is no algorithm that is known: use ES256, ES384, ES512, EdDSA, HS256`},
		{"none beside another", jwt.Config{Algorithms: []string{"HS256", "none"}, Secret: secret}, `"none" is no algorithm`},
		{"in lower case", jwt.Config{Algorithms: []string{"hs256"}, Secret: secret}, `"hs256" is no algorithm`},
		{"of another standard", jwt.Config{Algorithms: []string{"ES256K"}, PublicKey: publicPEM(p256())}, `"ES256K" is no algorithm`},
		{"no key", jwt.Config{Algorithms: hs256}, "0 of Secret, PublicKey and JWKS are given"},
		{"two keys", jwt.Config{Algorithms: hs256, Secret: secret, JWKS: "https://issuer.example/jwks"}, "2 of Secret, PublicKey and JWKS are given"},
		{"three keys", jwt.Config{Algorithms: hs256, Secret: secret, PublicKey: "x", JWKS: "x"}, "3 of Secret"},

		{"a short secret", jwt.Config{Algorithms: hs256, Secret: "0123456789012345678901234567890"}, "HS256 needs a Secret of 32 bytes at least, this one has 31"},
		{"a secret for RS256", jwt.Config{Algorithms: []string{"RS256"}, Secret: secret}, "RS256 needs a public RSA key"},
		{"a secret for ES256", jwt.Config{Algorithms: []string{"HS256", "ES256"}, Secret: secret}, "ES256 needs a public key on the curve P-256"},
		{"a secret for EdDSA", jwt.Config{Algorithms: []string{"EdDSA"}, Secret: secret}, "EdDSA needs a public Ed25519 key"},

		{"a public key as a secret", jwt.Config{Algorithms: hs256, PublicKey: publicPEM(rsaKey())}, "HS256 needs a Secret"},
		{"a public key as a secret too", jwt.Config{Algorithms: []string{"RS256", "HS256"}, PublicKey: publicPEM(rsaKey())}, "HS256 needs a Secret"},
		{"an RSA key for ES256", jwt.Config{Algorithms: []string{"ES256"}, PublicKey: publicPEM(rsaKey())}, "ES256 needs a public key on the curve P-256"},
		{"another curve", jwt.Config{Algorithms: []string{"ES256"}, PublicKey: publicPEM(p384())}, "ES256 needs a public key on the curve P-256"},
		{"a curve of no algorithm", jwt.Config{Algorithms: []string{"ES256"}, PublicKey: publicPEM(p224)}, "ES256 needs a public key on the curve P-256"},
		{"a small RSA key", jwt.Config{Algorithms: []string{"RS256"}, PublicKey: publicPEM(small)}, "RS256 needs an RSA key of 2048 bits at least, this one has 1024"},
		{"no PEM", jwt.Config{Algorithms: []string{"RS256"}, PublicKey: "MIIB"}, "the PublicKey is not in PEM"},
		{"a private key", jwt.Config{Algorithms: []string{"RS256"}, PublicKey: private}, "the PublicKey is a private key"},
		{"two blocks", jwt.Config{Algorithms: []string{"RS256"}, PublicKey: publicPEM(rsaKey()) + publicPEM(rsaKey())}, "something behind its first block"},
		{"a request", jwt.Config{Algorithms: []string{"RS256"}, PublicKey: "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"}, "is a CERTIFICATE REQUEST and neither"},
		{"garbage", jwt.Config{Algorithms: []string{"RS256"}, PublicKey: "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"}, "the PublicKey cannot be read"},

		{"HS256 by JWKS", jwt.Config{Algorithms: []string{"RS256", "HS256"}, JWKS: "https://issuer.example/jwks"}, "HS256 needs a Secret: the keys of a JWKS are public"},
		{"no URL", jwt.Config{Algorithms: []string{"RS256"}, JWKS: "/etc/jwks.json"}, `the JWKS "/etc/jwks.json" is no URL like https://`},
		{"no host", jwt.Config{Algorithms: []string{"RS256"}, JWKS: "https:///jwks"}, `is no URL`},
		{"not HTTP", jwt.Config{Algorithms: []string{"RS256"}, JWKS: "ftp://issuer.example/jwks"}, `is no URL`},
		{"no URL at all", jwt.Config{Algorithms: []string{"RS256"}, JWKS: "https://issuer.example/%zz"}, "the JWKS: "},

		{"a negative leeway", jwt.Config{Algorithms: hs256, Secret: secret, Leeway: -1}, "the leeway -1ns is negative"},
		{"a path without slashes", jwt.Config{Algorithms: hs256, Secret: secret, Sources: jwt.Sources{Path: "t"}}, `the path "t" has no slash at both ends`},
		{"a path with one", jwt.Config{Algorithms: hs256, Secret: secret, Sources: jwt.Sources{Path: "/t"}}, `the path "/t" has no slash at both ends`},
	} {
		a, err := jwt.New(tt.c)
		if a != nil || err == nil || !strings.HasPrefix(err.Error(), "jwt: ") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error shows the secret", tt.name)
		}
	}
}

// Every form of PEM that a public key comes in.
func TestPublicKeyForms(t *testing.T) {
	t.Parallel()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "issuer"}, NotAfter: time.Now().Add(time.Hour)}
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	for name, text := range map[string]string{
		"PKIX":        publicPEM(rsaKey()),
		"PKCS 1":      block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(rsaKey().Public().(*rsa.PublicKey))),
		"certificate": block("CERTIFICATE", must(x509.CreateCertificate(rand.Reader, template, template, rsaKey().Public(), rsaKey()))),
		"with space":  "\n# the issuer's\n" + publicPEM(rsaKey()) + "\n\n",
	} {
		a, err := jwt.New(jwt.Config{Algorithms: []string{"RS256"}, PublicKey: text})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		wantUser(t, a, sign(t, "RS256", rsaKey(), "", good()))
	}
}

// What is configured shows no secret, however it is printed.
func TestSecretIsNotPrinted(t *testing.T) {
	t.Parallel()
	c := jwt.Config{Algorithms: []string{"HS256"}, Secret: secret}
	a := newAuthenticator(t, c)
	bytes := strings.Trim(fmt.Sprint([]byte(secret)), "[]")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		for _, v := range []any{c, &c, a, *a} {
			if text := fmt.Sprintf(verb, v); strings.Contains(text, secret) || strings.Contains(text, bytes) || strings.Contains(text, fmt.Sprintf("%x", secret)) {
				t.Errorf("%s of a %T shows the secret: %s", verb, v, text)
			}
		}
	}
	var _ authz.Authenticator = a
}
