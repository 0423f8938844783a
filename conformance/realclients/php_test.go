package realclients

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/go-json-experiment/json"
)

// A phpSDK sends what pusher-http-php 7.2 sends by way of Guzzle. Its habits, each one a trap for a server:
//
//   - json_encode writes / as \/ and everything beyond ASCII as \u escapes, so that channel_data and event data may not be
//     encoded again before they are verified or delivered
//   - an event's data is encoded always, a string too: 'hi' travels as "\"hi\""
//   - one channel goes as "channel", several as "channels"
//   - parameters are signed as they are and sent percent-encoded: the comma of info becomes %2C
//   - the only success is status 200 with a JSON object
type phpSDK struct {
	t *testing.T
	s *server
}

// phpJSON is json_encode with no flags. The pieces are keys and values in turn, in PHP's order; a value is any Go value, or a
// rawJSON that is encoded already.
func phpJSON(t *testing.T, pairs ...any) string {
	t.Helper()
	fields := make([]string, 0, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		fields = append(fields, phpValue(t, pairs[i])+":"+phpValue(t, pairs[i+1]))
	}
	return "{" + strings.Join(fields, ",") + "}"
}

type rawJSON string

func phpValue(t *testing.T, v any) string {
	t.Helper()
	if raw, ok := v.(rawJSON); ok {
		return string(raw)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, r := range string(b) { // what is escaped here stands only in strings
		switch {
		case r == '/':
			out.WriteString(`\/`)
		case r < 0x80:
			out.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&out, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		}
	}
	return out.String()
}

func (p phpSDK) hmac(text string) string {
	mac := hmac.New(sha256.New, []byte(p.s.secret))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

func (p phpSDK) send(method, path, body string, params map[string]string) map[string]any {
	p.t.Helper()
	path = "/apps/1001" + path
	query := map[string]string{
		"auth_key": p.s.key, "auth_timestamp": strconv.FormatInt(time.Now().Unix(), 10), "auth_version": "1.0",
	}
	maps.Copy(query, params)
	if method == "POST" {
		sum := md5.Sum([]byte(body))
		query["body_md5"] = hex.EncodeToString(sum[:])
	}
	var signed, sent []string
	for _, k := range slices.Sorted(maps.Keys(query)) {
		signed = append(signed, k+"="+query[k])
		sent = append(sent, k+"="+url.PathEscape(query[k])) // RFC 3986, as http_build_query is asked for
	}
	signature := p.hmac(method + "\n" + path + "\n" + strings.Join(signed, "&"))
	sent = append(sent, "auth_signature="+signature)

	req, err := http.NewRequestWithContext(p.t.Context(), method, "http://"+p.s.host+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.URL.RawQuery = strings.ReplaceAll(strings.Join(sent, "&"), ",", "%2C")
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Pusher-Library", "pusher-http-php 7.2.6")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	var object map[string]any
	if err := json.Unmarshal(answer, &object); res.StatusCode != http.StatusOK || err != nil {
		p.t.Fatalf("%s %s: %s %s: the PHP SDK throws unless this is 200 with a JSON object", method, path, res.Status, answer)
	}
	return object
}

// event is the body of one event; data is encoded once more, as trigger() does.
func (p phpSDK) event(channels []string, name string, data any, more ...any) string {
	p.t.Helper()
	pairs := []any{"name", name, "data", phpValue(p.t, data)}
	if len(channels) == 1 {
		pairs = append(pairs, "channel", channels[0])
	} else {
		pairs = append(pairs, "channels", channels)
	}
	return phpJSON(p.t, append(pairs, more...)...)
}

// authorize is authorizeChannel: custom data is signed on every kind of channel.
func (p phpSDK) authorize(c *client, channel, customData string) map[string]string {
	text := c.ID + ":" + channel
	data := map[string]string{"channel": channel}
	if customData != "" {
		text += ":" + customData
		data["channel_data"] = customData
	}
	data["auth"] = p.s.key + ":" + p.hmac(text)
	return data
}

func TestPHPStyle(t *testing.T) {
	s := serve(t)
	p := phpSDK{t, s}
	c := s.dial(t)

	// authorizePresenceChannel with a name that PHP escapes, and an id that Laravel sends as a number.
	member := phpJSON(t, "user_id", 42, "user_info", rawJSON(phpJSON(t, "name", "Zoë 🎈", "url", "https://example.com/")))
	c.Send("pusher:subscribe", "", p.authorize(c, "presence-room", member))
	const roster = `{"presence":{"count":1,"ids":["42"],"hash":{"42":{"name":"Zo\u00eb \ud83c\udf88","url":"https:\/\/example.com\/"}}}}`
	if e := c.Next(); e.Event != "pusher_internal:subscription_succeeded" || !sameJSON(t, c.Text(e), roster) {
		t.Fatalf("%s %s, want the members %s", e.Event, e.Data, roster)
	}
	c.subscribe(p.authorize(c, "private-orders", ""))
	c.subscribe(p.authorize(c, "private-team", phpJSON(t, "team", 3)))
	c.subscribe(map[string]string{"channel": "orders", "auth": ""})

	// Event data passes through byte for byte: PHP's escapes are still there.
	data := map[string]any{"path": "/a/b", "who": "Zoë 🎈"}
	const encoded = `{"path":"\/a\/b","who":"Zo\u00eb \ud83c\udf88"}`
	if got := phpValue(t, data); !sameJSON(t, got, encoded) {
		t.Fatalf("phpValue: %s", got)
	}
	p.send("POST", "/events", p.event([]string{"orders"}, `App\Events\OrderPaid`, rawJSON(encoded)), nil)
	c.expect(`App\Events\OrderPaid`, "orders", encoded)
	p.send("POST", "/events", p.event([]string{"private-orders"}, "text", "hi"), nil)
	c.expect("text", "private-orders", `"hi"`)
	p.send("POST", "/events", p.event([]string{"orders", "elsewhere"}, "many", nil), nil)
	c.expect("many", "orders", "null")
	p.send("POST", "/events", p.event([]string{"orders"}, "others", 1, "socket_id", c.ID), nil)

	batch := "[" + p.event([]string{"orders"}, "a", 1) + "," + p.event([]string{"orders"}, "b", 2, "info", "subscription_count") + "]"
	answer := p.send("POST", "/batch_events", phpJSON(t, "batch", rawJSON(batch)), nil)
	want(t, answer, `{"batch":[{},{"subscription_count":1}]}`)
	c.expect("a", "orders", "1") // and not "others", which came before
	c.expect("b", "orders", "2")

	want(t, p.send("GET", "/channels", "", map[string]string{"filter_by_prefix": "presence-", "info": "user_count"}),
		`{"channels":{"presence-room":{"user_count":1}}}`)
	want(t, p.send("GET", "/channels", "", map[string]string{"filter_by_prefix": "nobody"}), `{"channels":{}}`)
	want(t, p.send("GET", "/channels/presence-room", "", map[string]string{"info": "user_count,subscription_count"}),
		`{"occupied":true,"user_count":1,"subscription_count":1}`)
	want(t, p.send("GET", "/channels/presence-room/users", "", nil), `{"users":[{"id":"42"}]}`)
}

func TestPHPStyleUsers(t *testing.T) {
	s := serve(t)
	p := phpSDK{t, s}
	ada, bob := s.dial(t), s.dial(t)
	for user, c := range map[string]*client{"ada": ada, "bob": bob} {
		// authenticateUser signs the text that json_encode made, and that text is what comes back.
		userData := phpJSON(t, "id", user, "user_info", rawJSON(phpJSON(t, "name", "Zoë 🎈", "url", "https://example.com/")))
		answer := phpJSON(t, "auth", s.key+":"+p.hmac(c.ID+"::user::"+userData), "user_data", userData)
		c.signin([]byte(answer), user)
		p.send("POST", "/events", p.event([]string{"#server-to-user-" + user}, "mail", user), nil)
		c.expect("mail", "#server-to-user-"+user, phpValue(t, user))
	}
	want(t, p.terminate("ada"), `{}`)
	ada.expectTerminated()
	p.send("POST", "/events", p.event([]string{"#server-to-user-bob"}, "still here", 1), nil)
	bob.expect("still here", "#server-to-user-bob", "1")
}

// terminate is terminateUserConnections.
func (p phpSDK) terminate(user string) map[string]any {
	p.t.Helper()
	return p.send("POST", "/users/"+user+"/terminate_connections", "{}", nil)
}

// want compares an answer with JSON text.
func want(t *testing.T, got map[string]any, text string) {
	t.Helper()
	b, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if !sameJSON(t, string(b), text) {
		t.Errorf("got %s, want %s", b, text)
	}
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	canonical := func(text string) string {
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		out, err := json.Marshal(v, json.Deterministic(true))
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	return canonical(a) == canonical(b)
}
