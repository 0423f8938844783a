package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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

// list asks for a list, signed, with parameters as in "user=7&limit=1".
func list(t *testing.T, h http.Handler, what, params string, status int, answer string) {
	t.Helper()
	query, err := url.ParseQuery(params)
	if err != nil {
		t.Fatal(err)
	}
	call{path: "/apps/1001/hark/" + what, query: query, status: status, answer: answer}.check(t, h)
}

func TestListConnections(t *testing.T) {
	withCrew(t, nil, func(t *testing.T, h http.Handler, clients map[string]*hubtest.Client) {
		clients["7"].Subscribe("private-b")
		clients["7"].Subscribe("a")
		clients["guest"].Subscribe("a")
		clients["7"].Take()
		since := time.Now().UTC().Format(time.RFC3339)
		described := map[string]string{}
		for who, more := range map[string]string{
			"7":     `"user":{"id":"7","roles":["editor"]},"channels":["a","private-b"],"subscriptions":2`,
			"9":     `"user":{"id":"9","roles":["editor"]},"channels":[],"subscriptions":0`,
			"11":    `"user":{"id":"11","roles":["admin"]},"channels":[],"subscriptions":0`,
			"guest": `"channels":["a"],"subscriptions":1`,
		} {
			described[who] = fmt.Sprintf(`{"node":"local","socket_id":%q,%s,"since":%q}`, clients[who].ID(), more, since)
		}
		for _, tt := range []struct{ params, want string }{
			{"user=7", "7"},
			{"role=admin", "11"},
			{"channel=private-{x}", "7"},
			{"channel=a&role=editor", "7"},
			{"user=7&role=admin", ""},
			{"user=nobody", ""},
		} {
			list(t, h, "connections", tt.params, 200, `{"connections":[`+described[tt.want]+`]}`)
		}

		var all []string
		for params := "limit=1"; ; {
			status, body, _ := call{path: "/apps/1001/hark/connections", query: must(url.ParseQuery(params))}.do(h)
			entry, ok := strings.CutPrefix(body, `{"connections":[`)
			entry, next, more := strings.Cut(entry, `],"next":`)
			if status != 200 || !ok {
				t.Fatalf("answered %d %s", status, body)
			}
			all = append(all, strings.TrimSuffix(entry, "]}"))
			if !more {
				break
			}
			params = "limit=1&cursor=" + strings.Trim(next, `"}`)
		}
		for who, want := range described {
			if n := strings.Count(strings.Join(all, "\n"), want); n != 1 || len(all) != len(described) {
				t.Errorf("in pages of one %s is listed %d times among\n%s", who, n, strings.Join(all, "\n"))
			}
		}
	})
}

func must(v url.Values, err error) url.Values {
	if err != nil {
		panic(err)
	}
	return v
}

func TestListConnected(t *testing.T) {
	withCrew(t, nil, func(t *testing.T, h http.Handler, clients map[string]*hubtest.Client) {
		clients["9"].Subscribe("a")
		clients["9"].Take()
		list(t, h, "users", "", 200, `{"users":[{"user":{"id":"11","roles":["admin"]},"connections":1},`+
			`{"user":{"id":"7","roles":["editor"]},"connections":1},{"user":{"id":"9","roles":["editor"]},"connections":1}]}`)
		list(t, h, "users", "limit=1", 200, `{"users":[{"user":{"id":"11","roles":["admin"]},"connections":1}],"next":"11"}`)
		list(t, h, "users", "cursor=7", 200, `{"users":[{"user":{"id":"9","roles":["editor"]},"connections":1}]}`)
		list(t, h, "users", "channel=a", 200, `{"users":[{"user":{"id":"9","roles":["editor"]},"connections":1}]}`)
		list(t, h, "users", "cursor=9", 200, `{"users":[]}`)
	})
}

func TestListRefuses(t *testing.T) {
	withCrew(t, nil, func(t *testing.T, h http.Handler, _ map[string]*hubtest.Client) {
		for params, answer := range map[string]string{
			"user=":       "Invalid user parameter: it is empty, leave it out",
			"role=":       "Invalid role parameter",
			"channel=":    "Invalid channel parameter: it is empty",
			"channel={":   "Invalid channel parameter: the pattern",
			"users=7":     `Unknown parameter "users"`,
			"limit=0":     "Invalid limit parameter: it must be a number from 1 to 1000",
			"limit=1001":  "Invalid limit parameter",
			"limit=x":     "Invalid limit parameter",
			"tenant=acme": `Unknown parameter "tenant"`,
			"user[]=7":    `Unknown parameter "user[]"`,
		} {
			list(t, h, "connections", params, 400, "…"+answer)
			list(t, h, "users", params, 400, "…"+answer)
		}
		call{path: "/apps/1001/hark/connections", key: authz.Key{Key: hubtest.Key, Secret: "x"}, status: 401, answer: "…Invalid signature"}.check(t, h)
		call{path: "/apps/1001/hark/users", method: "POST", status: 405, answer: "…use GET"}.check(t, h)
		for _, name := range []string{"user", "role", "channel", "limit", "cursor"} { // what was signed is ambiguous
			list(t, h, "connections", name+"=7&"+name+"=8", 401, "…Repeated parameter: "+name)
		}
	})
}

// A half is the broker of two nodes of which one does not answer, or of which none can be
// asked.
type half struct {
	*channels.Memory
	err error // why none can be asked
}

func (h *half) Ask(ctx context.Context, question string) ([]channels.Answer, error) {
	if h.err != nil {
		return nil, h.err
	}
	answers, err := h.Memory.Ask(ctx, question)
	return answers, errors.Join(err, &channels.SilentError{Nodes: []string{"node-2"}, Err: errors.New("it is asleep")})
}

// Silent nodes are named beside what the others say, with a status that nobody takes for
// success.
func TestListWithoutSilentNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := &half{Memory: channels.NewMemory()}
		c := hubtest.Config()
		c.Broker, c.Apps[0].Authenticator = broker, crew
		hub := hubtest.Start(t, c)
		hubtest.As(t, hub, "9")
		h := httpapi.New(hub, httpapi.Config{})
		list(t, h, "users", "", 503, `{"users":[{"user":{"id":"9","roles":["editor"]},"connections":1}],"silent":["node-2"]}`)
		list(t, h, "connections", "user=7", 503, `{"connections":[],"silent":["node-2"]}`)
		for err, answer := range map[error]string{
			channels.ErrUnavailable: "Not available now, try again\n",
			channels.ErrBusy:        "Too much is asked of the connections of this app at once, ask again later\n",
		} {
			broker.err = err
			list(t, h, "users", "", 503, answer)
		}
	})
}
