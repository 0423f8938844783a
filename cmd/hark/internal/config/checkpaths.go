package config

import (
	"cmp"
	"net/url"
	"path"
	"slices"
	"strings"
)

// The paths that pusher-js asks where it is told no other.
const (
	defaultChannelsPath = "/pusher/auth"
	defaultUsersPath    = "/pusher/user-auth"
)

// ownPaths are the first segments of what the server answers itself.
var ownPaths = []string{"", "app", "apps", "users", "demo", "up", "live", "healthz", "ready", "readyz", "accept-traffic"}

// defaultAuth says where the clients of apps with policies ask. They ask for the default paths as they are, so that what
// begins with path_prefix reaches the server without it.
func (l *loader) defaultAuth() {
	channels, users := behind(l.config.PathPrefix, defaultChannelsPath), behind(l.config.PathPrefix, defaultUsersPath)
	for i := range l.config.Apps {
		app := &l.config.Apps[i]
		if app.Policies != nil {
			app.Auth.ChannelsPath = cmp.Or(app.Auth.ChannelsPath, channels)
			app.Auth.UsersPath = cmp.Or(app.Auth.UsersPath, users)
		}
	}
}

// behind returns a path without a prefix that it may have.
func behind(prefix, p string) string {
	if rest, ok := strings.CutPrefix(p, prefix+"/"); ok {
		return "/" + rest
	}
	return p
}

// checkAuthPaths looks at the paths of auth requests. What is asked there does not name the app, so no two have the same.
func (l *loader) checkAuthPaths() {
	taken := map[string]string{} // path -> the app that has it
	for i, app := range l.config.Apps {
		if app.Policies == nil {
			continue
		}
		at := element("apps", i) + ".auth."
		l.checkAuthPath(app.Auth.ChannelsPath, at+"channels_path", app.ID, taken)
		l.checkAuthPath(app.Auth.UsersPath, at+"users_path", app.ID, taken)
	}
}

func (l *loader) checkAuthPath(p, at, app string, taken map[string]string) {
	first, _, _ := strings.Cut(strings.TrimPrefix(p, "/"), "/")
	owner, twice := taken[p]
	taken[p] = app
	switch prefix := l.config.PathPrefix; {
	case !strings.HasPrefix(p, "/"): // that has been said
	case p != path.Clean(p) || p != (&url.URL{Path: p}).EscapedPath() || strings.ContainsAny(p, ":*"):
		l.wrong(at, "must be like %s, without a slash at the end and what a URL escapes, not %q", defaultChannelsPath, p)
	case slices.Contains(ownPaths, first):
		l.wrong(at, "is %s, and the server answers /%s itself; choose another", p, first)
	case p == prefix:
		l.wrong(at, "is path_prefix, behind which there is nothing left to ask for; choose another")
	case behind(prefix, p) != p:
		l.wrong(at, "begins with path_prefix, which is taken off what is asked; write %s", behind(prefix, p))
	case twice && owner == app:
		l.wrong(at, "is %s, as the app's other path is; give each its own", p)
	case twice:
		l.wrong(at, "is %s, which app %q has; give one of the two apps a path of its own", p, owner)
	}
}
