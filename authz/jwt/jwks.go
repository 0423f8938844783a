package jwt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	gojwt "github.com/golang-jwt/jwt/v5"

	"hark/authz"
)

const (
	refreshEvery = 15 * time.Minute // so long a key that was taken back may still be believed
	refreshGap   = 10 * time.Second // between two fetches for the sake of a token whose key is not known
	retryFirst   = time.Second      // after a fetch that failed; then double
	retryLast    = time.Minute
	fetchTimeout = 5 * time.Second
	maxBody      = 256 << 10 // bytes of a JWKS
	maxKeys      = 64        // in a JWKS: a token that names none may have to be tried with each
)

// A keySet is a JWKS. Only run fetches; whoever misses a key asks it to, and waits.
type keySet struct {
	url        *url.URL
	client     *http.Client
	log        *slog.Logger
	algorithms []string
	wanted     chan struct{} // has room for one

	mu   sync.Mutex
	last attempt // Guarded by mu
}

// An attempt is the latest fetch, and what is known since.
type attempt struct {
	keys keyfunc.Keyfunc // of the latest that succeeded; nil: none did
	err  error           // nil: this one did
	at   time.Time       // zero: none was made
	next chan struct{}   // closed when another was made
}

func newKeySet(c Config, u *url.URL) *keySet {
	s := &keySet{
		url:        u,
		client:     c.Client,
		log:        c.Logger,
		algorithms: slices.Clone(c.Algorithms),
		wanted:     make(chan struct{}, 1),
		last:       attempt{next: make(chan struct{})},
	}
	if s.client == nil {
		s.client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s
}

// find implements keys. A key that is not in a set which is just a few seconds old is nobody's.
func (s *keySet) find(ctx context.Context, t *gojwt.Token) (any, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, authz.HookTimeout, fmt.Errorf("not fetched within %v", authz.HookTimeout))
	defer cancel()
	for {
		last := s.latest()
		key, err := last.find(ctx, t)
		switch {
		case !errors.Is(err, jwkset.ErrKeyNotFound):
			return key, err
		case time.Since(last.at) < refreshGap && last.err == nil:
			return nil, errors.New("the token names a key that the issuer does not have")
		case time.Since(last.at) < refreshGap:
			return nil, fmt.Errorf("%w: the keys of tokens: %w", authz.ErrUnavailable, last.err)
		}
		select {
		case s.wanted <- struct{}{}:
		default: // it is asked for already
		}
		select {
		case <-last.next:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: the keys of tokens: %w", authz.ErrUnavailable, context.Cause(ctx))
		}
	}
}

func (s *keySet) latest() attempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// find returns the key that the token names, or, if it names none, all that are made for its algorithm.
func (a attempt) find(ctx context.Context, t *gojwt.Token) (any, error) {
	if a.keys == nil {
		return nil, jwkset.ErrKeyNotFound
	}
	found, err := a.keys.KeyfuncCtx(ctx)(t)
	if err != nil {
		return nil, err
	}
	set, several := found.(gojwt.VerificationKeySet)
	if !several {
		return found, fits(t.Method.Alg(), found)
	}
	set.Keys = slices.DeleteFunc(set.Keys, func(k gojwt.VerificationKey) bool { return fits(t.Method.Alg(), k) != nil })
	return set, nil
}

// run implements keys: it fetches at once, from time to time, soon after a fetch that failed, and when it is asked to.
func (s *keySet) run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	retry := retryFirst
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-s.wanted:
			if time.Since(s.latest().at) < refreshGap {
				continue // it was asked for before the latest fetch ended
			}
		}
		err := s.refresh(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			retry = retryFirst
			timer.Reset(refreshEvery)
			continue
		}
		s.log.WarnContext(ctx, "the keys of tokens could not be fetched", "url", s.url.Redacted(), "error", err, "retry", retry)
		timer.Reset(retry)
		retry = min(2*retry, retryLast)
	}
}

// refresh makes an attempt. One that fails leaves the keys as they are.
func (s *keySet) refresh(ctx context.Context) error {
	keys, err := s.fetch(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	made := attempt{keys: s.last.keys, err: err, at: time.Now(), next: make(chan struct{})}
	if err == nil {
		made.keys = keys
	}
	close(s.last.next)
	s.last = made
	return err
}

func (s *keySet) fetch(ctx context.Context) (keyfunc.Keyfunc, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url.String(), nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := s.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", s.url.Redacted(), resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading %s: %w", s.url.Redacted(), err)
	case len(body) > maxBody:
		return nil, fmt.Errorf("%s has more than %d bytes", s.url.Redacted(), maxBody)
	}
	keys, err := readKeys(ctx, body, s.algorithms)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.url.Redacted(), err)
	}
	return keys, nil
}

// readKeys reads a JWKS. It leaves out what no token will be verified with: keys of other kinds, for other algorithms or
// uses, and those that cannot be read (RFC 7517, 5).
func readKeys(ctx context.Context, body []byte, allowed []string) (keyfunc.Keyfunc, error) {
	var set struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, fmt.Errorf("it is no JWKS: %w", err)
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("it has %d keys, more than %d", len(set.Keys), maxKeys)
	}
	storage := jwkset.NewMemoryStorage()
	usable := 0
	for _, text := range set.Keys {
		key, err := jwkset.NewJWKFromRawJSON([]byte(text), jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
		if err != nil || !isFor(key, allowed) {
			continue
		}
		if err := storage.KeyWrite(ctx, key); err != nil {
			return nil, err
		}
		usable++
	}
	if usable == 0 {
		return nil, fmt.Errorf("none of its %d keys can verify %v", len(set.Keys), allowed)
	}
	return keyfunc.New(keyfunc.Options{Storage: storage})
}

// isFor reports whether the key verifies signatures by one of the algorithms.
func isFor(key jwkset.JWK, allowed []string) bool {
	says := key.Marshal()
	if says.USE != "" && says.USE != jwkset.UseSig {
		return false
	}
	return slices.ContainsFunc(allowed, func(name string) bool {
		return (says.ALG == "" || says.ALG.String() == name) && fits(name, key.Key()) == nil
	})
}
