package jwt_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hark/authz"
	"hark/authz/jwt"
)

// An issuer serves a JWKS on the loopback interface. It runs outside of bubbles, where time goes on; whoever fetches from
// within one sees its time stand still meanwhile.
type issuer struct {
	url string

	mu      sync.Mutex
	answer  http.HandlerFunc
	fetches int
}

func newIssuer(t *testing.T) *issuer {
	i := &issuer{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		i.fetches++
		answer := i.answer
		i.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	i.url = server.URL + "/jwks.json"
	return i
}

// answers makes the issuer answer with this from now on.
func (i *issuer) answers(status int, body string) {
	i.does(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

func (i *issuer) has(keys ...jwk) { i.answers(http.StatusOK, jwks(keys...)) }

func (i *issuer) does(answer http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = answer
}

func (i *issuer) fetched() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.fetches
}

// inBubble runs f with an Authenticator that fetches the issuer's keys, in a bubble.
func inBubble(t *testing.T, i *issuer, c jwt.Config, f func(t *testing.T, a *jwt.Authenticator)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c.JWKS = i.url
		if c.Client == nil {
			c.Client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // no goroutine stays
		}
		if c.Algorithms == nil {
			c.Algorithms = []string{"EdDSA"}
		}
		a := newAuthenticator(t, c)
		ctx, cancel := context.WithCancel(t.Context())
		var run sync.WaitGroup
		run.Go(func() {
			if err := a.Run(ctx); err != nil {
				t.Errorf("Run: %v", err)
			}
		})
		defer run.Wait()
		defer cancel()
		f(t, a)
	})
}

func TestJWKSAlgorithms(t *testing.T) {
	t.Parallel()
	for _, s := range signers {
		if s.key == nil {
			continue
		}
		t.Run(s.algorithm, func(t *testing.T) {
			t.Parallel()
			i := newIssuer(t)
			i.has(publicJWK("old", rsaKey2()), publicJWK("k", s.key()), publicJWK("other", edKey2()))
			inBubble(t, i, jwt.Config{Algorithms: []string{s.algorithm}}, func(t *testing.T, a *jwt.Authenticator) {
				wantUser(t, a, sign(t, s.algorithm, s.key(), "k", good()))
				wantUser(t, a, sign(t, s.algorithm, s.key(), "", good())) // all keys of the kind are tried
				wantError(t, a, sign(t, s.algorithm, s.key(), "old", good()), authz.ErrUnauthenticated)
				wantError(t, a, sign(t, s.algorithm, s.key(), "other", good()), authz.ErrUnauthenticated)
				wantError(t, a, sign(t, "HS256", []byte(publicPEM(s.key())), "k", good()), authz.ErrUnauthenticated)
				if n := i.fetched(); n != 1 {
					t.Errorf("%d fetches, want 1", n)
				}
			})
		})
	}
}

// An issuer may have a new key at any time: the first token that names it has it fetched.
func TestJWKSRotation(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	i.has(publicJWK("a", edKey()))
	inBubble(t, i, jwt.Config{}, func(t *testing.T, a *jwt.Authenticator) {
		first, second := sign(t, "EdDSA", edKey(), "a", good()), sign(t, "EdDSA", edKey2(), "b", good())
		wantUser(t, a, first)
		time.Sleep(time.Minute)
		wantError(t, a, second, authz.ErrUnauthenticated) // fetched, and not there
		i.has(publicJWK("a", edKey()), publicJWK("b", edKey2()))
		if n := i.fetched(); n != 2 {
			t.Errorf("%d fetches, want 2", n)
		}

		// Within 10 seconds nothing is fetched, however many ask.
		time.Sleep(10*time.Second - 1)
		for n := range 50 {
			wantError(t, a, sign(t, "EdDSA", edKey2(), fmt.Sprint("kid", n), good()), authz.ErrUnauthenticated)
		}
		if n := i.fetched(); n != 2 {
			t.Errorf("%d fetches, want 2", n)
		}
		time.Sleep(1)
		wantUser(t, a, second)
		wantUser(t, a, first)

		// A key that is taken back is believed until the next fetch.
		i.has(publicJWK("b", edKey2()))
		time.Sleep(15 * time.Minute)
		synctest.Wait()
		wantError(t, a, first, authz.ErrUnauthenticated)
		wantUser(t, a, second)
		if n := i.fetched(); n != 4 {
			t.Errorf("%d fetches, want 4", n)
		}
	})
}

// Whoever comes while the keys are on their way waits for them; all wait for the same.
func TestJWKSIsFetchedOnce(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	i.has(publicJWK("a", edKey()))
	synctest.Test(t, func(t *testing.T) {
		a := newAuthenticator(t, jwt.Config{
			Algorithms: []string{"EdDSA"}, JWKS: i.url, Client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
		})
		token := sign(t, "EdDSA", edKey(), "a", good())
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { wantUser(t, a, token) })
		}
		synctest.Wait()
		time.Sleep(time.Second) // they wait for Run
		ctx, cancel := context.WithCancel(t.Context())
		all.Go(func() { _ = a.Run(ctx) })
		synctest.Wait()
		cancel()
		all.Wait()
		if n := i.fetched(); n != 1 {
			t.Errorf("%d fetches, want 1", n)
		}
	})
}

// An issuer that is away when the server starts: everybody is asked to come back, until it is there.
func TestJWKSDownThenUp(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	i.answers(http.StatusServiceUnavailable, "")
	var log bytes.Buffer
	inBubble(t, i, jwt.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}, func(t *testing.T, a *jwt.Authenticator) {
		token := sign(t, "EdDSA", edKey(), "a", good())
		start := time.Now()
		for range 20 {
			if err := wantError(t, a, token, authz.ErrUnavailable); !strings.Contains(fmt.Sprint(err), "/jwks.json answered 503 Service Unavailable") {
				t.Errorf("%v", err)
			}
		}
		if took, n := time.Since(start), i.fetched(); took != 0 || n != 1 {
			t.Errorf("20 requests took %v and %d fetches, want 0 and 1", took, n)
		}
		// Without a token, or with one that no key would help, nobody has to wait.
		if id, err := authenticate(t, a, httptest.NewRequest("GET", "/app/KEY", nil)); err != nil || !isZero(id) {
			t.Errorf("a guest: %+v, %v", id, err)
		}
		wantError(t, a, hs(t, good()), authz.ErrUnauthenticated)

		// It is tried again after 1, 2, 4, … and at most 60 seconds.
		time.Sleep((1 + 2 + 4 + 8 + 16 + 32 + 60 + 60) * time.Second)
		synctest.Wait()
		if n := i.fetched(); n != 9 {
			t.Errorf("%d fetches, want 9", n)
		}
		i.has(publicJWK("a", edKey()))
		wantError(t, a, token, authz.ErrUnavailable)
		time.Sleep(10 * time.Second)
		wantUser(t, a, token) // whose asking has it fetched before its time
		if n := i.fetched(); n != 10 {
			t.Errorf("%d fetches, want 10", n)
		}
	})
	if n := strings.Count(log.String(), "\n"); n != 9 || !strings.Contains(log.String(), "answered 503") || !strings.Contains(log.String(), "retry=1m0s") {
		t.Errorf("the log has %d lines, want 9:\n%s", n, &log)
	}
}

// An issuer that goes away later: the keys that are known stay, and only who has another is asked to come back.
func TestJWKSUpThenDown(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	i.has(publicJWK("a", edKey()))
	inBubble(t, i, jwt.Config{}, func(t *testing.T, a *jwt.Authenticator) {
		first, second := sign(t, "EdDSA", edKey(), "a", good().with("exp", 9999999999)), sign(t, "EdDSA", edKey2(), "b", good().with("exp", 9999999999))
		wantUser(t, a, first)
		for _, answer := range []http.HandlerFunc{
			func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>we are sorry</html>") },
			func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, jwks()) },
		} {
			i.does(answer)
			time.Sleep(time.Hour)
			synctest.Wait()
			wantUser(t, a, first)
			wantError(t, a, second, authz.ErrUnavailable)
			wantError(t, a, sign(t, "EdDSA", edKey2(), "a", good()), authz.ErrUnauthenticated)
		}
	})
}

func TestJWKSRefused(t *testing.T) {
	t.Parallel()
	many := make([]jwk, 65)
	for n := range many {
		many[n] = publicJWK(fmt.Sprint(n), edKey())
	}
	for _, tt := range []struct{ name, body, want string }{
		{"nothing", ``, "it is no JWKS: "},
		{"no JSON", `<html>`, "it is no JWKS: "},
		{"no object", `[]`, "it is no JWKS: "},
		{"no keys", `{}`, "none of its 0 keys can verify [EdDSA]"},
		{"keys null", `{"keys":null}`, "none of its 0 keys"},
		{"keys that are no array", `{"keys":{}}`, "it is no JWKS: "},
		{"an empty set", jwks(), "none of its 0 keys"},
		{"too many", jwks(many...), "it has 65 keys, more than 64"},
		{"too much", `{"keys":[` + strings.Repeat(" ", 256<<10), "has more than 262144 bytes"},
		{"other kinds", jwks(publicJWK("a", rsaKey()), publicJWK("b", p256())), "none of its 2 keys can verify [EdDSA]"},
		{"a key to encrypt with", jwks(publicJWK("a", edKey()).with("use", "enc")), "none of its 1 keys"},
		{"a key for another algorithm", jwks(publicJWK("a", edKey()).with("alg", "ES256")), "none of its 1 keys"},
		{"a secret", jwks(jwk{"kid": "a", "kty": "oct", "k": base64.RawURLEncoding.EncodeToString([]byte(secret))}), "none of its 1 keys"},
		{"a short key", jwks(publicJWK("a", edKey()).with("x", "AAAA")), "none of its 1 keys"},
		{"a key of no kind", jwks(jwk{"kid": "a", "kty": "Ed448"}, jwk{}), "none of its 2 keys"},
		{"no key", `{"keys":[5,"a",null,[],{"kty":5}]}`, "none of its 5 keys"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			i := newIssuer(t)
			i.answers(http.StatusOK, tt.body)
			inBubble(t, i, jwt.Config{}, func(t *testing.T, a *jwt.Authenticator) {
				for _, kid := range []string{"a", ""} {
					err := wantError(t, a, sign(t, "EdDSA", edKey(), kid, good()), authz.ErrUnavailable)
					if !strings.Contains(fmt.Sprint(err), tt.want) {
						t.Errorf("%v, want %s", err, tt.want)
					}
				}
			})
		})
	}
}

// What is of no use is left out, and does not spoil the rest.
func TestJWKSOfAllSorts(t *testing.T) {
	t.Parallel()
	off := publicJWK("off", p256())
	off["x"] = base64.RawURLEncoding.EncodeToString(p256().Public().(*ecdsa.PublicKey).Y.FillBytes(make([]byte, 32)))
	i := newIssuer(t)
	i.has(
		jwk{"kid": "448", "kty": "OKP", "crv": "Ed448", "x": "AAAA"}, jwk{"kid": "x", "kty": "OKP", "crv": "X25519", "x": base64.RawURLEncoding.EncodeToString(make([]byte, 32))},
		jwk{"kid": "oct", "kty": "oct", "k": base64.RawURLEncoding.EncodeToString([]byte(secret))}, off,
		publicJWK("enc", rsaKey2()).with("use", "enc"),
		publicJWK("rs", rsaKey()).with("alg", "RS256").with("use", "sig"), publicJWK("p256", p256()), publicJWK("p384", p384()),
	)
	inBubble(t, i, jwt.Config{Algorithms: []string{"RS256", "RS512", "ES256"}}, func(t *testing.T, a *jwt.Authenticator) {
		wantUser(t, a, sign(t, "RS256", rsaKey(), "rs", good()))
		wantUser(t, a, sign(t, "RS256", rsaKey(), "", good()))
		wantUser(t, a, sign(t, "ES256", p256(), "p256", good()))
		wantUser(t, a, sign(t, "ES256", p256(), "", good()))
		for name, token := range map[string]string{
			"an algorithm that is not the key's":   sign(t, "RS512", rsaKey(), "rs", good()),
			"a key to encrypt with":                sign(t, "RS256", rsaKey2(), "enc", good()),
			"a key to encrypt with, not named":     sign(t, "RS256", rsaKey2(), "", good()),
			"a secret that everybody knows":        sign(t, "HS256", []byte(secret), "oct", good()),
			"a key of another kind":                sign(t, "ES256", p256(), "rs", good()),
			"a key on another curve":               sign(t, "ES256", p256(), "p384", good()),
			"an algorithm that is not allowed":     sign(t, "ES384", p384(), "p384", good()),
			"a point that is not on its curve":     sign(t, "ES256", p256(), "off", good()),
			"a key that is not there":              sign(t, "ES256", p256(), "nosuch", good()),
			"a kid that is no string":              raw(`{"alg":"ES256","kid":5}`, `{"sub":"7"}`, false) + strings.Repeat("A", 86),
			"a kid that is empty, and no such key": raw(`{"alg":"ES256","kid":""}`, `{"sub":"7"}`, false) + strings.Repeat("A", 86),
		} {
			t.Log(name)
			wantError(t, a, token, authz.ErrUnauthenticated)
		}
	})
}

// A redirect is not followed: whoever can answer in the issuer's place must not send us to any other.
func TestJWKSRedirect(t *testing.T) {
	t.Parallel()
	other := newIssuer(t)
	other.has(publicJWK("a", edKey()))
	i := newIssuer(t)
	i.does(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.url, http.StatusFound) })
	a := newAuthenticator(t, jwt.Config{Algorithms: []string{"EdDSA"}, JWKS: i.url}) // with the client of its own
	ctx, cancel := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() { _ = a.Run(ctx) })
	err := wantError(t, a, sign(t, "EdDSA", edKey(), "a", good()), authz.ErrUnavailable)
	if !strings.Contains(fmt.Sprint(err), "answered 302 Found") || other.fetched() != 0 {
		t.Errorf("%v, %d fetches of where it led to", err, other.fetched())
	}
	cancel()
	run.Wait()
}

// roundTrip is a transport without a network, which a bubble can see through.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// An issuer that takes the connection and does not answer: nobody waits for longer than a hook may take, and the fetch
// ends after five seconds.
func TestJWKSHangs(t *testing.T) {
	t.Parallel()
	i := &issuer{url: "https://issuer.example/jwks.json"}
	var mu sync.Mutex
	var took []time.Duration
	client := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		start := time.Now()
		<-r.Context().Done()
		mu.Lock()
		defer mu.Unlock()
		took = append(took, time.Since(start))
		return nil, r.Context().Err()
	})}
	inBubble(t, i, jwt.Config{Client: client}, func(t *testing.T, a *jwt.Authenticator) {
		token := sign(t, "EdDSA", edKey(), "a", good())
		start := time.Now()
		err := wantError(t, a, token, authz.ErrUnavailable)
		if waited := time.Since(start); waited != 3*time.Second || !strings.Contains(fmt.Sprint(err), "not fetched within 3s") {
			t.Errorf("%v after %v, want 3s", err, waited)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("the caller has gone"))
		defer cancel()
		if _, err := a.Authenticate(ctx, bearing(token)); !errors.Is(err, authz.ErrUnavailable) || !strings.Contains(err.Error(), "the caller has gone") {
			t.Errorf("%v", err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if len(took) != 1 || took[0] != 5*time.Second {
			t.Errorf("the fetches took %v, want one of 5s", took)
		}
	})
}

// Without Run nothing is fetched, and nobody is let in.
func TestJWKSWithoutRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAuthenticator(t, jwt.Config{Algorithms: []string{"EdDSA"}, JWKS: "https://issuer.example/jwks.json", Client: &http.Client{
			Transport: roundTrip(func(*http.Request) (*http.Response, error) { t.Error("fetched"); return nil, errors.New("no") }),
		}})
		start := time.Now()
		wantError(t, a, sign(t, "EdDSA", edKey(), "a", good()), authz.ErrUnavailable)
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("it took %v, want 3s", took)
		}
	})
}

// Run of an Authenticator that has all it needs only waits.
func TestRunWithASecret(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAuthenticator(t, jwt.Config{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		start := time.Now()
		if err := a.Run(ctx); err != nil || time.Since(start) != time.Hour {
			t.Errorf("Run: %v after %v, want nil after 1h", err, time.Since(start))
		}
	})
}
