package httpapi_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hark/authz"
	"hark/channels"
	"hark/channels/hubtest"
	"hark/httpapi"
)

var key = authz.Key{Key: hubtest.Key, Secret: hubtest.Secret}

// A call is one REST request and what must be answered.
type call struct {
	name   string
	method string // "" is GET, or POST with a body
	path   string // as sent; "" is /apps/1001/events
	query  url.Values
	body   string
	key    authz.Key                 // zero: the app's
	bend   func(r *http.Request)     // after signing
	at     func(time.Time) time.Time // when it was signed; nil: now
	status int
	answer string // the body; one that begins with … is contained
}

// do sends the call, signed, through a Handler.
func (c call) do(h http.Handler) (int, string, http.Header) {
	if c.method == "" {
		c.method = "GET"
		if c.body != "" {
			c.method = "POST"
		}
	}
	if c.path == "" {
		c.path = "/apps/1001/events"
	}
	if c.key == (authz.Key{}) {
		c.key = key
	}
	now := time.Now()
	if c.at != nil {
		now = c.at(now)
	}
	query := authz.SignREST(c.key, c.method, c.path, c.query, []byte(c.body), now)
	r := httptest.NewRequest(c.method, c.path+"?"+query.Encode(), strings.NewReader(c.body))
	if c.bend != nil {
		c.bend(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String(), w.Header()
}

func (c call) check(t *testing.T, h http.Handler) {
	t.Helper()
	status, answer, header := c.do(h)
	want, contained := strings.CutPrefix(c.answer, "…")
	if status != c.status || answer != want && !(contained && strings.Contains(answer, want)) {
		t.Errorf("answered %d %q, want %d %q", status, answer, c.status, c.answer)
	}
	kind := "text/plain; charset=utf-8"
	if status == 200 || strings.HasPrefix(want, "{") {
		kind = "application/json"
	}
	if got := header.Get("Content-Type"); got != kind {
		t.Errorf("Content-Type %q, want %q", got, kind)
	}
	if kind != "application/json" && !strings.HasSuffix(answer, "\n") {
		t.Errorf("the text %q does not end its line", answer)
	}
}

// config serves app 1001 with an alias, a second app, and one that is disabled.
func config() channels.Config {
	c := hubtest.Config()
	c.Apps[0].Aliases = []string{"app-id"}
	c.Apps = append(c.Apps,
		channels.AppConfig{ID: "2", Keys: authz.Keys{{Key: "other-key", Secret: "other"}}},
		channels.AppConfig{ID: "3", Keys: authz.Keys{{Key: "off-key", Secret: "off"}}, Disabled: true})
	return c
}

func inBubble(t *testing.T, name string, f func(t *testing.T, hub *channels.Hub, h http.Handler)) {
	inBubbleWith(t, name, config(), f)
}

func inBubbleWith(t *testing.T, name string, c channels.Config, f func(t *testing.T, hub *channels.Hub, h http.Handler)) {
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			hub := hubtest.Start(t, c)
			f(t, hub, httpapi.New(hub, httpapi.Config{}))
		})
	})
}

func names(n int) string {
	quoted := make([]string, n)
	for i := range quoted {
		quoted[i] = fmt.Sprintf(`"c%d"`, i)
	}
	return strings.Join(quoted, ",")
}

func batch(n int) string {
	return `{"batch":[` + strings.TrimSuffix(strings.Repeat(`{"name":"e","channel":"c","data":"1"},`, n), ",") + `]}`
}

const event = `{"name":"e","channels":["c"],"data":"1"}`

// TestRefusals: each gets its documented answer, and nothing is published.
func TestRefusals(t *testing.T) {
	ago := func(d time.Duration) func(time.Time) time.Time {
		return func(now time.Time) time.Time { return now.Add(-d) }
	}
	without := func(param string) func(*http.Request) {
		return func(r *http.Request) {
			q := r.URL.Query()
			q.Del(param)
			r.URL.RawQuery = q.Encode()
		}
	}
	tooMuch := "The data content of this event exceeds the allowed maximum (10240 bytes). " +
		"See https://pusher.com/docs/channels/server_api/http-api#publishing-events for more info\n"
	calls := []call{
		{name: "unknown app", path: "/apps/9/events", body: event, status: 404, answer: "…Unknown app"},
		{name: "unknown path", path: "/apps/1001/nothing", status: 404, answer: "…Unknown path"},
		{name: "wrong method", method: "GET", status: 405, answer: "…not allowed"},
		{name: "disabled app", path: "/apps/3/events", key: authz.Key{Key: "off-key", Secret: "off"}, body: event, status: 403, answer: "…disabled"},
		{name: "unknown key", key: authz.Key{Key: "nobody", Secret: "s"}, body: event, status: 401, answer: "Unknown auth_key\n"},
		{name: "key of another app", key: authz.Key{Key: "other-key", Secret: "other"}, body: event, status: 401, answer: "Not authorized for that app\n"},
		{name: "wrong secret", key: authz.Key{Key: hubtest.Key, Secret: "wrong"}, body: event, status: 401, answer: `…Invalid signature: you should have sent HmacSHA256Hex("POST\n/apps/1001/events\nauth_key=app-key&`},
		{name: "no key", body: event, bend: without("auth_key"), status: 401, answer: "Missing parameter: auth_key\n"},
		{name: "no version", body: event, bend: without("auth_version"), status: 401, answer: "Version required\n"},
		{name: "no timestamp", body: event, bend: without("auth_timestamp"), status: 401, answer: "Timestamp required\n"},
		{name: "no signature", body: event, bend: without("auth_signature"), status: 401, answer: "…but you sent nil"},
		{name: "no body_md5", body: event, bend: without("body_md5"), status: 401, answer: "…Invalid signature"},
		{name: "600 s old", body: event, at: ago(600 * time.Second), status: 401, answer: "…not within 600s of server time"},
		{name: "600 s ahead", body: event, at: ago(-600 * time.Second), status: 401, answer: "…Timestamp expired"},
		{name: "another body", body: event, bend: func(r *http.Request) { setBody(r, `{"name":"x","channels":["c"],"data":"1"}`) }, status: 401, answer: "…body_md5"},
		{name: "not JSON", body: "nonsense", status: 400, answer: "…"},
		{name: "not an object", body: "[1]", status: 400, answer: "…"},
		{name: "invalid UTF-8", body: "{\"name\":\"e\",\"channels\":[\"c\"],\"data\":\"\xff\"}", status: 400, answer: "…"},
		{name: "no name", body: `{"channels":["c"],"data":"1"}`, status: 400, answer: "…name"},
		{name: "name is a number", body: `{"name":1,"channels":["c"],"data":"1"}`, status: 400, answer: "Expected name parameter to be a string\n"},
		{name: "reserved name", body: `{"name":"pusher:e","channels":["c"],"data":"1"}`, status: 400, answer: "…pusher:"},
		{name: "no data", body: `{"name":"e","channels":["c"]}`, status: 400, answer: "…data"},
		{name: "data is an object", body: `{"name":"e","channels":["c"],"data":{"a":1}}`, status: 400, answer: "…data parameter"},
		{name: "no channel", body: `{"name":"e","data":"1"}`, status: 400, answer: "…channel"},
		{name: "channel with a space", body: `{"name":"e","channels":["c","a b"],"data":"1"}`, status: 400, answer: "…Invalid channel name"},
		{name: "reserved channel", body: `{"name":"e","channels":["#x"],"data":"1"}`, status: 400, answer: "…reserved"},
		{name: "101 channels", body: `{"name":"e","channels":[` + names(101) + `],"data":"1"}`, status: 400, answer: "…100"},
		{name: "10 241 bytes", body: `{"name":"e","channels":["c"],"data":"` + strings.Repeat("d", 10241) + `"}`, status: 413, answer: tooMuch},
		{name: "bad socket_id", body: `{"name":"e","channels":["c"],"data":"1","socket_id":"abc"}`, status: 400, answer: "…socket_id"},
		{name: "unknown info", body: `{"name":"e","channels":["c"],"data":"1","info":"weather"}`, status: 400, answer: "…weather"},
		{name: "body over the cap", body: strings.Repeat(" ", 1<<20+1), status: 413, answer: "…1048576 bytes"},
		{name: "announced over the cap", body: event, bend: func(r *http.Request) { r.ContentLength = 1 << 40 }, status: 413, answer: "…1048576 bytes"},
		{name: "11 in a batch", path: "/apps/1001/batch_events", body: batch(11), status: 400, answer: "…10"},
		{name: "one bad of two", path: "/apps/1001/batch_events", body: `{"batch":[{"name":"e","channel":"c","data":"1"},{"name":"e","channel":"c"}]}`, status: 400, answer: "…batch[1]"},
		{name: "empty batch", path: "/apps/1001/batch_events", body: `{"batch":[]}`, status: 400, answer: "…"},
		{name: "user_count of all", path: "/apps/1001/channels", query: url.Values{"info": {"user_count"}}, status: 400, answer: "user_count may only be requested for presence channels - please supply filter_by_prefix beginning with presence-\n"},
		{name: "unknown info of all", path: "/apps/1001/channels", query: url.Values{"info": {"x"}}, status: 400, answer: "…x"},
		{name: "user_count of a public channel", path: "/apps/1001/channels/c", query: url.Values{"info": {"user_count"}}, status: 400, answer: "Cannot retrieve the user count unless the channel is a presence channel\n"},
		{name: "users of a public channel", path: "/apps/1001/channels/c/users", status: 400, answer: "…presence"},
		{name: "a slash in the name", path: "/apps/1001/channels/a%2Fusers", status: 400, answer: `…Invalid channel name "a/users"`},
		{name: "a plus in the name", path: "/apps/1001/channels/a+b%40", status: 400, answer: `…Invalid channel name "a+b@"`},
		{name: "decoded once", path: "/apps/1001/channels/a%2540b", status: 400, answer: `…Invalid channel name "a%40b"`},
		{name: "413 in a batch", path: "/apps/1001/batch_events", body: `{"batch":[{"name":"e","channel":"c","data":"1"},{"name":"e","channel":"c","data":"` + strings.Repeat("d", 10241) + `"}]}`, status: 413, answer: "…batch[1]"},
		{name: "parameters that are not UTF-8", method: "POST", query: url.Values{"name": {"e"}, "channel": {"c"}, "data": {"\xff"}}, status: 400, answer: "Invalid parameters in the query string: they must be UTF-8\n"},
		{name: "no body and no parameters", method: "POST", status: 400, answer: "Expected name parameter to be a string\n"},
		{name: "cache of a channel that has none", path: "/apps/1001/channels/c", query: url.Values{"info": {"cache"}}, status: 400, answer: "Cannot retrieve the cache unless the channel is a cache channel\n"},
		{name: "cache of what is triggered", body: `{"name":"e","channel":"cache-c","data":"1","info":"cache"}`, status: 400, answer: "…cache is not available here"},
		{name: "subscription_count of all", path: "/apps/1001/channels", query: url.Values{"filter_by_prefix": {"presence-"}, "info": {"subscription_count"}}, status: 400, answer: "…user_count"},
		{name: "no channel's name", path: "/apps/1001/channels/a%20b", status: 400, answer: "…Invalid channel name"},
		{name: "repeated parameter", path: "/apps/1001/channels", query: url.Values{"a": {"1", "2"}}, status: 401, answer: "…Repeated"},
	}
	for _, c := range calls {
		inBubble(t, c.name, func(t *testing.T, hub *channels.Hub, h http.Handler) {
			listener := hubtest.Connect(t, hub)
			listener.Subscribe("c")
			listener.Take()
			c.check(t, h)
			listener.Expect()
		})
	}
}

func setBody(r *http.Request, body string) {
	r.Body = http.NoBody
	r.ContentLength = int64(len(body))
	fresh := httptest.NewRequest("POST", "/", bytes.NewReader([]byte(body)))
	r.Body = fresh.Body
}

// TestAccepted: the last that is accepted at each bound, and the forms that
// SDKs send.
func TestAccepted(t *testing.T) {
	e := func(data string) string { return `{"event":"e","channel":"c","data":"` + data + `"}` }
	tests := []struct {
		call
		heard []string
	}{
		{call{name: "an event", body: event, answer: "{}"}, []string{e("1")}},
		{call{name: "by alias", path: "/apps/app-id/events", body: event, answer: "{}"}, []string{e("1")}},
		{call{name: "599 s old", body: event, answer: "{}", at: func(now time.Time) time.Time { return now.Add(-599 * time.Second) }}, []string{e("1")}},
		{call{name: "599 s ahead", body: event, answer: "{}", at: func(now time.Time) time.Time { return now.Add(599 * time.Second) }}, []string{e("1")}},
		{call{name: "100 channels", body: `{"name":"e","channels":["c",` + names(99) + `],"data":"1"}`, answer: "{}"}, []string{e("1")}},
		{call{name: "the same channel twice", body: `{"name":"e","channels":["c","c"],"data":"1"}`, answer: "{}"}, []string{e("1")}},
		{call{name: "channel in place of channels", body: `{"name":"e","channel":"c","data":"1"}`, answer: "{}"}, []string{e("1")}},
		{call{name: "empty data", body: `{"name":"e","channel":"c","data":""}`, answer: "{}"}, []string{e("")}},
		{call{name: "10 240 bytes", body: `{"name":"e","channels":["c"],"data":"` + strings.Repeat("d", 10240) + `"}`, answer: "{}"}, []string{e(strings.Repeat("d", 10240))}},
		{call{name: "10 in a batch", path: "/apps/1001/batch_events", body: batch(10), answer: "{}"}, strings.Split(strings.Repeat(e("1")+"\n", 9)+e("1"), "\n")},
		{call{name: "batch in order", path: "/apps/1001/batch_events", body: `{"batch":[{"name":"e","channel":"c","data":"1"},{"name":"e","channel":"d","data":"2"},{"name":"e","channel":"c","data":"3"}]}`, answer: "{}"}, []string{e("1"), e("3")}},
		{call{name: "to a user who is not here", body: `{"name":"e","channel":"#server-to-user-42","data":"1"}`, answer: "{}"}, nil},
		{call{name: "a socket that is not here", body: `{"name":"e","channel":"c","data":"1","socket_id":"9.9"}`, answer: "{}"}, []string{e("1")}},
		{call{name: "parameters in the query", method: "POST", query: url.Values{"name": {"e"}, "channels[]": {"c", "d"}, "data": {"1"}}, answer: "{}"}, []string{e("1")}},
		{call{name: "info", body: `{"name":"e","channels":["c","presence-p"],"data":"1","info":"user_count,subscription_count"}`,
			answer: `{"channels":{"c":{"subscription_count":1},"presence-p":{"user_count":1,"subscription_count":2}}}`}, []string{e("1")}},
		{call{name: "info in a batch", path: "/apps/1001/batch_events", body: `{"batch":[{"name":"e","channel":"c","data":"1","info":"subscription_count"},{"name":"e","channel":"d","data":"1"}]}`,
			answer: `{"batch":[{"subscription_count":1},{}]}`}, []string{e("1")}},
		{call{name: "channels", path: "/apps/1001/channels", answer: `{"channels":{"c":{},"presence-p":{}}}`}, nil},
		{call{name: "channels of a prefix", path: "/apps/1001/channels", query: url.Values{"filter_by_prefix": {"presence-"}, "info": {"user_count"}}, answer: `{"channels":{"presence-p":{"user_count":1}}}`}, nil},
		{call{name: "no channels", path: "/apps/1001/channels", query: url.Values{"filter_by_prefix": {"x"}}, answer: `{"channels":{}}`}, nil},
		{call{name: "a channel", path: "/apps/1001/channels/c", query: url.Values{"info": {"subscription_count"}}, answer: `{"occupied":true,"subscription_count":1}`}, nil},
		{call{name: "an empty channel", path: "/apps/1001/channels/presence-x", query: url.Values{"info": {"user_count,subscription_count"}}, answer: `{"occupied":false,"user_count":0,"subscription_count":0}`}, nil},
		{call{name: "commas as Go, Node and Python send them", path: "/apps/1001/channels/presence-p", query: url.Values{"info": {"user_count,subscription_count"}},
			bend:   func(r *http.Request) { r.URL.RawQuery = strings.ReplaceAll(r.URL.RawQuery, "%2C", ",") },
			answer: `{"occupied":true,"user_count":1,"subscription_count":2}`}, nil},
		{call{name: "commas as PHP sends them", path: "/apps/1001/channels/presence-p", query: url.Values{"info": {"user_count,subscription_count"}},
			answer: `{"occupied":true,"user_count":1,"subscription_count":2}`}, nil},
		{call{name: "an escape signed before it was escaped", path: "/apps/1001/channels/presence-@x/users",
			bend: func(r *http.Request) { r.URL.RawPath = "/apps/1001/channels/presence-%40x/users" }, answer: `{"users":[]}`}, nil},
		{call{name: "users", path: "/apps/1001/channels/presence-p/users", answer: `{"users":[{"id":"ada"}]}`}, nil},
		{call{name: "users of an empty channel", path: "/apps/1001/channels/presence-x/users", answer: `{"users":[]}`}, nil},
		{call{name: "a name with an escape", path: "/apps/1001/channels/a%40b", answer: `{"occupied":false}`}, nil},
		{call{name: "the MD5 of nothing, as Python sends it", path: "/apps/1001/channels", query: url.Values{"filter_by_prefix": {"x"}}, bend: signLikePython, answer: `{"channels":{}}`}, nil},
	}
	for _, tt := range tests {
		inBubble(t, tt.name, func(t *testing.T, hub *channels.Hub, h http.Handler) {
			listener, member, tab := hubtest.Connect(t, hub), hubtest.Connect(t, hub), hubtest.Connect(t, hub)
			listener.Subscribe("c")
			member.Join("presence-p", "ada")
			tab.Join("presence-p", "ada")
			listener.Take()
			tt.status = 200
			tt.check(t, h)
			listener.Expect(tt.heard...)
		})
	}
}

// signLikePython signs the request anew with a body_md5 on a GET.
func signLikePython(r *http.Request) {
	q := r.URL.Query()
	q.Del("auth_signature")
	q.Set("body_md5", "d41d8cd98f00b204e9800998ecf8427e")
	var params []authz.Param
	for k := range q {
		params = append(params, authz.Param{Key: k, Value: q.Get(k)})
	}
	q.Set("auth_signature", authz.Sign(key.Secret, authz.RESTString(r.Method, r.URL.Path, params)))
	r.URL.RawQuery = q.Encode()
}

// The sender's socket, named by the backend, does not hear the event.
func TestExceptSocket(t *testing.T) {
	inBubble(t, "", func(t *testing.T, hub *channels.Hub, h http.Handler) {
		a, b := hubtest.Connect(t, hub), hubtest.Connect(t, hub)
		a.Subscribe("c")
		b.Subscribe("c")
		a.Take()
		b.Take()
		call{body: fmt.Sprintf(`{"name":"e","channels":["c"],"data":"1","socket_id":%q}`, a.ID()), status: 200, answer: "{}"}.check(t, h)
		a.Expect()
		b.Expect(`{"event":"e","channel":"c","data":"1"}`)
	})
}

func TestHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, err := channels.New(config())
		if err != nil {
			t.Fatal(err)
		}
		h := httpapi.New(hub, httpapi.Config{})
		alive := []string{"/", "/up", "/up/1001", "/up/app-id", "/live", "/healthz"}
		ready := []string{"/ready", "/readyz", "/accept-traffic"}
		expect := func(paths []string, want int) {
			t.Helper()
			for _, path := range paths {
				for _, method := range []string{"GET", "HEAD"} {
					if got := get(h, method, path).Code; got != want {
						t.Errorf("%s %s: %d, want %d", method, path, got, want)
					}
				}
			}
		}
		expect(alive, 200)
		expect(ready, 503)
		hubtest.Run(t, hub)
		expect(append(alive, ready...), 200)
		if got := get(h, "GET", "/up/9").Code; got != 404 {
			t.Errorf("GET /up/9: %d, want 404", got)
		}
	})
}

// A broker that cannot be reached is a 503 that names the channels.
func TestUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, err := channels.New(config())
		if err != nil {
			t.Fatal(err)
		}
		h := httpapi.New(hub, httpapi.Config{})
		call{body: `{"name":"e","channels":["a","b"],"data":"1"}`, status: 503, answer: "Not delivered to a, b; trigger there again\n"}.check(t, h)
		call{path: "/apps/1001/batch_events", body: batch(2), status: 503, answer: "Not delivered to c; trigger there again\n"}.check(t, h)
	})
}
