package credentials

import (
	"errors"
	"net/url"
	"strings"

	"hark/authz"
)

// An App is an app's id and the key to sign with.
type App struct {
	ID  string
	Key authz.Key
}

// A URL is an app and where it is served.
type URL struct {
	Scheme string // http or https
	Host   string // with the port, unless it is the scheme's own
	Prefix string // the path before /apps and /app; "", or it begins with a slash and does not end with one
	App    App
}

// Base returns the address of the server.
func (u URL) Base() string { return u.Scheme + "://" + u.Host + u.Prefix }

// WebSocket returns the address clients connect to. Pusher itself has two hosts: api-eu for REST, ws-eu for clients.
func (u URL) WebSocket() string {
	host := u.Host
	switch name, official := strings.CutSuffix(host, ".pusher.com"); {
	case official && name == "api":
		host = "ws-mt1.pusher.com"
	case official && strings.HasPrefix(name, "api-"):
		host = "ws-" + host[len("api-"):]
	case host == "api.pusherapp.com":
		host = "ws-mt1.pusher.com"
	}
	scheme := "ws"
	if u.Scheme == "https" {
		scheme = "wss"
	}
	return scheme + "://" + host + u.Prefix + "/app/" + url.PathEscape(u.App.Key.Key)
}

// Parse reads a PUSHER_URL: http://KEY:SECRET@HOST:PORT/apps/ID, with http or https. Whatever stands before /apps is a
// prefix. Its errors say what is wrong without repeating the text, which has a secret in it.
func Parse(s string) (URL, error) {
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil {
		return URL{}, malformed("it cannot be read as a URL")
	}
	secret, _ := u.User.Password()
	prefix, id, ok := cutApp(u.Path)
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return URL{}, malformed("it does not begin with http:// or https://")
	case u.Hostname() == "":
		return URL{}, malformed("it has no host")
	case u.User.Username() == "":
		return URL{}, malformed("it has no key")
	case secret == "":
		return URL{}, malformed("it has no secret")
	case !ok:
		return URL{}, malformed("its path does not end with /apps/ID")
	}
	return URL{
		Scheme: u.Scheme,
		Host:   u.Host,
		Prefix: prefix,
		App:    App{ID: id, Key: authz.Key{Key: u.User.Username(), Secret: authz.Secret(secret)}},
	}, nil
}

func cutApp(path string) (prefix, id string, ok bool) {
	const apps = "/apps/"
	path = strings.TrimRight(path, "/")
	i := strings.LastIndex(path, apps)
	if i < 0 {
		return "", "", false
	}
	id = path[i+len(apps):]
	return path[:i], id, id != "" && !strings.Contains(id, "/")
}

func malformed(why string) error {
	return errors.New(why + "; it looks like http://KEY:SECRET@HOST:PORT/apps/ID")
}
