package httpapi_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hark/authz"
	"hark/channels"
	"hark/channels/hubtest"
	"hark/httpapi"
)

// crew are who the clients of these tests are.
var crew = hubtest.Users{
	"7":  {ID: "7", Roles: []string{"editor"}},
	"9":  {ID: "9", Roles: []string{"editor"}},
	"11": {ID: "11", Roles: []string{"admin"}},
}

// withCrew runs a test with a client of each of the crew, and a guest.
func withCrew(t *testing.T, change func(*channels.AppConfig), f func(t *testing.T, h http.Handler, clients map[string]*hubtest.Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := hubtest.Config()
		c.Apps[0].Authenticator = crew
		if change != nil {
			change(&c.Apps[0])
		}
		hub := hubtest.Start(t, c)
		clients := map[string]*hubtest.Client{"guest": hubtest.Connect(t, hub)}
		for token := range crew {
			clients[token] = hubtest.As(t, hub, token)
		}
		f(t, httpapi.New(hub, httpapi.Config{}), clients)
	})
}

// hark posts a body to one of Hark's own paths.
func hark(t *testing.T, h http.Handler, path, body string, status int, answer string) {
	t.Helper()
	call{path: "/apps/1001/hark/" + path, body: body, status: status, answer: answer}.check(t, h)
}

func TestBroadcast(t *testing.T) {
	withCrew(t, nil, func(t *testing.T, h http.Handler, clients map[string]*hubtest.Client) {
		for _, tt := range []struct{ to, more, hear string }{
			{`{"everyone":true}`, "", "11 7 9 guest"},
			{`{"users":["7","9"]}`, "", "7 9"},
			{`{"roles":["editor"],"except":{"users":["9"]}}`, "", "7"},
			{`{"guests":true}`, "", "guest"},
			{`{"everyone":true}`, fmt.Sprintf(`,"except_socket":%q`, clients["7"].ID()), "11 9 guest"},
		} {
			hark(t, h, "broadcast", `{"to":`+tt.to+`,"name":"s:metadata:change","data":"{\"_id\":1}"`+tt.more+`}`, 200, "{}")
			heard := []string{}
			for _, who := range []string{"11", "7", "9", "guest"} {
				if got := clients[who].Take(); len(got) == 1 && got[0] == `{"event":"s:metadata:change","data":"{\"_id\":1}"}` {
					heard = append(heard, who)
				} else if len(got) > 0 {
					t.Errorf("%s heard %q", who, got)
				}
			}
			if got := strings.Join(heard, " "); got != tt.hear {
				t.Errorf("%s%s: heard by %q, want %q", tt.to, tt.more, got, tt.hear)
			}
		}
	})
}

func TestControlRefuses(t *testing.T) {
	withCrew(t, nil, func(t *testing.T, h http.Handler, clients map[string]*hubtest.Client) {
		const missing = "Missing to parameter: say for whom it is"
		for _, tt := range []struct{ path, body, answer string }{
			{"broadcast", `{}`, missing},
			{"broadcast", `{"name":"e","data":"1"}`, missing},
			{"revoke", `{"channels":"x"}`, missing},
			{"recheck", `{"channels":"x"}`, missing},
			{"reauthenticate", `{"spread_ms":0}`, missing},
			{"terminate", `{"reason":"x"}`, missing},
			{"broadcast", `{"to":{},"name":"e","data":"1"}`, "Invalid to parameter: the selector names nobody; say everyone"},
			{"broadcast", `{"to":null,"name":"e","data":"1"}`, "Invalid to parameter: the selector must be a JSON object"},
			{"broadcast", `{"to":{"user":"7"},"name":"e","data":"1"}`, `Invalid to parameter: the selector has "user", which`},
			{"broadcast", `{"everyone":true,"name":"e","data":"1"}`, `Unknown parameter "everyone"`},
			{"broadcast", `{"to":{"everyone":true},"data":"1"}`, "Invalid event name: it is empty"},
			{"broadcast", `{"to":{"everyone":true},"name":"pusher:error","data":"1"}`, "are reserved"},
			{"broadcast", `{"to":{"everyone":true},"name":"e"}`, "Missing data parameter"},
			{"broadcast", `{"to":{"everyone":true},"name":"e","data":{"n":1}}`, "Invalid data parameter: it is of the wrong type"},
			{"broadcast", `{"to":{"everyone":true},"name":"e","data":"1","except_socket":"abc"}`, "Invalid except_socket"},
			{"broadcast", `not JSON`, "Invalid request body"},
			{"broadcast", `[]`, "Invalid request body"},
			{"revoke", `{"to":{"everyone":true}}`, "Missing channels parameter"},
			{"revoke", `{"to":{"everyone":true},"channels":["x"]}`, "Invalid channels parameter: it is of the wrong type"},
			{"revoke", `{"to":{"everyone":true},"channels":"private-{"}`, "Invalid channels parameter: the pattern"},
			{"revoke", `{"to":{"on":"private-{"},"channels":"x"}`, "Invalid to parameter: the pattern"},
			{"revoke", `{"to":{"everyone":true},"channels":"x","reason":"` + strings.Repeat("r", 1001) + `"}`, "Invalid reason parameter"},
			{"recheck", `{"to":{"everyone":true},"channels":"x"}`, "the app has no Policies"},
			{"reauthenticate", `{"to":{"everyone":true},"spread_ms":3600001}`, "Invalid spread_ms"},
			{"reauthenticate", `{"to":{"everyone":true},"spread":5}`, `Unknown parameter "spread"`},
			{"terminate", `{"to":{"users":[]}}`, "names nobody"},
			{"invalidate", `{}`, "Say whose answers"},
			{"invalidate", `{"user":"7","everyone":true}`, "Say whose answers"},
		} {
			hark(t, h, tt.path, tt.body, 400, "…"+tt.answer)
		}
		hark(t, h, "broadcast", `{"to":{"everyone":true},"name":"e","data":"`+strings.Repeat("d", 10241)+`"}`, 413, "…10240 bytes")
		call{path: "/apps/1001/hark/broadcast", body: `{"to":{"everyone":true},"name":"e","data":"1"}`, key: authz.Key{Key: hubtest.Key, Secret: "x"},
			status: 401, answer: "…Invalid signature"}.check(t, h)
		call{path: "/apps/1001/hark/broadcast", status: 405, answer: "…use POST"}.check(t, h)
		for _, c := range clients {
			c.Expect()
			if code, _ := c.Closed(); code != 0 {
				t.Errorf("closed with %d", code)
			}
		}
	})
}

func TestRevoke(t *testing.T) {
	withCrew(t, nil, func(t *testing.T, h http.Handler, clients map[string]*hubtest.Client) {
		for _, who := range []string{"7", "9"} {
			clients[who].Subscribe("private-show.1")
			clients[who].Take()
		}
		hark(t, h, "revoke", `{"to":{"users":["7"]},"channels":"private-show.{id}","reason":"gone"}`, 200, "{}")
		if got := clients["7"].Take(); len(got) != 1 || !strings.Contains(got[0], "subscription_error") || !strings.Contains(got[0], "gone") {
			t.Errorf("user 7 heard %q", got)
		}
		call{body: `{"name":"e","channel":"private-show.1","data":"1"}`, status: 200, answer: "{}"}.check(t, h)
		clients["7"].Expect()
		clients["9"].Expect(`{"event":"e","channel":"private-show.1","data":"1"}`)
	})
}

func TestRecheckAndInvalidate(t *testing.T) {
	allowed := true
	var forgotten []string
	change := func(c *channels.AppConfig) {
		c.Policies = authz.NewRegistry()
		c.Policies.HandleFunc("private-x", func(context.Context, authz.Request) (authz.Decision, error) {
			if allowed {
				return authz.Allow(), nil
			}
			return authz.Deny("no more"), nil
		})
		c.Invalidate = func(user string) { forgotten = append(forgotten, user) }
	}
	withCrew(t, change, func(t *testing.T, h http.Handler, clients map[string]*hubtest.Client) {
		clients["7"].Subscribe("private-x")
		clients["7"].Take()
		allowed = false
		hark(t, h, "invalidate", `{"user":"9"}`, 200, "{}")
		hark(t, h, "invalidate", `{"everyone":true}`, 200, "{}")
		hark(t, h, "recheck", `{"to":{"users":["7"]},"channels":"private-{x...}"}`, 200, "{}")
		if got := clients["7"].Take(); len(got) != 1 || !strings.Contains(got[0], "subscription_error") {
			t.Errorf("user 7 heard %q", got)
		}
		if got := fmt.Sprintf("%q", forgotten); got != `["9" "" "7"]` {
			t.Errorf("forgotten: %s", got)
		}
	})
}

func TestReauthenticateAndTerminate(t *testing.T) {
	withCrew(t, nil, func(t *testing.T, h http.Handler, clients map[string]*hubtest.Client) {
		hark(t, h, "reauthenticate", `{"to":{"users":["7"]}}`, 200, "{}")
		hark(t, h, "reauthenticate", `{"to":{"users":["9"]},"spread_ms":-5}`, 200, "{}")
		hark(t, h, "reauthenticate", `{"to":{"users":["11","nobody"]},"spread_ms":60000}`, 200, "{}")
		hark(t, h, "terminate", `{"to":{"guests":true},"reason":"We are closed"}`, 200, "{}")
		time.Sleep(time.Second)
		for who, want := range map[string]int{"7": 4200, "9": 4200, "11": 4200, "guest": 4009} {
			code, reason := clients[who].Closed()
			if int(code) != want || who == "guest" && reason != "We are closed" {
				t.Errorf("%s was closed with %d %q, want %d", who, code, reason, want)
			}
		}
	})
}

// Pusher's own trigger takes a selector, too; a batch is checked before any of it is
// published.
func TestTriggerOnly(t *testing.T) {
	withCrew(t, nil, func(t *testing.T, h http.Handler, clients map[string]*hubtest.Client) {
		for _, c := range clients {
			c.Subscribe("c")
			c.Take()
		}
		call{body: `{"name":"e","channels":["c"],"data":"1","only":{"roles":["admin"]}}`, status: 200, answer: "{}"}.check(t, h)
		call{path: "/apps/1001/batch_events", status: 200, answer: "{}",
			body: `{"batch":[{"name":"e","channel":"c","data":"2","only":{"users":["11"]}},{"name":"e","channel":"c","data":"3"}]}`}.check(t, h)
		for _, only := range []string{`null`, `{}`, `"everyone"`, `{"user":"7"}`, `{"users":[]}`} {
			call{body: `{"name":"e","channel":"c","data":"4","only":` + only + `}`, status: 400, answer: "…Invalid only parameter: the selector"}.check(t, h)
			call{path: "/apps/1001/batch_events", status: 400, answer: "…batch[1]: Invalid only parameter",
				body: `{"batch":[{"name":"e","channel":"c","data":"5"},{"name":"e","channel":"c","data":"6","only":` + only + `}]}`}.check(t, h)
		}
		heard := func(data ...string) (events []string) {
			for _, d := range data {
				events = append(events, `{"event":"e","channel":"c","data":"`+d+`"}`)
			}
			return events
		}
		clients["11"].Expect(heard("1", "2", "3")...)
		for _, who := range []string{"7", "9", "guest"} {
			clients[who].Expect(heard("3")...)
		}
	})
}

// Nobody is told half of it.
func TestControlUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, err := channels.New(config())
		if err != nil {
			t.Fatal(err)
		}
		h := httpapi.New(hub, httpapi.Config{})
		c := call{path: "/apps/1001/hark/revoke", body: `{"to":{"everyone":true},"channels":"x"}`, status: 503, answer: "Not available now, try again\n"}
		c.check(t, h)
		if _, _, header := c.do(h); header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	})
}
