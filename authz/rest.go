package authz

import (
	"crypto/md5"
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The parameters that sign a REST request.
const (
	authKey       = "auth_key"
	authTimestamp = "auth_timestamp"
	authVersion   = "auth_version"
	authSignature = "auth_signature"
	bodyMD5       = "body_md5"
)

// Window is how far a request's timestamp may be from the server's time. A request exactly that old is refused.
const Window = 600 * time.Second

// ErrUnknownKey is the error of [Verifier.VerifyREST] for a key that is not among the Keys. It is a [*protocol.RESTError] that
// says "Unknown auth_key"; a caller who knows the key from another app says "Not authorized for that app" instead.
var ErrUnknownKey error = unauthorized("Unknown auth_key")

// A RESTRequest is what [Verifier.VerifyREST] needs to know of an HTTP request. Where the API is served below a path prefix
// both paths are without it: no SDK signs it.
type RESTRequest struct {
	Method   string
	Path     string // percent-decoded
	RawPath  string // as sent; "" if that is Path
	RawQuery string // as sent, without the ?
	Body     []byte
	Memory   Params // for the parameters that are returned; nil: they get their own
}

// VerifyREST checks that a request was signed with one of the keys, within [Window] of now, for this method, path, query
// and body, and returns the parameters that were signed. The error is a [*protocol.RESTError] with status 401 and the
// official text, for the first of these that is wrong, in the official order: the key, the version, the timestamp, the
// signature; then the body's MD5.
//
// SDKs sign the path as they send it or before they escape it; either will do. Parameters that no endpoint knows are
// signed like all others. A body_md5 is checked and signed whatever the method, since the Python SDK sends that of the
// empty body on GETs; a body needs one.
func (v *Verifier) VerifyREST(r RESTRequest, now time.Time) (Params, error) {
	params, err := parseQuery(r.Memory[:0], r.RawQuery)
	if err != nil {
		return nil, err
	}
	name, ok := params.Get(authKey)
	if !ok {
		return nil, unauthorized("Missing parameter: auth_key")
	}
	key := v.find(name)
	if key == nil {
		return nil, ErrUnknownKey
	}
	if err := checkVersion(params); err != nil {
		return nil, err
	}
	if err := checkTimestamp(params, now); err != nil {
		return nil, err
	}
	if err := checkSignature(key, r, params); err != nil {
		return nil, err
	}
	if err := checkBody(params, r.Body); err != nil {
		return nil, err
	}
	return params, nil
}

func checkVersion(params Params) error {
	version, ok := params.Get(authVersion)
	if !ok {
		return unauthorized("Version required")
	}
	if version != "1.0" {
		return unauthorized("Version not supported")
	}
	return nil
}

func checkTimestamp(params Params, now time.Time) error {
	const layout = "2006-01-02T15:04:05Z"
	const window = int64(Window / time.Second)
	text, ok := params.Get(authTimestamp)
	if !ok {
		return unauthorized("Timestamp required")
	}
	given := leadingInt(text)
	// Not the absolute difference, which overflows for a timestamp near the ends of int64.
	if given <= now.Unix()-window || given >= now.Unix()+window {
		return unauthorized("Timestamp expired: Given timestamp (%s) not within %ds of server time (%s)",
			time.Unix(given, 0).UTC().Format(layout), window, now.UTC().Format(layout))
	}
	return nil
}

// leadingInt reads a number as Ruby's to_i does, which the official verifier uses: "1700000000.25", as some clients
// compute it, is a number, and a text that does not begin with one is 0 (long expired).
func leadingInt(s string) int64 {
	digits := strings.TrimLeft(s, "+-")
	if len(s)-len(digits) > 1 {
		return 0
	}
	end := len(s) - len(digits)
	for end < len(s) && '0' <= s[end] && s[end] <= '9' {
		end++
	}
	n, _ := strconv.ParseInt(s[:end], 10, 64) // the nearest int64 if it is out of range
	return n
}

func checkSignature(key *preparedKey, r RESTRequest, params Params) error {
	path := r.RawPath
	if path == "" {
		path = r.Path
	}
	signature, given := params.Get(authSignature)
	if key.verifyREST(r.Method, path, params, signature) {
		return nil
	}
	if path != r.Path && key.verifyREST(r.Method, r.Path, params, signature) {
		return nil
	}
	sent := "nil"
	if given {
		sent = inspect(signature)
	}
	return unauthorized("Invalid signature: you should have sent HmacSHA256Hex(%s, your_secret_key), but you sent %s",
		inspect(RESTString(r.Method, path, params)), sent)
}

func checkBody(params Params, body []byte) error {
	sent, ok := params.Get(bodyMD5)
	if !ok {
		if len(body) == 0 {
			return nil
		}
		return unauthorized("Missing parameter: body_md5")
	}
	if want := md5Hex(body); !equalHex(want[:], sent) {
		return unauthorized("Invalid body_md5: the MD5 of the body is %s, but you sent %s", string(want[:]), inspect(sent))
	}
	return nil
}

// md5Hex names a body in a signed query. MD5 is the protocol's choice; the query is what the HMAC protects.
func md5Hex(body []byte) (d [2 * md5.Size]byte) {
	sum := md5.Sum(body)
	hex.Encode(d[:], sum[:])
	return d
}

// SignREST returns the query of a request signed with the key: what query holds (it may be nil and is not modified),
// auth_key, auth_timestamp, auth_version, auth_signature and, if there is a body, body_md5. Encode it into the URL as it
// is. path is as sent, without host, query, and any prefix under which the API is served. A key of the query with
// several values must be that of an array ("name[]"), or the server refuses the request.
func SignREST(k Key, method, path string, query url.Values, body []byte, now time.Time) url.Values {
	signed := make(url.Values, len(query)+5)
	for key, values := range query {
		switch strings.ToLower(key) {
		case authKey, authTimestamp, authVersion, authSignature, bodyMD5:
		default:
			signed[key] = append([]string(nil), values...)
		}
	}
	signed.Set(authKey, k.Key)
	signed.Set(authTimestamp, strconv.FormatInt(now.Unix(), 10))
	signed.Set(authVersion, "1.0")
	if len(body) > 0 {
		sum := md5Hex(body)
		signed.Set(bodyMD5, string(sum[:]))
	}
	var params []Param
	for key, values := range signed {
		for _, value := range values {
			params = append(params, Param{key, value})
		}
	}
	signed.Set(authSignature, Sign(k.Secret, RESTString(method, path, params)))
	return signed
}
