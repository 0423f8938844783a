package main

import (
	"errors"
	"net"
	"os"

	"github.com/spf13/cobra"

	"hark/cmd/hark/internal/config"
	"hark/cmd/hark/internal/credentials"
)

// A target is the server and app that a client command talks to.
type target struct{ url string }

func addTarget(cmd *cobra.Command) *target {
	t := &target{}
	cmd.Flags().StringVar(&t.url, "url", "", "`PUSHER_URL` of the app, http://KEY:SECRET@HOST:PORT/apps/ID "+
		"(default: from HARK_URL, PUSHER_URL, PUSHER_APP_*, REVERB_* or HARK_APP_*)")
	return t
}

func (t *target) resolve() (credentials.URL, error) {
	if t.url != "" {
		u, err := credentials.Parse(t.url)
		if err != nil {
			return u, usagef("--url: %w", err)
		}
		return u, nil
	}
	u, err := credentials.ForClient(os.Getenv)
	if errors.Is(err, credentials.ErrNone) {
		return localApp()
	}
	if err != nil {
		return u, usageError(err)
	}
	return u, nil
}

// localApp is the app with whose variables a server on this machine is started, in the same container for instance.
func localApp() (credentials.URL, error) {
	app, ok, err := credentials.Group(os.Getenv, credentials.OwnGroup)
	if err != nil {
		return credentials.URL{}, usageError(err)
	}
	if !ok {
		return credentials.URL{}, usagef("no app to talk to: give --url http://KEY:SECRET@HOST:PORT/apps/ID, " +
			"or put that into PUSHER_URL (hark serve --dev prints one)")
	}
	address, err := localAddress()
	return credentials.URL{Scheme: "http", Host: address, App: app}, err
}

// localAddress is where a server that is started on this machine with this environment can be reached.
func localAddress() (string, error) {
	c, err := config.Load(config.Options{})
	if err != nil && !errors.Is(err, config.ErrNoApp) {
		return "", usageError(err)
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return "", usageError(err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}
