package authz_test

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hark/authz"
	"hark/protocol"
)

// now is the server's time in all these tests; requests are signed at it unless they say otherwise.
var now = time.Date(2023, 11, 14, 22, 13, 20, 0, time.UTC) // 1700000000

func hexMD5(body string) string {
	sum := md5.Sum([]byte(body))
	return hex.EncodeToString(sum[:])
}

// common are the parameters of every signed request; a test replaces or leaves out some.
const common = "auth_key=new-key&auth_timestamp=1700000000&auth_version=1.0"

// signedQuery adds the signature of a string to sign to a query.
func signedQuery(query, text string) string {
	return query + "&auth_signature=" + hmacHex("new-secret", text)
}

// get signs a GET of /apps/1/channels: query is what goes over the wire, params the line that is signed.
func get(query, params string) authz.RESTRequest {
	return authz.RESTRequest{Method: "GET", Path: "/apps/1/channels",
		RawQuery: signedQuery(query, "GET\n/apps/1/channels\n"+params)}
}

// post signs a POST of body to /apps/1/events, with sentMD5 as its body_md5, or none if that is empty.
func post(body, sentMD5 string) authz.RESTRequest {
	params := common
	if sentMD5 != "" {
		params += "&body_md5=" + sentMD5
	}
	return authz.RESTRequest{Method: "POST", Path: "/apps/1/events", Body: []byte(body),
		RawQuery: signedQuery(params, "POST\n/apps/1/events\n"+params)}
}

// at signs a GET with this auth_timestamp.
func at(timestamp string) authz.RESTRequest {
	params := "auth_key=new-key&auth_timestamp=" + timestamp + "&auth_version=1.0"
	return get(params, params)
}

// onPath signs a GET for the path signed, and sends it to the path sent.
func onPath(signed, sent string) authz.RESTRequest {
	decoded, err := url.PathUnescape(sent)
	if err != nil {
		panic(err)
	}
	return authz.RESTRequest{Method: "GET", Path: decoded, RawPath: sent,
		RawQuery: signedQuery(common, "GET\n"+signed+"\n"+common)}
}

func TestVerifyREST(t *testing.T) {
	t.Parallel()
	older := "auth_key=old-key&auth_timestamp=1700000000&auth_version=1.0"
	tests := []struct {
		name, why string
		r         authz.RESTRequest
	}{
		{"plain", "", get(common, common)},
		{"a body", "", post(`{"name":"e"}`, hexMD5(`{"name":"e"}`))},
		{"the older key", "every live key may sign",
			authz.RESTRequest{Method: "GET", Path: "/apps/1/channels",
				RawQuery: older + "&auth_signature=" + hmacHex("old-secret", "GET\n/apps/1/channels\n"+older)}},
		{"values are signed decoded", "PHP escapes on the wire",
			get(common+"&info=user_count%2Csubscription_count", common+"&info=user_count,subscription_count")},
		{"values may be sent plainly", "Go, Node and Python do not escape",
			get(common+"&info=user_count,subscription_count", common+"&info=user_count,subscription_count")},
		{"semicolon", "an ordinary character of channel names, not a separator",
			get(common+"&filter_by_prefix=a;b=c", common+"&filter_by_prefix=a;b=c")},
		{"plus and space", "the query is a form",
			get(common+"&x=a+b%2Bc%20d", common+"&x=a b+c d")},
		{"ampersand and equals in a value", "nothing is escaped in the string to sign",
			get(common+"&x=a%26b%3Dc", common+"&x=a&b=c")},
		{"keys in upper case", "keys are lower-cased before they are sorted",
			get("Info=user_count&AUTH_KEY=new-key&auth_Timestamp=1700000000&auth_version=1.0&FILTER_BY_PREFIX=presence-",
				common+"&filter_by_prefix=presence-&info=user_count")},
		{"keys sorted by bytes", "by the decoded lower-case key, not by the pair",
			get(common+"&b=1&a.b=2&a=3&ab=4&a%2Db=5&_=6&%C3%A4=7", "_=6&a=3&a-b=5&a.b=2&ab=4&"+common+"&b=1&ä=7")},
		{"array", "k[]=v in the order in which the values came",
			get("things[]=b&"+common+"&things%5B%5D=a&things[]=c", common+"&things[]=b&things[]=a&things[]=c")},
		{"array among scalars", "what Ruby's pusher-signature signs: brackets are added after sorting",
			get(common+"&k[]=2&k[]=1&k1=a%0Ab&k-&Kb=%C3%BC", common+"&k[]=2&k[]=1&k-=&k1=a\nb&kb=ü")},
		{"null value", "a key without = is signed with one", get(common+"&flag", common+"&flag=")},
		{"empty value", "", get(common+"&flag=", common+"&flag=")},
		{"empty pairs", "not parameters", get("&"+common+"&&x=1&", common+"&x=1")},
		{"unknown parameters", "signed like all others, then ignored",
			get(common+"&auth_other=1&zzz=2", "auth_key=new-key&auth_other=1&auth_timestamp=1700000000&auth_version=1.0&zzz=2")},
		{"body_md5 on a GET", "Python sends the MD5 of the empty body, and signs it",
			get(common+"&body_md5=d41d8cd98f00b204e9800998ecf8427e", common+"&body_md5=d41d8cd98f00b204e9800998ecf8427e")},
		{"no body, no body_md5", "a POST may be empty", post("", "")},
		{"no body, its body_md5", "", post("", "d41d8cd98f00b204e9800998ecf8427e")},
		{"method in lower case", "the official verifier makes it upper case",
			authz.RESTRequest{Method: "get", Path: "/apps/1/channels", RawQuery: signedQuery(common, "GET\n/apps/1/channels\n"+common)}},
		{"path signed as sent", "the first reading", onPath("/apps/1/channels/a%40b", "/apps/1/channels/a%40b")},
		{"path signed decoded", "the second reading", onPath("/apps/1/channels/a@b", "/apps/1/channels/a%40b")},
		{"path decoded once", "", onPath("/apps/1/channels/a%40b", "/apps/1/channels/a%2540b")},
		{"599 s late", "", at("1699999401")},
		{"599 s early", "", at("1700000599")},
		{"fraction of a second", "Ruby's to_i reads the number in front", at("1700000000.75")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := both.VerifyREST(tt.r, now); err != nil {
				t.Errorf("VerifyREST(%+v) = %v, want nil: %s", tt.r, err, tt.why)
			}
		})
	}
}

func TestVerifyRESTRefuses(t *testing.T) {
	t.Parallel()
	shouldHave := func(text, sent string) string {
		return "Invalid signature: you should have sent HmacSHA256Hex(" + text + ", your_secret_key), but you sent " + sent
	}
	expired := func(given string) string {
		return "Timestamp expired: Given timestamp (" + given + ") not within 600s of server time (2023-11-14T22:13:20Z)"
	}
	otherBody := post(`{"name":"e"}`, hexMD5(`{"name":"e"}`))
	otherBody.Body = []byte(`{"name":"x"}`)
	otherMethod := get(common, common)
	otherMethod.Method = "POST"
	added := get(common, common)
	added.RawQuery += "&filter_by_prefix=presence-"
	query := func(q string) authz.RESTRequest {
		return authz.RESTRequest{Method: "GET", Path: "/apps/1/channels", RawQuery: q}
	}
	const signed = `"GET\n/apps/1/channels\n` + common + `"`
	tests := []struct {
		name, why string
		r         authz.RESTRequest
		want      string
	}{
		{"nothing", "official text", query(""), "Missing parameter: auth_key"},
		{"no key", "official text", query("auth_version=1.0"), "Missing parameter: auth_key"},
		{"unknown key", "official text", query("auth_key=x"), "Unknown auth_key"},
		{"empty key", "nobody's", query("auth_key="), "Unknown auth_key"},
		{"no version", "official text", query("auth_key=new-key"), "Version required"},
		{"other version", "official text", query("auth_key=new-key&auth_version=2.0"), "Version not supported"},
		{"version is text", "1 is not 1.0", query("auth_key=new-key&auth_version=1"), "Version not supported"},
		{"no timestamp", "official text", query("auth_key=new-key&auth_version=1.0"), "Timestamp required"},
		{"600 s late", "the window ends before 600", at("1699999400"), expired("2023-11-14T22:03:20Z")},
		{"600 s early", "in both directions", at("1700000600"), expired("2023-11-14T22:23:20Z")},
		{"not a number", "to_i makes it 0", at("abc"), expired("1970-01-01T00:00:00Z")},
		{"empty timestamp", "", at(""), expired("1970-01-01T00:00:00Z")},
		{"two signs", "", at("%2B%2B1700000000"), expired("1970-01-01T00:00:00Z")},
		{"milliseconds", "a usual mistake", at("1700000000000"), expired("55840-11-08T22:13:20Z")},
		{"no signature", "nil as in Ruby", query(common), shouldHave(signed, "nil")},
		{"empty signature", "", query(common + "&auth_signature="), shouldHave(signed, `""`)},
		{"wrong signature", "official text", query(common + "&auth_signature=asdf"), shouldHave(signed, `"asdf"`)},
		{"signature in Ruby's quotes", "it is shown as inspect shows it",
			query(common + "&auth_signature=%22%0A%23%7B%C3%A9%FF"), shouldHave(signed, `"\"\n\#{é\xFF"`)},
		{"the other key's secret", "any key may sign, but with its own secret",
			query(common + "&auth_signature=" + hmacHex("old-secret", "GET\n/apps/1/channels\n"+common)),
			shouldHave(signed, `"`+hmacHex("old-secret", "GET\n/apps/1/channels\n"+common)+`"`)},
		{"method not signed", "", otherMethod,
			shouldHave(`"POST\n/apps/1/channels\n`+common+`"`, `"`+hmacHex("new-secret", "GET\n/apps/1/channels\n"+common)+`"`)},
		{"parameter not signed", "unknown or not, all are signed", added,
			shouldHave(`"GET\n/apps/1/channels\n`+common+`&filter_by_prefix=presence-"`,
				`"`+hmacHex("new-secret", "GET\n/apps/1/channels\n"+common)+`"`)},
		{"path not signed", "the path as sent is shown", onPath("/apps/1/channels", "/apps/1/channels/a%40b"),
			shouldHave(`"GET\n/apps/1/channels/a%40b\n`+common+`"`,
				`"`+hmacHex("new-secret", "GET\n/apps/1/channels\n"+common)+`"`)},
		{"body without body_md5", "the body would not be signed", post("{}", ""), "Missing parameter: body_md5"},
		{"other body", "body_md5 is signed but not this body's", otherBody,
			fmt.Sprintf("Invalid body_md5: the MD5 of the body is %s, but you sent %q", hexMD5(`{"name":"x"}`), hexMD5(`{"name":"e"}`))},
		{"body_md5 of another body on a GET", "not ignored",
			get(common+"&body_md5="+hexMD5("{}"), common+"&body_md5="+hexMD5("{}")),
			fmt.Sprintf("Invalid body_md5: the MD5 of the body is d41d8cd98f00b204e9800998ecf8427e, but you sent %q", hexMD5("{}"))},
		{"body_md5 in upper case", "hex is in lower case", post("{}", strings.ToUpper(hexMD5("{}"))),
			fmt.Sprintf("Invalid body_md5: the MD5 of the body is %s, but you sent %q", hexMD5("{}"), strings.ToUpper(hexMD5("{}")))},
		{"repeated scalar", "which one was meant?", get(common+"&info=a&info=b", common+"&info=a&info=b"), "Repeated parameter: info"},
		{"repeated with the same value", "", get(common+"&info=a&info=a", common+"&info=a&info=a"), "Repeated parameter: info"},
		{"repeated in another case", "the same key once it is lower-cased", get(common+"&info=a&INFO=b", common+"&info=a&info=b"), "Repeated parameter: info"},
		{"repeated key", "not the first and not the last", get("auth_key=old-key&"+common, "auth_key=old-key&"+common), "Repeated parameter: auth_key"},
		{"repeated signature", "", query(common + "&auth_signature=a&auth_signature=b"), "Repeated parameter: auth_signature"},
		{"scalar and array", "", get(common+"&k=1&k[]=2", common+"&k=1&k[]=2"), "Repeated parameter: k"},
		{"array for a scalar", "it is another key", query(strings.Replace(common, "auth_key", "auth_key[]", 1)), "Missing parameter: auth_key"},
		{"odd escape in a value", "no single reading", query(common + "&x=%zz"), `Malformed query string: invalid URL escape "%zz"`},
		{"odd escape in a key", "", query(common + "&%=1"), `Malformed query string: invalid URL escape "%"`},
		{"cut escape", "", query(common + "&x=a%2"), `Malformed query string: invalid URL escape "%2"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := both.VerifyREST(tt.r, now)
			got, ok := errors.AsType[*protocol.RESTError](err)
			if !ok {
				t.Fatalf("VerifyREST(%+v) = %v, want a *protocol.RESTError: %s", tt.r, err, tt.why)
			}
			if diff := cmp.Diff(&protocol.RESTError{Status: 401, Text: tt.want}, got); diff != "" {
				t.Errorf("VerifyREST(%+v): %s (-want +got):\n%s", tt.r, tt.why, diff)
			}
			if errors.Is(err, authz.ErrUnknownKey) != (tt.want == "Unknown auth_key") {
				t.Errorf("errors.Is(%v, ErrUnknownKey) = %v", err, errors.Is(err, authz.ErrUnknownKey))
			}
			if strings.Contains(got.Text, "old-secret") || strings.Contains(got.Text, "new-secret") {
				t.Errorf("the text shows a secret: %s", got.Text)
			}
		})
	}
}

// Numbers beyond int64, and the ends of it, where a difference would overflow.
func TestVerifyRESTFarTimestamps(t *testing.T) {
	t.Parallel()
	for _, ts := range []string{"9223372036854775807", "-9223372036854775808", "-9223372035154775808", "99999999999999999999", "-99999999999999999999", "-1700000000", "0"} {
		_, err := both.VerifyREST(at(ts), now)
		if err == nil || !strings.HasPrefix(err.Error(), "Timestamp expired: Given timestamp (") {
			t.Errorf("timestamp %s: %v, want expired", ts, err)
		}
	}
}

// The window counts whole seconds of the server's clock, as the official verifier does.
func TestVerifyRESTWithinTheSecond(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		now  time.Time
		want bool
	}{
		{now.Add(599*time.Second + 999*time.Millisecond), true},
		{now.Add(600 * time.Second), false},
		{now.Add(-599 * time.Second), true},
		{now.Add(-600 * time.Second), false},
	} {
		if _, err := both.VerifyREST(at("1700000000"), tt.now); (err == nil) != tt.want {
			t.Errorf("at %v: %v, want accepted: %v", tt.now, err, tt.want)
		}
	}
}

func TestParseQuery(t *testing.T) {
	t.Parallel()
	params, err := authz.ParseQuery("Info=user_count%2Cx&b[]=2&filter_by_prefix=presence-;a&b[]=1&flag")
	if err != nil {
		t.Fatal(err)
	}
	want := authz.Params{{"b[]", "2"}, {"b[]", "1"}, {"filter_by_prefix", "presence-;a"}, {"flag", ""}, {"info", "user_count,x"}}
	if diff := cmp.Diff(want, params); diff != "" {
		t.Errorf("ParseQuery (-want +got):\n%s", diff)
	}
	for key, want := range map[string]string{"info": "user_count,x", "filter_by_prefix": "presence-;a", "flag": ""} {
		if got, ok := params.Get(key); got != want || !ok {
			t.Errorf("Get(%q) = %q, %v; want %q", key, got, ok, want)
		}
	}
	if got, ok := params.Get("b"); ok {
		t.Errorf("Get(b) = %q, want nothing: b[] is an array", got)
	}
}

func TestSignREST(t *testing.T) {
	t.Parallel()
	key := twoKeys[1]
	query := url.Values{
		"filter_by_prefix": {"presence-"}, "things[]": {"b", "a"},
		"Auth_Key": {"forged"}, "body_md5": {"forged"}, "auth_signature": {"forged"},
	}
	before := fmt.Sprint(query)
	got := authz.SignREST(key, "POST", "/apps/1/events", query, []byte("{}"), now)
	params := common + "&body_md5=" + hexMD5("{}") + "&filter_by_prefix=presence-&things[]=b&things[]=a"
	want := url.Values{
		"auth_key": {"new-key"}, "auth_timestamp": {"1700000000"}, "auth_version": {"1.0"}, "body_md5": {hexMD5("{}")},
		"filter_by_prefix": {"presence-"}, "things[]": {"b", "a"},
		"auth_signature": {hmacHex("new-secret", "POST\n/apps/1/events\n"+params)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("SignREST (-want +got):\n%s", diff)
	}
	if fmt.Sprint(query) != before {
		t.Errorf("SignREST changed its query to %v", query)
	}
	r := authz.RESTRequest{Method: "POST", Path: "/apps/1/events", RawQuery: got.Encode(), Body: []byte("{}")}
	if _, err := both.VerifyREST(r, now); err != nil {
		t.Errorf("VerifyREST of what SignREST signed: %v", err)
	}
	if got := authz.SignREST(key, "GET", "/apps/1/channels", nil, nil, now); got.Has("body_md5") {
		t.Errorf("SignREST without a body = %v, want no body_md5", got)
	}
}

func BenchmarkVerifyREST(b *testing.B) {
	r := post(`{"name":"order-paid","channels":["orders"],"data":"{\"id\":7}"}`,
		hexMD5(`{"name":"order-paid","channels":["orders"],"data":"{\"id\":7}"}`))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := both.VerifyREST(r, now); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	const text = "POST\n/apps/1/events\n" + common + "&body_md5=d41d8cd98f00b204e9800998ecf8427e"
	sig := hmacHex("new-secret", text)
	b.ReportAllocs()
	for b.Loop() {
		if !authz.Verify("new-secret", text, sig) {
			b.Fatal("not verified")
		}
	}
}
