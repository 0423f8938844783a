package credentials

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"strings"

	"hark/authz"
)

// ErrNone is the error when the environment has no app.
var ErrNone = errors.New("no app in the environment")

// Getenv looks a variable up, as os.Getenv does.
type Getenv func(name string) string

// OwnGroup are the names that begin with Hark's own prefix.
const OwnGroup = "HARK_APP_"

// Group reads the three variables that begin with prefix. It returns false if none is set, and an error that names
// what is missing if some are.
func Group(getenv Getenv, prefix string) (App, bool, error) {
	values := map[string]string{}
	var set, missing []string
	for _, name := range []string{"ID", "KEY", "SECRET"} {
		if values[name] = getenv(prefix + name); values[name] != "" {
			set = append(set, prefix+name)
		} else {
			missing = append(missing, prefix+name)
		}
	}
	switch {
	case len(set) == 0:
		return App{}, false, nil
	case len(missing) > 0:
		return App{}, false, fmt.Errorf("%s is set, but not %s: set all three, or none",
			strings.Join(set, " and "), strings.Join(missing, " and "))
	}
	return App{ID: values["ID"], Key: authz.Key{Key: values["KEY"], Secret: authz.Secret(values["SECRET"])}}, true, nil
}

// ForServer returns the app that the environment names and the variable that names it. The error is ErrNone if there
// is none.
func ForServer(getenv Getenv) (app App, from string, err error) {
	for _, prefix := range []string{
		OwnGroup, "", "PUSHER_APP_", "REVERB_APP_", "SOKETI_DEFAULT_APP_", "SOCKUDO_DEFAULT_APP_",
	} {
		if prefix == "" {
			u, ok, err := fromURL(getenv, "PUSHER_URL")
			if ok || err != nil {
				return u.App, "PUSHER_URL", err
			}
			continue
		}
		app, ok, err := Group(getenv, prefix)
		if ok || err != nil {
			return app, prefix + "ID", err
		}
	}
	return App{}, "", ErrNone
}

// ForClient returns the app and the server that the environment names. The error is ErrNone if there is none.
func ForClient(getenv Getenv) (URL, error) {
	for _, name := range []string{"HARK_URL", "PUSHER_URL"} {
		u, ok, err := fromURL(getenv, name)
		if ok || err != nil {
			return u, err
		}
	}
	app, ok, err := Group(getenv, "PUSHER_APP_")
	if err != nil {
		return URL{}, err
	}
	if ok {
		host := getenv("PUSHER_HOST")
		if host == "" { // what the SDKs and Laravel do
			host = "api-" + cmp.Or(getenv("PUSHER_APP_CLUSTER"), "mt1") + ".pusher.com"
		}
		return served(app, host, getenv("PUSHER_PORT"), getenv("PUSHER_SCHEME"), ""), nil
	}
	app, ok, err = Group(getenv, "REVERB_APP_")
	if err != nil {
		return URL{}, err
	}
	if !ok {
		return URL{}, ErrNone
	}
	host := getenv("REVERB_HOST")
	if host == "" {
		return URL{}, errors.New("REVERB_APP_ID is set, but not REVERB_HOST, the server to talk to")
	}
	return served(app, host, getenv("REVERB_PORT"), getenv("REVERB_SCHEME"), getenv("REVERB_SERVER_PATH")), nil
}

func fromURL(getenv Getenv, name string) (URL, bool, error) {
	text := getenv(name)
	if text == "" {
		return URL{}, false, nil
	}
	u, err := Parse(text)
	if err != nil {
		return URL{}, false, fmt.Errorf("%s: %w", name, err)
	}
	return u, true, nil
}

// served has Laravel's defaults: https, and 443 for a port.
func served(app App, host, port, scheme, path string) URL {
	u := URL{Scheme: cmp.Or(strings.ToLower(scheme), "https"), Host: net.JoinHostPort(host, cmp.Or(port, "443")), App: app}
	if u.Scheme == "https" {
		u.Host = strings.TrimSuffix(u.Host, ":443")
	}
	if path = strings.Trim(path, "/"); path != "" {
		u.Prefix = "/" + path
	}
	return u
}
