package authz

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"hark/protocol"
)

// Params are the parameters of a REST request as they are signed: decoded, with lower-case keys, sorted, no scalar
// twice. Whoever answers a request reads its parameters from here, so that what was signed is what is done.
type Params []Param

// ParseQuery reads a raw query. Unlike net/url it takes a semicolon for the ordinary character that it is in channel
// names, which the Go, Node and Python SDKs send unescaped. A key without = has the empty value.
//
// A query with a bad percent-encoding, or with a key twice that is not an array ("name[]"), has no single reading:
// the error is a [*protocol.RESTError] with status 401, since the signature cannot be checked.
func ParseQuery(rawQuery string) (Params, error) { return parseQuery(nil, rawQuery) }

// parseQuery appends to params, which has none.
func parseQuery(params Params, rawQuery string) (Params, error) {
	if cap(params) == 0 {
		params = make(Params, 0, 6) // what a trigger has, and one
	}
	unescape := url.QueryUnescape
	if !strings.Contains(rawQuery, "%") && !strings.Contains(rawQuery, "+") {
		unescape = asIs
	}
	for part := range strings.SplitSeq(rawQuery, "&") {
		if part == "" {
			continue
		}
		k, v, _ := strings.Cut(part, "=")
		key, err := unescape(k)
		if err != nil {
			return nil, unauthorized("Malformed query string: %v", err)
		}
		value, err := unescape(v)
		if err != nil {
			return nil, unauthorized("Malformed query string: %v", err)
		}
		params = append(params, Param{strings.ToLower(key), value})
	}
	slices.SortStableFunc(params, compareNames)
	for i := 1; i < len(params); i++ {
		a, b := params[i-1], params[i]
		if a.name() == b.name() && !(a.isArray() && b.isArray()) {
			return nil, unauthorized("Repeated parameter: %s", b.name())
		}
	}
	return params, nil
}

func asIs(s string) (string, error) { return s, nil }

// Get returns the value of a scalar parameter, and false if the request has none. The key is in lower case.
func (ps Params) Get(key string) (value string, ok bool) {
	for _, p := range ps {
		if p.Key == key {
			return p.Value, true
		}
	}
	return "", false
}

func unauthorized(format string, args ...any) *protocol.RESTError {
	return &protocol.RESTError{Status: http.StatusUnauthorized, Text: fmt.Sprintf(format, args...)}
}
