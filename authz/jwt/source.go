package jwt

import (
	"fmt"
	"net/http"
	"strings"
)

// Sources are where the token of a request is looked for, in this order. The first that is found counts. An
// "Authorization: Bearer TOKEN" is always looked for first; each of the others is not, unless it has a name.
type Sources struct {
	// Cookie is the name of a cookie. Whoever reads one has to check the Origin of requests.
	Cookie string
	// Path comes before the token in the path of an upgrade, with a slash at both ends: "/t/" finds TOKEN in
	// /t/TOKEN/app/KEY.
	Path string
	// Query is the name of a parameter.
	Query string
}

func (s Sources) check() error {
	if s.Path != "" && (s.Path[0] != '/' || !strings.HasSuffix(s.Path, "/")) {
		return fmt.Errorf("the path %q has no slash at both ends: write it like /t/", s.Path)
	}
	return nil
}

// token returns the token of a request; "" if it has none. What is there and empty is not there: it is what a client that
// has signed out may send.
func (s Sources) token(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if token = strings.TrimSpace(token); token != "" && strings.EqualFold(scheme, "Bearer") {
		return token
	}
	if s.Cookie != "" {
		if c, err := r.Cookie(s.Cookie); err == nil && c.Value != "" {
			return c.Value
		}
	}
	if rest, ok := strings.CutPrefix(r.URL.Path, s.Path); s.Path != "" && ok {
		if token, rest, _ := strings.Cut(rest, "/"); token != "" && strings.HasPrefix(rest, "app/") {
			return token
		}
	}
	if s.Query != "" {
		return r.URL.Query().Get(s.Query)
	}
	return ""
}
