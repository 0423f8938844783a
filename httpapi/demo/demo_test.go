package demo_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"hark/authz"
	"hark/httpapi/demo"
	"hark/protocol"
)

var key = authz.Key{Key: "demo-key", Secret: "demo-secret"}

func do(t *testing.T, try string, r *http.Request) *http.Response {
	t.Helper()
	w := httptest.NewRecorder()
	demo.New(key, try).ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	var b strings.Builder
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPage(t *testing.T) {
	const try = `hark trigger demo hello '{"text":"<hi>"}'`
	res := do(t, try, httptest.NewRequest("GET", "/demo/", nil))
	if res.StatusCode != http.StatusOK {
		t.Fatalf("status %d, want 200", res.StatusCode)
	}
	for name, want := range map[string]string{
		"Content-Type":            "text/html; charset=utf-8",
		"X-Content-Type-Options":  "nosniff",
		"Content-Security-Policy": "default-src 'none'; script-src 'self';",
	} {
		if got := res.Header.Get(name); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want it to begin with %q", name, got, want)
		}
	}
	page := body(t, res)
	for _, want := range []string{`data-key="demo-key"`, "&lt;hi&gt;", `id="online"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if strings.Contains(page, string(key.Secret)) {
		t.Error("the page shows the secret")
	}
	// The policy refuses these in a browser; here so that nobody writes them.
	if inline := regexp.MustCompile(`<style| style=| on[a-z]+=|<script[^>]*>[^<]`).FindString(page); inline != "" {
		t.Errorf("the page has something inline: %s", inline)
	}
	if quiet := body(t, do(t, "", httptest.NewRequest("GET", "/demo/", nil))); strings.Contains(quiet, `id="try"`) {
		t.Error("the page offers a command although there is none")
	}
}

func TestStaticFiles(t *testing.T) {
	for path, want := range map[string]string{
		"/demo/static/hark.js":  "text/javascript; charset=utf-8",
		"/demo/static/page.js":  "text/javascript; charset=utf-8",
		"/demo/static/demo.css": "text/css; charset=utf-8",
		"/demo/static/icon.svg": "image/svg+xml",
		"/demo/static/":         "", // no listing
		"/demo/static/nothing":  "",
		"/demo/nothing":         "",
		"/elsewhere":            "",
	} {
		res := do(t, "", httptest.NewRequest("GET", path, nil))
		got := res.Header.Get("Content-Type")
		if want == "" && res.StatusCode == http.StatusNotFound {
			continue
		}
		if res.StatusCode != http.StatusOK || got != want {
			t.Errorf("%s: %d %q, want %q", path, res.StatusCode, got, want)
		}
	}
}

func authRequest(form url.Values) *http.Request {
	r := httptest.NewRequest("POST", "/demo/auth", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

func form(socket, channel, user string) url.Values {
	return url.Values{"socket_id": {socket}, "channel_name": {channel}, "user_id": {user}}
}

// What the endpoint answers must open the channel at the server, which checks it with VerifyChannel.
func TestAuthOpensTheChannel(t *testing.T) {
	for _, channel := range []string{"private-x", "private-cache-x", "presence-demo", "presence-cache-x"} {
		res := do(t, "", authRequest(form("12.34", channel, `Zoë "7" </script>`)))
		var answer struct {
			Auth        string  `json:"auth"`
			ChannelData *string `json:"channel_data"`
		}
		if err := json.UnmarshalRead(res.Body, &answer); err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("%s: %s, %v", channel, res.Status, err)
			continue
		}
		s := protocol.Subscribe{Channel: channel, Auth: answer.Auth}
		if answer.ChannelData != nil {
			s.ChannelData, s.HasChannelData = *answer.ChannelData, true
		}
		if err := authz.NewVerifier(authz.Keys{key}).VerifyChannel("12.34", s); err != nil {
			t.Errorf("%s: the server would refuse it: %v", channel, err)
		}
		if presence := protocol.KindOf(channel).IsPresence(); presence != s.HasChannelData {
			t.Errorf("%s: channel_data present: %v, want %v", channel, s.HasChannelData, presence)
		}
	}
}

func TestAuthRefuses(t *testing.T) {
	crossSite := authRequest(form("1.2", "private-x", ""))
	crossSite.Header.Set("Sec-Fetch-Site", "cross-site")
	for _, c := range []struct {
		name string
		req  *http.Request
		want int
	}{
		{"public channel", authRequest(form("1.2", "demo", "ada")), http.StatusForbidden},
		{"encrypted channel", authRequest(form("1.2", "private-encrypted-x", "ada")), http.StatusForbidden},
		{"somebody's own channel", authRequest(form("1.2", "#server-to-user-ada", "ada")), http.StatusForbidden},
		{"presence without a user", authRequest(form("1.2", "presence-demo", "")), http.StatusForbidden},
		{"user id too long", authRequest(form("1.2", "presence-demo", strings.Repeat("x", 129))), http.StatusForbidden},
		{"no socket id", authRequest(form("", "private-x", "")), http.StatusBadRequest},
		{"socket id with more in it", authRequest(form("1.2:private-y", "private-x", "")), http.StatusBadRequest},
		{"not a channel's name", authRequest(form("1.2", "private-x:y", "")), http.StatusBadRequest},
		{"body too large", authRequest(form("1.2", "presence-demo", strings.Repeat("x", 10<<10))), http.StatusBadRequest},
		{"another site's page", crossSite, http.StatusForbidden},
		{"GET", httptest.NewRequest("GET", "/demo/auth", nil), http.StatusMethodNotAllowed},
	} {
		if res := do(t, "", c.req); res.StatusCode != c.want {
			t.Errorf("%s: %d, want %d", c.name, res.StatusCode, c.want)
		}
	}
}
