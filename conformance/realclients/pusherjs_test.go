package realclients

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pusher/pusher-http-go/v5"
)

// application is the page conformance/js/browser.html with the real pusher-js beside it, and the auth endpoint of a backend
// that uses the official Go SDK. It returns the page's address for a user.
func application(t *testing.T, s *server) func(user string) string {
	t.Helper()
	script := nodeModule(t, "pusher-js/dist/web/pusher.min.js")
	mux := http.NewServeMux()
	for path, file := range map[string]string{
		"GET /{$}":           filepath.Join("..", "js", "browser.html"),
		"GET /browser.js":    filepath.Join("..", "js", "browser.js"),
		"GET /pusher.min.js": script,
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) })
	}
	mux.HandleFunc("POST /auth", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		form, _ := url.ParseQuery(string(body))
		user := form.Get("user")
		authorize := s.sdk.AuthorizePrivateChannel
		if strings.HasPrefix(form.Get("channel_name"), "presence-") {
			authorize = func(params []byte) ([]byte, error) {
				return s.sdk.AuthorizePresenceChannel(params, pusher.MemberData{UserID: user, UserInfo: map[string]string{"name": user}})
			}
		}
		answer, err := authorize(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		_, _ = w.Write(answer)
	})
	site := httptest.NewServer(mux)
	t.Cleanup(site.Close)
	host, port, _ := strings.Cut(s.host, ":")
	return func(user string) string {
		return site.URL + "/?" + url.Values{"key": {s.key}, "host": {host}, "port": {port}, "user": {user}}.Encode()
	}
}

// untilLine waits for a line that the page has put down for a channel: see browser.js.
func (p *tab) untilLine(channel, line string) {
	p.t.Helper()
	p.until(`lines[` + strconv.Quote(channel) + `].includes(` + strconv.Quote(line) + `)`)
}

func TestPusherJSInTheBrowser(t *testing.T) {
	s := serve(t)
	page := application(t, s)
	b := openBrowser(t)
	ada := b.open("ada", page("ada"))
	for _, channel := range []string{"orders", "private-orders", "presence-room"} {
		ada.until(`pusher.channel(` + strconv.Quote(channel) + `).subscribed`)
	}
	bob := b.open("bob", page("bob"))
	ada.untilLine("presence-room", `pusher:member_added {"id":"bob","info":{"name":"bob"}}`)
	bob.until(`pusher.channel('presence-room').subscribed && pusher.channel('private-orders').subscribed`)

	for _, channel := range []string{"orders", "private-orders"} {
		if err := s.sdk.Trigger(channel, "paid", map[string]any{"id": 7, "who": "Zoë 🎈"}); err != nil {
			t.Fatal(err)
		}
		for _, p := range []*tab{ada, bob} {
			p.untilLine(channel, `paid {"id":7,"who":"Zoë 🎈"}`)
		}
	}
	for _, channel := range []string{"private-orders", "presence-room"} {
		if !eval[bool](ada, `pusher.channel(`+strconv.Quote(channel)+`).trigger('client-typing', {on: true})`) {
			t.Errorf("%s: pusher-js did not send the client event", channel)
		}
		bob.untilLine(channel, `client-typing {"on":true}`)
	}
	bob.end()
	ada.untilLine("presence-room", `pusher:member_removed {"id":"bob","info":{"name":"bob"}}`)
	if err := s.sdk.TriggerMulti([]string{"orders", "private-orders", "presence-room"}, "end", ""); err != nil {
		t.Fatal(err)
	}

	want := map[string][]string{
		"orders":         {`pusher:subscription_succeeded {}`, `paid {"id":7,"who":"Zoë 🎈"}`, `end ""`},
		"private-orders": {`pusher:subscription_succeeded {}`, `paid {"id":7,"who":"Zoë 🎈"}`, `end ""`},
		"presence-room": {
			`pusher:subscription_succeeded {"ada":{"name":"ada"}}`,
			`pusher:member_added {"id":"bob","info":{"name":"bob"}}`,
			`pusher:member_removed {"id":"bob","info":{"name":"bob"}}`,
			`end ""`,
		},
	}
	for channel := range want {
		ada.untilLine(channel, `end ""`)
	}
	if diff := cmp.Diff(want, eval[map[string][]string](ada, `lines`)); diff != "" {
		t.Errorf("ada's page (-want +got):\n%s", diff)
	}
}
