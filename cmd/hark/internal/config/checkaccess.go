package config

import (
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"hark/authz"
	"hark/channels"
	"hark/protocol"
)

// checkAccess looks at who may connect to an app, and how it is found out who they are.
func (l *loader) checkAccess(i int) {
	app, at := l.config.Apps[i], element("apps", i)
	l.checkOrigins(app.AllowedOrigins, at+".allowed_origins")
	l.checkPatterns(app.PublicChannels, at+".public_channels")
	if app.IdentityPattern != "" {
		l.checkIdentityPattern(app, at+".identity_pattern")
	}
	if app.JWT != nil {
		l.checkJWT(*app.JWT, at+".jwt")
	}
	if app.Callback != nil {
		l.checkCallback(app, at+".callback")
	}
	if app.RequireUser && !app.canSignIn() {
		l.wrong(at+".require_user", "would let nobody connect; give the app jwt, or callback with authenticate: true")
	}
	if app.Policies == nil {
		if l.at[at+".auth"] != "" {
			l.wrong(at+".auth", "goes with policies, and there are none: clients ask the application's backend")
		}
		return
	}
	l.checkOrigins(app.Auth.AllowedOrigins, at+".auth.allowed_origins")
	if key := app.Auth.MasterKey; key != "" {
		if _, err := authz.ParseMasterKey(string(key)); err != nil {
			l.wrong(at+".auth.master_key", "is no key: %v", err)
		}
	}
}

// checkOrigins wants what browsers send, to the letter: that is what it is compared with.
func (l *loader) checkOrigins(origins []string, path string) {
	for i, origin := range origins {
		if authz.CheckOrigin(origin) != nil {
			l.wrong(element(path, i), "must be as browsers send it, like https://app.example or http://localhost:8080, "+
				"in lower case, without a path, a default port or wildcards, not %q", origin)
		}
	}
}

func (l *loader) checkIdentityPattern(app App, path string) {
	if err := channels.CheckIdentityPattern(app.IdentityPattern); err != nil {
		l.wrong(path, "cannot say who somebody is: %s", strings.TrimPrefix(err.Error(), "authz: "))
	} else if app.Policies != nil {
		l.wrong(path, "goes without policies: with them the server knows whom it lets onto a channel")
	}
}

// headerPattern is the form of a header's name.
var headerPattern = regexp.MustCompile(`^[A-Za-z0-9-]+$`)

func (l *loader) checkCallback(app App, path string) {
	c := app.Callback
	if c.URL != "" {
		l.checkURL(path+".url", c.URL)
	}
	if c.Authenticate && app.JWT != nil {
		l.wrong(path+".authenticate", "says who somebody is, and so does jwt; choose one of them")
	}
	for i, name := range c.Headers {
		if at := element(path+".headers", i); !headerPattern.MatchString(name) {
			l.wrong(at, "must be a header's name like Authorization, not %q", name)
		} else if isReserved(textproto.CanonicalMIMEHeaderKey(name)) {
			l.wrong(at, "is %s, which is not for clients to say", name)
		}
	}
	l.checkPatterns(c.ClientEvents, path+".client_events")
	l.checkPatterns(c.Subscribed, path+".subscribed")
	if len(c.ClientEvents) > 0 && !app.ClientEvents {
		l.wrong(path+".client_events", "is of use only where the app has client_events: true")
	}
	for i, name := range c.Messages {
		at, limit := element(path+".messages", i), app.Limits.WithDefaults().EventName
		if err := protocol.CheckEvent(name, limit); err != nil {
			l.wrong(at, "cannot be sent: %v", err)
		} else if protocol.IsClientEvent(name) {
			l.wrong(at, "is %q: names that begin with client- are events on channels", name)
		}
	}
}

// isReserved reports whether a header says something about the question itself. name is in canonical form.
func isReserved(name string) bool {
	return slices.Contains([]string{
		"Accept-Encoding", "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Expect", "Host",
		"Idempotency-Key", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "X-Forwarded-For",
	}, name) || strings.HasPrefix(name, "Proxy-") || strings.HasPrefix(name, "X-Pusher-") || strings.HasPrefix(name, "Hark-")
}

func (l *loader) checkPatterns(patterns []string, path string) {
	for i, pattern := range patterns {
		if _, err := authz.ParsePattern(pattern); err != nil {
			l.wrong(element(path, i), "is no pattern: %s", strings.TrimPrefix(err.Error(), "authz: "))
		}
	}
}

// checkURL looks at an address that the server asks. What it says does not show the address: it may have a secret.
func (l *loader) checkURL(path, text string) {
	switch u, err := url.Parse(text); {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		l.wrong(path, "must be an address like https://app.example/hark")
	case u.User != nil:
		l.wrong(path, "must have no user and password in it")
	case u.Fragment != "":
		l.wrong(path, "must have no # and nothing behind it")
	}
}
