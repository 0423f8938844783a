package config_test

import (
	"io/fs"
	"strings"
	"testing"

	"hark/cmd/hark/internal/config"
)

const jwtSecret = "0123456789abcdef0123456789abcdef"

func TestJWTProblems(t *testing.T) {
	for _, tt := range []struct {
		name, jwt string
		want      []string
	}{
		{"no key", "{algorithms: [HS256]}", []string{"hark.yaml:4:10: apps[0].jwt needs one of secret, public_key and jwks_url, and has 0"}},
		{
			"two keys", "{algorithms: [HS256], secret: s, jwks_url: https://a}",
			[]string{"hark.yaml:4:10: apps[0].jwt needs one of secret, public_key and jwks_url, and has 2"},
		},
		{"an empty key", "{algorithms: [HS256], secret: ''}", []string{"hark.yaml:4:40: apps[0].jwt.secret is empty; write something"}},
		{
			"a short secret", "{algorithms: [HS256], secret: TELL}",
			[]string{"hark.yaml:4:40: apps[0].jwt.secret cannot be used: HS256 needs a Secret of 32 bytes at least, this one has 4"},
		},
		{"no algorithm", "{secret: " + jwtSecret + "}", []string{"hark.yaml:4:10: apps[0].jwt.algorithms is missing: give at least one"}},
		{
			"algorithms", "{algorithms: [none, RS256], secret: s}",
			[]string{
				"hark.yaml:4:24: apps[0].jwt.algorithms[0] must be one of HS256, HS384, ",
				"hark.yaml:4:30: apps[0].jwt.algorithms[1] does not go with the key: HS with secret",
			},
		},
		{
			"a secret as a public key", "{algorithms: [EdDSA], public_key: TELL}",
			[]string{"hark.yaml:4:44: apps[0].jwt.public_key cannot be used: the PublicKey is not in PEM: "},
		},
		{
			"a public key as a secret", "{algorithms: [HS256], public_key: 'file:///run/secrets/key.pem'}",
			[]string{"hark.yaml:4:24: apps[0].jwt.algorithms[0] does not go with the key"},
		},
		{
			"a key of another kind", "{algorithms: [EdDSA, ES256], public_key: 'file:///run/secrets/key.pem'}",
			[]string{"hark.yaml:4:51: apps[0].jwt.public_key cannot be used: ES256 needs a public key on the curve P-256"},
		},
		{
			"key that is not there", "{algorithms: [RS256], public_key: 'file:///nope'}",
			[]string{"hark.yaml:4:44: the file cannot be read: open /nope: " + fs.ErrNotExist.Error()},
		},
		{"no JWKS URL", "{algorithms: [RS256], jwks_url: x}", []string{"hark.yaml:4:42: apps[0].jwt.jwks_url must be an address like"}},
		{
			"what a token says", "{algorithms: [HS256], secret: " + jwtSecret + ", issuer: '', audience: [a, ''], leeway: -1s}",
			[]string{
				"hark.yaml:4:113: apps[0].jwt.leeway must be at least 0, not -1s",
				"hark.yaml:4:82: apps[0].jwt.issuer is empty",
				"hark.yaml:4:96: apps[0].jwt.audience is empty",
			},
		},
		{
			"no audience", "\n      algorithms: [HS256]\n      secret: " + jwtSecret + "\n      audience:\n",
			[]string{"hark.yaml:7:16: apps[0].jwt.audience is empty"},
		},
		{"one audience", "{algorithms: [HS256], secret: " + jwtSecret + ", audience: a}", []string{"hark.yaml:4:84: want a list, not a single value"}},
		{
			"where a token is", "{algorithms: [HS256], secret: " + jwtSecret + ", cookie: a b, path: t, query: ''}",
			[]string{
				"hark.yaml:4:103: apps[0].jwt.query is empty",
				`hark.yaml:4:82: apps[0].jwt.cookie must be a cookie's name like session, not "a b"`,
				`hark.yaml:4:93: apps[0].jwt.path must have a slash at both ends, as in /t/, not "t"`,
			},
		},
		{
			"no such claim", "{algorithms: [HS256], secret: " + jwtSecret + ", claims: {user: uid}}",
			[]string{`hark.yaml:4:83: unknown key "user" (known here: id, tenant, roles, info, attrs)`},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := config.Load(givenAccess("apps:\n  - id: 1\n    keys: [{key: k, secret: s}]\n    jwt: " + tt.jwt + "\n"))
			checkProblems(t, err, tt.want)
			if err != nil && strings.Contains(err.Error(), "TELL") {
				t.Errorf("tells a secret: %v", err)
			}
		})
	}
}
