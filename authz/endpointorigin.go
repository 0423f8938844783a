package authz

import (
	"errors"
	"net/http"
	"slices"

	"hark/protocol"
)

// allowedMethods is the Allow of an endpoint.
const allowedMethods = "POST, OPTIONS"

// preflightAge is for how many seconds a browser need not ask again whether it may ask.
const preflightAge = "600"

var errForeign = &protocol.RESTError{Status: http.StatusForbidden,
	Text: "Pages of this origin may not ask here: use the host that the page comes from, or add the origin to those that are allowed"}

// trust returns what refuses requests of pages of other hosts, except those of the origins.
func trust(origins []string) (*http.CrossOriginProtection, error) {
	foreign := http.NewCrossOriginProtection()
	var wrong []error
	for _, origin := range origins {
		err := CheckOrigin(origin)
		if err == nil {
			err = foreign.AddTrustedOrigin(origin)
		}
		if err != nil {
			wrong = append(wrong, err)
		}
	}
	return foreign, errors.Join(wrong...)
}

// allowReading sets the headers that say who may read the answer, and for how long: nobody keeps it.
func (e *Endpoint) allowReading(h http.Header, r *http.Request) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff") // it is no script, even where a page loads it as one
	h.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if !slices.Contains(e.config.Origins, origin) {
		return
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	if r.Method == http.MethodOptions {
		h.Set("Access-Control-Allow-Methods", http.MethodPost)
		h.Set("Access-Control-Max-Age", preflightAge)
		// The application has chosen its headers, such as Authorization, and the origin is one that it trusts.
		if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
			h.Set("Access-Control-Allow-Headers", asked)
		}
	}
}
