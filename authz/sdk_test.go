package authz_test

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"hark/authz"
)

// A call is one use of an SDK: what its user passes in.
type call struct {
	method, path string
	params       map[string]string
	body         string // JSON as the SDK encodes it; "" for GETs
}

var calls = []struct {
	name string
	call call
}{
	{"trigger", call{"POST", "/apps/1/events", nil, `{"name":"e","data":"\"x\"","channel":"private-a"}`}},
	{"trigger in UTF-8", call{"POST", "/apps/1/events", nil, `{"name":"é","data":"ü🎈","channels":["a"]}`}},
	{"batch", call{"POST", "/apps/1/batch_events", nil, `{"batch":[{"name":"e","channel":"a","data":"1"}]}`}},
	{"channels", call{"GET", "/apps/1/channels", nil, ""}},
	{"channels filtered", call{"GET", "/apps/1/channels", map[string]string{"filter_by_prefix": "presence-", "info": "user_count"}, ""}},
	{"channel", call{"GET", "/apps/1/channels/presence-a", map[string]string{"info": "user_count,subscription_count"}, ""}},
	{"channel with every character", call{"GET", "/apps/1/channels/presence-a@b.c,d;e=f_g-1", map[string]string{"info": "user_count,cache"}, ""}},
	{"filter with every character", call{"GET", "/apps/1/channels", map[string]string{"filter_by_prefix": "a@b.c,d;e=f_g-1"}, ""}},
	{"users", call{"GET", "/apps/1/channels/presence-a/users", nil, ""}},
	{"terminate", call{"POST", "/apps/1/users/42/terminate_connections", nil, "{}"}},
}

// sorted joins key=value pairs by &, in byte order of the keys.
func sorted(params map[string]string, value func(string) string) string {
	var pairs []string
	for _, k := range slices.Sorted(maps.Keys(params)) {
		pairs = append(pairs, k+"="+value(params[k]))
	}
	return strings.Join(pairs, "&")
}

func plain(s string) string { return s }

// phpQuery percent-encodes as PHP's http_build_query does under RFC 3986, which guzzle uses.
func phpQuery(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// pusher-http-php 7: the parameters are signed plainly and go to guzzle as an array, which escapes them on the wire, the
// signature last. The option path is a prefix of the URL which is not signed; the caller of VerifyREST has taken it off.
func phpRequest(c call) authz.RESTRequest {
	params := map[string]string{"auth_key": "new-key", "auth_timestamp": "1700000000", "auth_version": "1.0"}
	if c.method == "POST" {
		params["body_md5"] = hexMD5(c.body)
	}
	maps.Copy(params, c.params)
	signature := hmacHex("new-secret", c.method+"\n"+c.path+"\n"+sorted(params, plain))
	sent := "https://example.com:6001/laravel/ws" + c.path + "?" + sorted(params, phpQuery) + "&auth_signature=" + signature
	return received(c, strings.Replace(sent, "/laravel/ws/", "/", 1))
}

// pusher-http-python 3: nothing is escaped (requests escapes only what no URL may hold), the signature is sorted in, and
// body_md5 is there whatever the method.
func pythonRequest(c call) authz.RESTRequest {
	params := map[string]string{"auth_key": "new-key", "auth_timestamp": "1700000000", "auth_version": "1.0"}
	maps.Copy(params, c.params)
	params["body_md5"] = hexMD5(c.body)
	signature := hmacHex("new-secret", fmt.Sprintf("%s\n%s\n%s", c.method, c.path, sorted(params, plain)))
	params["auth_signature"] = signature
	return received(c, "https://example.com:6001"+c.path+"?"+sorted(params, plain))
}

// pusher-http-node 5: as Python, but body_md5 only with a body, and the signature last.
func nodeRequest(c call) authz.RESTRequest {
	params := map[string]string{"auth_key": "new-key", "auth_timestamp": "1700000000", "auth_version": "1.0"}
	if c.body != "" {
		params["body_md5"] = hexMD5(c.body)
	}
	maps.Copy(params, c.params)
	query := sorted(params, plain)
	query += "&auth_signature=" + hmacHex("new-secret", strings.Join([]string{c.method, c.path, query}, "\n"))
	return received(c, "https://example.com:6001"+c.path+"?"+query)
}

// A client that signs what its URL library makes of the path: every character escaped that may be.
func escapingRequest(c call) authz.RESTRequest {
	params := map[string]string{"auth_key": "new-key", "auth_timestamp": "1700000000", "auth_version": "1.0"}
	if c.body != "" {
		params["body_md5"] = hexMD5(c.body)
	}
	maps.Copy(params, c.params)
	segments := strings.Split(c.path, "/")
	for i, s := range segments {
		segments[i] = url.QueryEscape(s)
	}
	path := strings.Join(segments, "/")
	signature := hmacHex("new-secret", c.method+"\n"+path+"\n"+sorted(params, plain))
	return received(c, "https://example.com"+path+"?"+sorted(params, url.QueryEscape)+"&auth_signature="+signature)
}

// received is what a Go server sees of a request to that URL.
func received(c call, sent string) authz.RESTRequest {
	u, err := url.ParseRequestURI(sent)
	if err != nil {
		panic(err)
	}
	return authz.RESTRequest{Method: c.method, Path: u.Path, RawPath: u.EscapedPath(), RawQuery: u.RawQuery, Body: []byte(c.body)}
}

func TestSDKs(t *testing.T) {
	t.Parallel()
	sdks := []struct {
		name, why string
		request   func(call) authz.RESTRequest
	}{
		{"php", "escapes values on the wire; prefix not signed", phpRequest},
		{"python", "body_md5 on GETs; nothing escaped", pythonRequest},
		{"node", "nothing escaped", nodeRequest},
		{"escaping", "signs the path as sent", escapingRequest},
	}
	for _, sdk := range sdks {
		for _, c := range calls {
			t.Run(sdk.name+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				r := sdk.request(c.call)
				params, err := both.VerifyREST(r, now)
				if err != nil {
					t.Fatalf("VerifyREST(%+v) = %v, want nil: %s", r, err, sdk.why)
				}
				for k, want := range c.call.params {
					if got, ok := params.Get(k); got != want || !ok {
						t.Errorf("parameter %s = %q, want what the user passed: %q", k, got, want)
					}
				}
				r.Body = append(r.Body, ' ')
				if _, err := both.VerifyREST(r, now); err == nil {
					t.Error("VerifyREST takes another body")
				}
			})
		}
	}
}

// Keys are lower-cased before they are signed, as the official verifier does: who signs them as written is refused there
// too.
func TestUpperCaseKeys(t *testing.T) {
	t.Parallel()
	signed := common + "&INFO=user_count"
	lower := common + "&info=user_count"
	r := get(signed, lower)
	if _, err := both.VerifyREST(r, now); err != nil {
		t.Errorf("signed in lower case: %v, want nil", err)
	}
	if _, err := both.VerifyREST(get(signed, signed), now); err == nil {
		t.Error("signed in upper case: nil, want 401")
	}
}
