package channels

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"hark/protocol"
)

// checkOrigin refuses the connection of a page that may not connect; nil: it may,
// or it is no page's. Any page may open a websocket to any server, and the
// browser sends its cookies along: where one may be what identifies a
// connection, a foreign page would speak for whoever looks at it.
func (a *App) checkOrigin(r *http.Request) *protocol.Error {
	if r == nil {
		return nil
	}
	origin := r.Header.Get("Origin")
	if origin == "" || a.config.Origins == nil && !(a.asks() && identifiesItself(r)) {
		return nil
	}
	if slices.Contains(a.config.Origins, origin) || sameHost(origin, r.Host) {
		return nil
	}
	return &protocol.Error{Code: protocol.CloseUnauthorized,
		Message: fmt.Sprintf("Connections of the origin %s are not allowed: add it to the app's origins", origin)}
}

// identifiesItself reports whether r has credentials that a browser sends by
// itself: a cookie, and no Authorization that only a program can have set.
func identifiesItself(r *http.Request) bool {
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch strings.ToLower(scheme) {
	case "":
		return r.Header.Get("Cookie") != ""
	case "basic", "digest", "negotiate", "ntlm": // after a dialog, or by a ticket
		return true
	}
	return false
}

// sameHost reports whether an origin is that of the host which was asked.
func sameHost(origin, host string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false
	}
	port := map[string]string{"https": ":443", "http": ":80"}[u.Scheme]
	return strings.EqualFold(u.Host, strings.TrimSuffix(host, port))
}
