package jwt_test

import (
	"crypto"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hark/authz"
	"hark/authz/jwt"
)

// How each algorithm signs.
var signers = []struct {
	algorithm string
	key       func() crypto.Signer // nil: the secret
}{
	{"HS256", nil}, {"HS384", nil}, {"HS512", nil},
	{"RS256", rsaKey}, {"RS384", rsaKey}, {"RS512", rsaKey},
	{"PS256", rsaKey}, {"PS384", rsaKey}, {"PS512", rsaKey},
	{"ES256", p256}, {"ES384", p384}, {"ES512", p521},
	{"EdDSA", edKey},
}

// signed returns a token and the configuration by which it is let in.
func signed(t *testing.T, algorithm string, key func() crypto.Signer) (string, jwt.Config) {
	t.Helper()
	if key == nil {
		return sign(t, algorithm, []byte(secret), "", good()), jwt.Config{Algorithms: []string{algorithm}, Secret: secret}
	}
	return sign(t, algorithm, key(), "", good()), jwt.Config{Algorithms: []string{algorithm}, PublicKey: publicPEM(key())}
}

func TestAlgorithms(t *testing.T) {
	t.Parallel()
	tokens := map[string]string{}
	for _, s := range signers {
		tokens[s.algorithm], _ = signed(t, s.algorithm, s.key)
	}
	for _, s := range signers {
		t.Run(s.algorithm, func(t *testing.T) {
			t.Parallel()
			_, c := signed(t, s.algorithm, s.key)
			a := newAuthenticator(t, c)
			for algorithm, token := range tokens {
				if algorithm == s.algorithm {
					wantUser(t, a, token)
				} else if err := wantError(t, a, token, authz.ErrUnauthenticated); !strings.Contains(fmt.Sprint(err), "signing method "+algorithm+" is invalid") {
					t.Errorf("a token by %s: %v", algorithm, err)
				}
			}
			token := tokens[s.algorithm]
			head, signature := token[:strings.LastIndexByte(token, '.')+1], token[strings.LastIndexByte(token, '.')+1:]
			for name, wrong := range map[string]string{
				"no signature":            head,
				"a shorter one":           head + signature[:len(signature)-4],
				"a longer one":            head + signature + "AAAA",
				"another":                 head + strings.Repeat("A", len(signature)),
				"changed claims":          token[:strings.IndexByte(token, '.')+2] + "A" + token[strings.IndexByte(token, '.')+3:],
				"the signature of others": head + tokens["HS256"][strings.LastIndexByte(tokens["HS256"], '.')+1:] + "A",
			} {
				if _, err := ask(t, a, wrong); err == nil {
					t.Errorf("%s: let in", name)
				}
			}
		})
	}
}

// Whoever may choose the algorithm may choose what the key means. Nobody may.
func TestAlgorithmConfusion(t *testing.T) {
	t.Parallel()
	public := publicPEM(rsaKey())
	rs := newAuthenticator(t, jwt.Config{Algorithms: []string{"RS256"}, PublicKey: public})
	for _, text := range []string{public, strings.TrimSpace(public), strings.ReplaceAll(public, "\n", "")} {
		for _, algorithm := range []string{"HS256", "HS384", "HS512"} {
			wantError(t, rs, sign(t, algorithm, []byte(text), "", good()), authz.ErrUnauthenticated)
		}
	}
	wantError(t, rs, sign(t, "PS256", rsaKey(), "", good()), authz.ErrUnauthenticated)
	wantError(t, rs, sign(t, "RS512", rsaKey(), "", good()), authz.ErrUnauthenticated)
	wantError(t, rs, sign(t, "RS256", rsaKey2(), "", good()), authz.ErrUnauthenticated)

	hs := newAuthenticator(t, jwt.Config{})
	const body = `{"sub":"7","exp":9999999999}`
	if _, err := ask(t, hs, raw(`{"alg":"HS256"}`, body, true)); err != nil {
		t.Fatalf("the tokens of this test are made wrong: %v", err)
	}
	for _, header := range []string{
		`{"alg":"none"}`, `{"alg":"None"}`, `{"alg":"NONE"}`, `{"alg":"nOnE"}`, `{"alg":""}`, `{"alg":null}`, `{"alg":["HS256"]}`, `{}`, `null`,
		`{"Alg":"HS256"}`, `{"alg":"HS256 "}`, `{"alg":"hs256"}`, `{"alg":"HS1"}`,
		`{"alg":"HS256","crit":["exp"]}`, `{"alg":"HS256","crit":[]}`, `{"alg":"HS256","b64":false,"crit":["b64"]}`,
	} {
		for _, signed := range []bool{false, true} {
			wantError(t, hs, raw(header, body, signed), authz.ErrUnauthenticated)
		}
	}
}

func TestGarbage(t *testing.T) {
	t.Parallel()
	a := newAuthenticator(t, jwt.Config{})
	token := hs(t, good())
	dot := strings.LastIndexByte(token, '.')
	last := token[len(token)-1]
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for name, wrong := range map[string]string{
		"a word": "undefined", "null": "null", "dots": "..", "many dots": strings.Repeat(".", 1000), "one dot": ".",
		"a part more": token + ".x", "a part less": token[:dot], "JSON": `{"sub":"7"}`, "not base64": "!.!.!", "padding": token + "=",
		"a line": token[:5] + "\n" + token[5:], "two": token + " " + token, "bytes": "\xff.\xfe.\xfd",
		// 43 characters are 258 bits, of which 256 count: the last two must be zero, or a token could be written in four ways.
		"written otherwise": token[:len(token)-1] + string(alphabet[strings.IndexByte(alphabet, last)+1]),
		"claims no object":  raw(`{"alg":"HS256"}`, `[]`, true),
		"claims null":       raw(`{"alg":"HS256"}`, `null`, true),
		"claims a string":   raw(`{"alg":"HS256"}`, `"7"`, true),
		"claims doubled":    raw(`{"alg":"HS256"}`, `{"sub":"7","sub":"8","exp":9999999999}`, true),
		"claims cut short":  raw(`{"alg":"HS256"}`, `{"sub":"7","exp":9999999999`, true),
		"claims not UTF-8":  raw(`{"alg":"HS256"}`, "{\"sub\":\"7\",\"exp\":9999999999,\"x\":\"\xff\"}", true),
		"too long":          hs(t, good().with("x", strings.Repeat("x", 16<<10))),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := wantError(t, a, wrong, authz.ErrUnauthenticated); name == "too long" && !strings.Contains(fmt.Sprint(err), "more than 16384") {
				t.Error(err)
			}
		})
	}
	wantUser(t, a, hs(t, good().with("x", strings.Repeat("x", 8<<10))))
}

func TestTimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // time stands still
		now := time.Now().Unix()
		strict := newAuthenticator(t, jwt.Config{})
		lax := newAuthenticator(t, jwt.Config{Leeway: 10 * time.Second})
		eternal := newAuthenticator(t, jwt.Config{WithoutExpiry: true})
		for _, tt := range []struct {
			name                 string
			c                    claims
			strict, lax, eternal bool
		}{
			{"for an hour", claims{"exp": now + 3600}, true, true, true},
			{"the last second", claims{"exp": now + 1}, true, true, true},
			{"expired now", claims{"exp": now}, false, true, false},
			{"expired", claims{"exp": now - 9}, false, true, false},
			{"expired beyond the leeway", claims{"exp": now - 10}, false, false, false},
			{"expired long ago", claims{"exp": 0}, false, false, false},
			{"before 1970", claims{"exp": -1}, false, false, false},
			{"no exp", claims{}, false, false, true},
			{"exp null", claims{"exp": object("null")}, false, false, true},
			{"exp in quotes", claims{"exp": fmt.Sprint(now + 3600)}, true, true, true},
			{"exp in words", claims{"exp": "tomorrow"}, false, false, false},
			{"exp a fraction", claims{"exp": float64(now) + 3600.5}, true, true, true},
			{"exp in milliseconds", claims{"exp": (now + 3600) * 1000}, false, false, false},
			{"exp beyond time", claims{"exp": object("1e300")}, false, false, false},
			{"exp beyond numbers", claims{"exp": object("1e999")}, false, false, false},
			{"exp in capitals", claims{"EXP": now + 3600}, false, false, true},
			{"valid from now", claims{"exp": now + 3600, "nbf": now}, true, true, true},
			{"valid in a second", claims{"exp": now + 3600, "nbf": now + 1}, false, true, false},
			{"valid in a minute", claims{"exp": now + 3600, "nbf": now + 60}, false, false, false},
			{"nbf a string", claims{"exp": now + 3600, "nbf": "now"}, false, false, false},
			{"issued in a minute", claims{"exp": now + 3600, "iat": now + 60}, true, true, true},
		} {
			token := hs(t, tt.c.with("sub", "7"))
			for _, one := range []struct {
				name string
				a    *jwt.Authenticator
				want bool
			}{{"strict", strict, tt.strict}, {"lax", lax, tt.lax}, {"eternal", eternal, tt.eternal}} {
				id, err := ask(t, one.a, token)
				if let := err == nil && id.ID == "7"; let != one.want || !let && !errors.Is(err, authz.ErrUnauthenticated) {
					t.Errorf("%s, %s: %+v, %v, want it let in: %v", tt.name, one.name, id, err, one.want)
				}
			}
		}
	})
}

// The identity ends when the token does, the leeway included: whoever is let in within it is not thrown out at once.
func TestExpiresAt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAuthenticator(t, jwt.Config{Leeway: 10 * time.Second, WithoutExpiry: true})
		exp := time.Now().Add(time.Minute)
		token := hs(t, claims{"sub": "7", "exp": exp.Unix()})
		id, err := ask(t, a, token)
		if want := exp.Add(10 * time.Second); err != nil || !id.ExpiresAt.Equal(want) {
			t.Fatalf("ends %v, %v, want %v", id.ExpiresAt, err, want)
		}
		time.Sleep(time.Until(id.ExpiresAt) - 1)
		wantUser(t, a, token)
		if id.Expired(time.Now()) {
			t.Error("the identity ends before the token")
		}
		time.Sleep(1)
		wantError(t, a, token, authz.ErrUnauthenticated)
		if !id.Expired(time.Now()) {
			t.Error("the identity outlives the token")
		}
		if id, err := ask(t, a, hs(t, claims{"sub": "7"})); err != nil || !id.ExpiresAt.IsZero() {
			t.Errorf("without exp: ends %v, %v", id.ExpiresAt, err)
		}
	})
}

func TestIssuerAndAudience(t *testing.T) {
	t.Parallel()
	anybody := newAuthenticator(t, jwt.Config{})
	issuer := newAuthenticator(t, jwt.Config{Issuer: "https://issuer.example"})
	audience := newAuthenticator(t, jwt.Config{Audience: []string{"hark", "hark-staging"}})
	for _, tt := range []struct {
		name             string
		c                claims
		issuer, audience bool
	}{
		{"neither", claims{}, false, false},
		{"both", claims{"iss": "https://issuer.example", "aud": "hark"}, true, true},
		{"another issuer", claims{"iss": "https://issuer.example.evil", "aud": "hark"}, false, true},
		{"an issuer in capitals", claims{"iss": "https://ISSUER.example", "aud": "hark"}, false, true},
		{"an empty issuer", claims{"iss": ""}, false, false},
		{"another audience", claims{"iss": "https://issuer.example", "aud": "shop"}, true, false},
		{"one of several", claims{"aud": []string{"shop", "hark-staging"}}, false, true},
		{"none of several", claims{"aud": []string{"shop", "har"}}, false, false},
		{"an empty audience", claims{"aud": ""}, false, false},
		{"no audience", claims{"aud": []string{}}, false, false},
	} {
		token := hs(t, tt.c.with("sub", "7").with("exp", time.Now().Add(time.Hour).Unix()))
		wantUser(t, anybody, token)
		for a, want := range map[*jwt.Authenticator]bool{issuer: tt.issuer, audience: tt.audience} {
			if _, err := ask(t, a, token); (err == nil) != want {
				t.Errorf("%s: %v, want it let in: %v", tt.name, err, want)
			}
		}
	}
	for _, c := range []claims{{"iss": 5}, {"aud": 5}, {"aud": []any{"hark", 5}}, {"aud": claims{}}} {
		wantError(t, anybody, hs(t, c.with("sub", "7").with("exp", time.Now().Add(time.Hour).Unix())), authz.ErrUnauthenticated)
	}
}

func TestClaims(t *testing.T) {
	t.Parallel()
	exp := time.Now().Add(time.Hour).Truncate(time.Second)
	long := strings.Repeat("x", 128)
	for _, tt := range []struct {
		name  string
		names jwt.Claims
		c     claims
		want  authz.Identity // without ExpiresAt; "" as an ID: refused
	}{
		{"by default", jwt.Claims{}, claims{
			"sub": "7", "tenant": "acme", "roles": []string{"editor", "admin"}, "info": claims{"name": "Ada"}, "plan": "pro",
		}, authz.Identity{ID: "7", Tenant: "acme", Roles: []string{"editor", "admin"}, Info: object(`{"name":"Ada"}`)}},
		{"other names", jwt.Claims{ID: "uid", Tenant: "https://x.example/org", Roles: "scope", Info: "profile", Attrs: []string{"plan", "level", "none"}}, claims{
			"sub": "x", "uid": "7", "https://x.example/org": "acme", "scope": " read  write ", "profile": claims{}, "plan": "pro", "level": 3, "roles": "no",
		}, authz.Identity{ID: "7", Tenant: "acme", Roles: []string{"read", "write"}, Info: object(`{}`), Attrs: map[string]string{"plan": "pro", "level": "3"}}},
		{"only who", jwt.Claims{}, claims{"sub": "7"}, authz.Identity{ID: "7"}},
		{"null is not there", jwt.Claims{Attrs: []string{"plan"}}, claims{"sub": "7", "tenant": object("null"), "roles": object("null"), "info": object("null"), "plan": object("null")},
			authz.Identity{ID: "7"}},
		{"a number", jwt.Claims{}, claims{"sub": 7, "tenant": 9007199254740993}, authz.Identity{ID: "7", Tenant: "9007199254740993"}},
		{"a large number", jwt.Claims{}, claims{"sub": object("12345678901234567890123")}, authz.Identity{ID: "12345678901234567890123"}},
		{"every character", jwt.Claims{}, claims{"sub": "aZ0_-=@,.;"}, authz.Identity{ID: "aZ0_-=@,.;"}},
		{"the longest", jwt.Claims{}, claims{"sub": long}, authz.Identity{ID: long}},
		{"info as it was", jwt.Claims{}, claims{"sub": "7", "info": object(`{"n":1.0,"a":"\u00e9"}`)}, authz.Identity{ID: "7", Info: object(`{"n":1.0,"a":"\u00e9"}`)}},
		{"roles, none", jwt.Claims{}, claims{"sub": "7", "roles": []string{}}, authz.Identity{ID: "7", Roles: []string{}}},
		{"roles, one", jwt.Claims{}, claims{"sub": "7", "roles": "editor"}, authz.Identity{ID: "7", Roles: []string{"editor"}}},
		{"an escaped name", jwt.Claims{}, claims{"sub": object(`"\u0037"`)}, authz.Identity{ID: "7"}},

		{"nobody", jwt.Claims{}, claims{}, authz.Identity{}},
		{"null", jwt.Claims{}, claims{"sub": object("null")}, authz.Identity{}},
		{"nobody by another name", jwt.Claims{ID: "uid"}, claims{"sub": "7"}, authz.Identity{}},
		{"an empty id", jwt.Claims{}, claims{"sub": ""}, authz.Identity{}},
		{"too long", jwt.Claims{}, claims{"sub": long + "x"}, authz.Identity{}},
		{"a colon", jwt.Claims{}, claims{"sub": "a:b"}, authz.Identity{}},
		{"a space", jwt.Claims{}, claims{"sub": "a b"}, authz.Identity{}},
		{"a letter", jwt.Claims{}, claims{"sub": "é"}, authz.Identity{}},
		{"an array", jwt.Claims{}, claims{"sub": []string{"7"}}, authz.Identity{}},
		{"an object", jwt.Claims{}, claims{"sub": claims{}}, authz.Identity{}},
		{"true", jwt.Claims{}, claims{"sub": true}, authz.Identity{}},
		{"a tenant that is true", jwt.Claims{}, claims{"sub": "7", "tenant": true}, authz.Identity{}},
		{"a role that is a number", jwt.Claims{}, claims{"sub": "7", "roles": []any{"a", 1}}, authz.Identity{}},
		{"roles that are an object", jwt.Claims{}, claims{"sub": "7", "roles": claims{}}, authz.Identity{}},
		{"an info that is a string", jwt.Claims{}, claims{"sub": "7", "info": "Ada"}, authz.Identity{}},
		{"an info that is an array", jwt.Claims{}, claims{"sub": "7", "info": []int{}}, authz.Identity{}},
		{"an attribute that is an object", jwt.Claims{Attrs: []string{"plan"}}, claims{"sub": "7", "plan": claims{}}, authz.Identity{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAuthenticator(t, jwt.Config{Claims: tt.names})
			token := hs(t, tt.c.with("exp", exp.Unix()))
			if tt.want.Guest() {
				wantError(t, a, token, authz.ErrUnauthenticated)
				return
			}
			want := tt.want
			want.ExpiresAt = exp
			got, err := ask(t, a, token)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSources(t *testing.T) {
	t.Parallel()
	user := func(id string) string { return hs(t, good().with("sub", id)) }
	header, cookie, path, query := user("header"), user("cookie"), user("path"), user("query")
	all := jwt.Sources{Cookie: "session", Path: "/t/", Query: "token"}
	const refused = "refused"
	for _, tt := range []struct {
		name    string
		sources jwt.Sources
		auth    []string
		cookie  string
		url     string
		want    string // the id; "": a guest
	}{
		{"nothing", all, nil, "", "/app/KEY", ""},
		{"everything", all, []string{"Bearer " + header}, "session=" + cookie, "/t/" + path + "/app/KEY?token=" + query, "header"},
		{"no header", all, nil, "session=" + cookie, "/t/" + path + "/app/KEY?token=" + query, "cookie"},
		{"no cookie", all, nil, "", "/t/" + path + "/app/KEY?token=" + query, "path"},
		{"no path", all, nil, "", "/app/KEY?token=" + query, "query"},

		{"only the header is looked at", jwt.Sources{}, nil, "session=" + cookie, "/t/" + path + "/app/KEY?token=" + query, ""},
		{"a wrong header is not made up for", all, []string{"Bearer x"}, "session=" + cookie, "/app/KEY", refused},
		{"nor a wrong cookie", all, nil, "session=x", "/app/KEY?token=" + query, refused},
		{"nor a wrong path", all, nil, "", "/t/x/app/KEY?token=" + query, refused},

		{"a small b", all, []string{"bearer " + header}, "", "/app/KEY", "header"},
		{"spaces", all, []string{"Bearer   " + header + " "}, "", "/app/KEY", "header"},
		{"another scheme", all, []string{"Basic " + header}, "session=" + cookie, "/app/KEY", "cookie"},
		{"no scheme", all, []string{header}, "", "/app/KEY", ""},
		{"nothing behind it", all, []string{"Bearer "}, "session=" + cookie, "/app/KEY", "cookie"},
		{"nothing at all behind it", all, []string{"Bearer"}, "", "/app/KEY", ""},
		{"an empty header", all, []string{""}, "session=" + cookie, "/app/KEY", "cookie"},
		{"what JavaScript makes of no token", all, []string{"Bearer undefined"}, "", "/app/KEY", refused},
		{"two headers: the first", all, []string{"Bearer " + header, "Bearer " + cookie}, "", "/app/KEY", "header"},

		{"among other cookies", all, nil, "a=b; session=" + cookie + "; c=d", "/app/KEY", "cookie"},
		{"another cookie", all, nil, "Session=" + cookie, "/app/KEY", ""},
		{"an empty cookie", all, nil, "session=", "/app/KEY?token=" + query, "query"},

		{"a path before the prefix", all, nil, "", "/ws/t/" + path + "/app/KEY", ""},
		{"a longer prefix", jwt.Sources{Path: "/ws/t/"}, nil, "", "/ws/t/" + path + "/app/KEY", "path"},
		{"the root as a prefix", jwt.Sources{Path: "/"}, nil, "", "/" + path + "/app/KEY", "path"},
		{"the root, and no token", jwt.Sources{Path: "/"}, nil, "", "/app/KEY", ""},
		{"no /app/ behind it", all, nil, "", "/t/" + path + "/apps/1/events", ""},
		{"nothing behind it", all, nil, "", "/t/" + path, ""},
		{"not right behind it", all, nil, "", "/t/" + path + "/x/app/KEY", ""},
		{"an empty segment", all, nil, "", "/t//app/KEY", ""},
		{"a word", all, nil, "", "/t/undefined/app/KEY", refused},

		{"an empty parameter", all, nil, "", "/app/KEY?token=", ""},
		{"another parameter", all, nil, "", "/app/KEY?Token=" + query, ""},
		{"a query that cannot be read", all, nil, "", "/app/KEY?%zz", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAuthenticator(t, jwt.Config{Sources: tt.sources})
			r := httptest.NewRequest("GET", tt.url, nil)
			for _, v := range tt.auth {
				r.Header.Add("Authorization", v)
			}
			if tt.cookie != "" {
				r.Header.Set("Cookie", tt.cookie)
			}
			id, err := authenticate(t, a, r)
			switch {
			case tt.want == refused:
				if err == nil {
					t.Errorf("let in as %q", id.ID)
				}
			case err != nil || id.ID != tt.want:
				t.Errorf("%+v, %v, want %q", id, err, tt.want)
			case tt.want == "" && !isZero(id):
				t.Errorf("a guest who is %+v", id)
			}
		})
	}
}

// A token is one of one place: none is put together, and none is found where nobody said.
func FuzzAuthenticate(f *testing.F) {
	valid := sign(f, "HS256", []byte("another-secret-of-thirty-two-bytes"), "", good())
	for _, s := range []string{
		"", "Bearer", "Bearer x", "bearer a.b.c", "Bearer " + valid, "Basic eDp5", "Bearer " + raw(`{"alg":"none"}`, `{"sub":"7","exp":9999999999}`, false),
		"Bearer " + raw(`{"alg":"HS256","kid":5}`, `null`, false), "Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.e30.AA", "Bearer ..", "\x00", "Bearer \xff.\xff.\xff",
	} {
		f.Add(s, "session="+valid, "/t/"+valid+"/app/KEY", "token="+valid)
		f.Add(s, "", "/app/KEY", "")
	}
	authenticators := []*jwt.Authenticator{
		newAuthenticator(f, jwt.Config{}),
		newAuthenticator(f, jwt.Config{Algorithms: []string{"HS256", "HS384", "HS512"}, WithoutExpiry: true, Sources: jwt.Sources{Cookie: "session", Path: "/t/", Query: "token"}}),
		newAuthenticator(f, jwt.Config{Algorithms: []string{"RS256", "RS384", "RS512"}, PublicKey: publicPEM(rsaKey()), WithoutExpiry: true, Sources: jwt.Sources{Path: "/t/"}}),
		newAuthenticator(f, jwt.Config{Algorithms: []string{"ES256"}, PublicKey: publicPEM(p256()), WithoutExpiry: true, Sources: jwt.Sources{Cookie: "session"}}),
		newAuthenticator(f, jwt.Config{Algorithms: []string{"EdDSA"}, PublicKey: publicPEM(edKey()), WithoutExpiry: true, Sources: jwt.Sources{Query: "token"}}),
	}
	f.Fuzz(func(t *testing.T, authorization, cookie, path, query string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header = http.Header{"Authorization": {authorization}, "Cookie": {cookie}}
		r.URL.Path, r.URL.RawQuery = path, query
		for _, a := range authenticators {
			// Nobody has made a token with these keys, so nobody is let in.
			if id, err := authenticate(t, a, r); !isZero(id) {
				t.Fatalf("%+v, %v", id, err)
			}
		}
	})
}

// Every algorithm that is known is tested above.
func TestAllAlgorithmsAreTested(t *testing.T) {
	t.Parallel()
	_, err := jwt.New(jwt.Config{Algorithms: []string{"?"}})
	_, list, _ := strings.Cut(fmt.Sprint(err), "use ")
	var tested []string
	for _, s := range signers {
		tested = append(tested, s.algorithm)
	}
	slices.Sort(tested)
	if got := strings.Join(tested, ", "); got != list {
		t.Errorf("tested are %s, known are %s", got, list)
	}
}
