package httpapi

import (
	"fmt"
	"net/url"
	"path"
	"strings"

	"github.com/gin-gonic/gin"

	"hark/authz"
)

// The paths that pusher-js asks where it is told no others. Laravel Echo asks
// /broadcasting/auth and /broadcasting/user-auth.
const (
	DefaultAuthPath     = "/pusher/auth"
	DefaultUserAuthPath = "/pusher/user-auth"
)

// An AuthRoute serves the auth endpoint of one app. Paths are without
// Config.PathPrefix, and each is its own: none that another AuthRoute has, none
// whose first segment is one that a Handler serves itself, such as apps.
type AuthRoute struct {
	Channels string // where clients ask before they subscribe; "": DefaultAuthPath
	Users    string // where they ask before they sign in; "": DefaultUserAuthPath
	Endpoint *authz.Endpoint
}

// authRoutes serves Config.Auth. It comes after every other route, and panics
// where a path cannot be served.
func (h *Handler) authRoutes() {
	owner := make(map[string]string) // of a first segment: the route that has it
	for _, r := range h.engine.Routes() {
		owner[firstSegment(r.Path)] = r.Path
	}
	taken := make(map[string]bool)
	for _, a := range h.config.Auth {
		if a.Endpoint == nil {
			panic("httpapi: an AuthRoute has no Endpoint: make one with authz.NewEndpoint")
		}
		if a.Channels == "" {
			a.Channels = DefaultAuthPath
		}
		if a.Users == "" {
			a.Users = DefaultUserAuthPath
		}
		for _, p := range []string{a.Channels, a.Users} {
			if err := checkAuthPath(p, h.config.PathPrefix); err != nil {
				panic(err)
			}
			if other, ok := owner[firstSegment(p)]; ok {
				panic(fmt.Sprintf("httpapi: the auth path %q clashes with %q: choose one that begins otherwise", p, other))
			}
			if taken[p] {
				panic(fmt.Sprintf("httpapi: the auth path %q is there twice: give each app, and each of its two calls, its own", p))
			}
			taken[p] = true
		}
		h.engine.Any(a.Channels, gin.WrapF(a.Endpoint.ServeChannels))
		h.engine.Any(a.Users, gin.WrapF(a.Endpoint.ServeUsers))
	}
}

// checkAuthPath refuses a path that no request would have, or that means more
// than itself in a route.
func checkAuthPath(p, prefix string) error {
	if !strings.HasPrefix(p, "/") || p != path.Clean(p) || p != (&url.URL{Path: p}).EscapedPath() || strings.ContainsAny(p, ":*") {
		return fmt.Errorf("httpapi: the auth path %q must be like %s: a / in front, none at the end, nothing that a URL escapes",
			p, DefaultAuthPath)
	}
	if p == prefix {
		return fmt.Errorf("httpapi: the auth path %q is PathPrefix, behind which nothing is left to ask for: choose another", p)
	}
	if rest, ok := strings.CutPrefix(p, prefix+"/"); ok && prefix != "" {
		return fmt.Errorf("httpapi: the auth path %q begins with PathPrefix, which is taken off what is asked: name it %q", p, "/"+rest)
	}
	return nil
}

// firstSegment returns "apps" of "/apps/:app/events".
func firstSegment(p string) string {
	segment, _, _ := strings.Cut(strings.TrimPrefix(p, "/"), "/")
	return segment
}
