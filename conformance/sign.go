package conformance

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
)

// sign returns the signature of a text: HMAC-SHA256 in hex.
//
// Pusher: https://pusher.com/docs/channels/library_auth_reference/auth-signatures/
func (k Key) sign(text string) string {
	mac := hmac.New(sha256.New, []byte(k.Secret))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

// channelAuth returns the auth of a subscribe.
func (k Key) channelAuth(socketID, channel, data string, hasData bool) string {
	text := socketID + ":" + channel
	if hasData {
		text += ":" + data
	}
	return k.Key + ":" + k.sign(text)
}

// userAuth returns the auth of a signin.
func (k Key) userAuth(socketID, data string) string {
	return k.Key + ":" + k.sign(socketID+"::user::"+data)
}

// needsAuth reports whether a channel is opened by a signature.
func needsAuth(channel string) bool {
	return strings.HasPrefix(channel, "private-") || strings.HasPrefix(channel, "presence-")
}

// A param is a parameter of a query, decoded.
type param struct{ name, value string }

// signREST returns the signature of a REST request.
//
// Pusher: https://pusher.com/docs/channels/library_auth_reference/rest-api/#authentication
func (k Key) signREST(method, path string, params []param) string {
	sorted := make([]param, len(params))
	for i, p := range params {
		sorted[i] = param{strings.ToLower(p.name), p.value}
	}
	slices.SortStableFunc(sorted, func(a, b param) int { return strings.Compare(a.name, b.name) })
	pairs := make([]string, len(sorted))
	for i, p := range sorted {
		pairs[i] = p.name + "=" + p.value
	}
	return k.sign(method + "\n" + path + "\n" + strings.Join(pairs, "&"))
}

// parseQuery decodes a query in order.
func parseQuery(query string) ([]param, error) {
	var params []param
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return nil, err
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return nil, err
		}
		params = append(params, param{name, value})
	}
	return params, nil
}

func encodeQuery(params []param) string {
	pairs := make([]string, len(params))
	for i, p := range params {
		pairs[i] = url.QueryEscape(p.name) + "=" + url.QueryEscape(p.value)
	}
	return strings.Join(pairs, "&")
}

func md5Hex(body string) string {
	sum := md5.Sum([]byte(body))
	return hex.EncodeToString(sum[:])
}
