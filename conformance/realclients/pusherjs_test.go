package realclients

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pusher/pusher-http-go/v5"

	"hark/conformance/internal/process"
)

// application is a page of conformance/js with the real pusher-js beside it, and the auth endpoints of a backend that uses the
// official Go SDK. It returns the page's address for a user and, where the page signs in, the users it watches.
func application(t *testing.T, s *server, name string) func(user string, watch ...string) string {
	t.Helper()
	if s.sdk.EncryptionMasterKeyBase64 != "" {
		// The SDK decodes it at the first use, which may not be two at once.
		if _, err := s.sdk.AuthorizePrivateChannel([]byte("channel_name=private-encrypted-x&socket_id=1.1")); err != nil {
			t.Fatal(err)
		}
	}
	mux := http.NewServeMux()
	for path, file := range map[string]string{
		"GET /{$}":                           filepath.Join("..", "js", name+".html"),
		"GET /" + name + ".js":               filepath.Join("..", "js", name+".js"),
		"GET /pusher.min.js":                 process.NodeModule(t, "pusher-js/dist/web/pusher.min.js"),
		"GET /pusher-with-encryption.min.js": process.NodeModule(t, "pusher-js/dist/web/pusher-with-encryption.min.js"),
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) })
	}
	mux.HandleFunc("POST /auth", authorizer(s.authorizeChannel))
	mux.HandleFunc("POST /user-auth", authorizer(s.authenticateUser))
	site := httptest.NewServer(mux)
	t.Cleanup(site.Close)
	host, port, _ := strings.Cut(s.host, ":")
	return func(user string, watch ...string) string {
		return site.URL + "/?" + url.Values{
			"key": {s.key}, "host": {host}, "port": {port}, "user": {user}, "watch": {strings.Join(watch, " ")},
		}.Encode()
	}
}

// authorizer serves an auth endpoint that answers what answer does.
func authorizer(answer func(body []byte, form url.Values) ([]byte, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		form, _ := url.ParseQuery(string(body))
		signed, err := answer(body, form)
		if err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		_, _ = w.Write(signed)
	}
}

func (s *server) authorizeChannel(body []byte, form url.Values) ([]byte, error) {
	if !strings.HasPrefix(form.Get("channel_name"), "presence-") || form.Get("signin") != "" {
		return s.sdk.AuthorizePrivateChannel(body)
	}
	user := form.Get("user")
	return s.sdk.AuthorizePresenceChannel(body, pusher.MemberData{UserID: user, UserInfo: map[string]string{"name": user}})
}

func (s *server) authenticateUser(body []byte, form url.Values) ([]byte, error) {
	user := map[string]any{"id": form.Get("user"), "user_info": map[string]string{"name": form.Get("user")}}
	if watch := strings.Fields(form.Get("watch")); len(watch) > 0 {
		user["watchlist"] = watch
	}
	return s.sdk.AuthenticateUser(body, user)
}

// untilLine waits for a line that the page has put down for a channel: see browser.js.
func (p *tab) untilLine(channel, line string) {
	p.t.Helper()
	p.until(`lines[` + strconv.Quote(channel) + `]?.includes(` + strconv.Quote(line) + `)`)
}

func TestPusherJSInTheBrowser(t *testing.T) {
	s := serve(t)
	page := application(t, s, "browser")
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

// TestPusherJSUsersInTheBrowser: cache, encrypted, signin, presence by it, server-to-user, watchlist, subscription_count, and
// the end of a user's connections.
func TestPusherJSUsersInTheBrowser(t *testing.T) {
	s := serve(t)
	s.sdk.EncryptionMasterKeyBase64 = masterKey
	page := application(t, s, "browser-users")
	b := openBrowser(t)
	ada := b.open("ada", page("ada", "bob"))
	ada.untilLine("cache-prices", `pusher:cache_miss {}`)
	ada.untilLine("private-encrypted-cache-mail", `pusher:cache_miss {}`)
	ada.untilLine("watchlist", `offline ["bob"]`)
	ada.untilLine("counted", `pusher:subscription_count {"subscription_count":1}`)
	ada.until(`pusher.channel('presence-room').members.me?.id === 'ada'`)
	for _, price := range []string{"1", "2"} {
		if err := s.sdk.Trigger("cache-prices", "price", price); err != nil {
			t.Fatal(err)
		}
	}
	ada.untilLine("cache-prices", `price 2`)
	mail := map[string]string{"subject": "Zoë 🎈"}
	if err := s.sdk.Trigger("private-encrypted-cache-mail", "mail", mail); err != nil {
		t.Fatal(err)
	}

	bob := b.open("bob", page("bob"))
	bob.untilLine("cache-prices", `price 2`)
	bob.untilLine("private-encrypted-cache-mail", `mail {"subject":"Zoë 🎈"}`)
	ada.untilLine("watchlist", `online ["bob"]`)
	ada.untilLine("counted", `pusher:subscription_count {"subscription_count":2}`)
	ada.untilLine("presence-room", `pusher:member_added {"id":"bob","info":{"name":"bob"}}`)
	bob2 := b.open("bob2", page("bob"))
	ada.untilLine("counted", `pusher:subscription_count {"subscription_count":3}`)
	for _, p := range []*tab{ada, bob, bob2} {
		p.until(`pusher.channel('private-encrypted-mail').subscribed && pusher.user.serverToUserChannel?.subscribed`)
		p.until(`pusher.channel('presence-room').subscribed`)
	}
	if err := s.sdk.Trigger("private-encrypted-mail", "mail", mail); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*tab{ada, bob, bob2} {
		p.untilLine("private-encrypted-mail", `mail {"subject":"Zoë 🎈"}`)
	}
	for _, user := range []string{"bob", "ada"} {
		if err := s.sdk.SendToUser(user, "hello", user); err != nil {
			t.Fatal(err)
		}
	}
	bob.untilLine("user", `hello "bob"`)
	bob2.untilLine("user", `hello "bob"`)
	ada.untilLine("user", `hello "ada"`)

	phpSDK{t, s}.terminate("bob")
	for _, p := range []*tab{bob, bob2} {
		p.until(`pusher.connection.state === 'disconnected'`)
	}
	ada.untilLine("watchlist", `offline ["bob"]`)
	ada.until(`lines['watchlist'].length === 3`) // some seconds later: by now pusher-js had connected again, if it meant to
	ada.until(`lines['counted'].at(-1) === 'pusher:subscription_count {"subscription_count":1}'`)
	ada.untilLine("presence-room", `pusher:member_removed {"id":"bob","info":{"name":"bob"}}`)

	want := map[string][]string{
		"cache-prices":                 {`pusher:subscription_succeeded {}`, `pusher:cache_miss {}`, `price 1`, `price 2`},
		"private-encrypted-mail":       {`pusher:subscription_succeeded {}`, `mail {"subject":"Zoë 🎈"}`},
		"private-encrypted-cache-mail": {`pusher:subscription_succeeded {}`, `pusher:cache_miss {}`, `mail {"subject":"Zoë 🎈"}`},
		"presence-room": {
			`pusher:subscription_succeeded {"ada":{"name":"ada"}}`,
			`pusher:member_added {"id":"bob","info":{"name":"bob"}}`,
			`pusher:member_removed {"id":"bob","info":{"name":"bob"}}`,
		},
		"user":      {`hello "ada"`},
		"watchlist": {`offline ["bob"]`, `online ["bob"]`, `offline ["bob"]`},
		"counted": {
			`pusher:subscription_count {"subscription_count":1}`,
			`pusher:subscription_count {"subscription_count":2}`,
			`pusher:subscription_count {"subscription_count":3}`,
			`pusher:subscription_count {"subscription_count":1}`,
		},
		"states": {`state "connected"`},
	}
	got := eval[map[string][]string](ada, `lines`)
	if counted := got["counted"]; len(counted) == 5 && strings.Contains(counted[3], `:2}`) {
		got["counted"] = slices.Delete(counted, 3, 4) // bob's two tabs end at the same moment: the count between may be told
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ada's page (-want +got):\n%s", diff)
	}
	for _, p := range []*tab{bob, bob2} {
		// pusher-js emits the error of a close that it gives up after twice.
		ended := map[string][]string{
			"states": {`state "connected"`, `state "disconnected"`},
			"errors": {`error 4009`, `error 4009`},
		}
		got := eval[map[string][]string](p, `({ states: lines.states, errors: lines.errors })`)
		if diff := cmp.Diff(ended, got); diff != "" {
			t.Errorf("%s's connection (-want +got):\n%s", p.name, diff)
		}
	}
}
