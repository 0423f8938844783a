package realclients

import (
	"errors"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/go-json-experiment/json"

	"hark/conformance/internal/process"
)

// A pythonSDK runs testdata/pusher_python.py, which says what is peculiar about the official SDK's requests.
type pythonSDK struct {
	t      *testing.T
	s      *server
	python string
}

func (p pythonSDK) call(method string, args ...any) map[string]any {
	p.t.Helper()
	argv := []string{filepath.Join("testdata", "pusher_python.py"), p.s.pusherURL, method}
	for _, a := range args {
		b, err := json.Marshal(a)
		if err != nil {
			p.t.Fatal(err)
		}
		argv = append(argv, string(b))
	}
	out, err := exec.CommandContext(p.t.Context(), p.python, argv...).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		p.t.Fatalf("%s: %v\n%s", method, err, exit.Stderr)
	} else if err != nil {
		p.t.Fatal(err)
	}
	var answer map[string]any
	if err := json.Unmarshal(out, &answer); err != nil {
		p.t.Fatalf("%s: %s: %v", method, out, err)
	}
	return answer
}

// subscribe joins with what authenticate answered.
func (p pythonSDK) subscribe(c *client, channel string, customData any) {
	p.t.Helper()
	data := map[string]string{"channel": channel}
	for k, v := range p.call("authenticate", channel, c.ID, customData) {
		data[k] = v.(string)
	}
	c.subscribe(data)
}

func TestPythonStyle(t *testing.T) {
	s := serve(t)
	p := pythonSDK{t, s, process.Find(t, "python3", "python3")}
	c := s.dial(t)
	p.subscribe(c, "private-orders", nil)
	p.subscribe(c, "presence-room", map[string]any{"user_id": "ada", "user_info": map[string]string{"name": "Zoë"}})
	c.subscribe(map[string]string{"channel": "orders"})

	want(t, p.call("trigger", []string{"orders"}, "order-paid", map[string]string{"who": "Zoë 🎈"}), `{}`)
	c.expect("order-paid", "orders", `{"who": "Zoë 🎈"}`)
	want(t, p.call("trigger", []string{"private-orders"}, "text", "hi"), `{}`)
	c.expect("text", "private-orders", "hi")
	p.call("trigger", []string{"orders", "elsewhere"}, "others", "", c.ID)
	want(t, p.call("trigger_batch", []map[string]any{
		{"channel": "orders", "name": "a", "data": 1},
		{"channel": "orders", "name": "b", "data": "two"},
	}), `{}`)
	c.expect("a", "orders", "1") // and not "others", which came before
	c.expect("b", "orders", "two")

	want(t, p.call("channels_info", "presence-", []string{"user_count"}), `{"channels":{"presence-room":{"user_count":1}}}`)
	want(t, p.call("channels_info", "nobody", nil), `{"channels":{}}`)
	want(t, p.call("channel_info", "presence-room", []string{"user_count", "subscription_count"}),
		`{"occupied":true,"user_count":1,"subscription_count":1}`)
	want(t, p.call("users_info", "presence-room"), `{"users":[{"id":"ada"}]}`)
}

// The SDK asks for the end of a user's connections at a path that names no app: its key does.
func TestPythonStyleUsers(t *testing.T) {
	s := serve(t)
	p := pythonSDK{t, s, process.Find(t, "python3", "python3")}
	tabs, bob := []*client{s.dial(t), s.dial(t)}, s.dial(t)
	signin := func(c *client, user string) {
		t.Helper()
		answer, err := json.Marshal(p.call("authenticate_user", c.ID, map[string]any{"id": user, "user_info": map[string]string{"name": "Zoë"}}))
		if err != nil {
			t.Fatal(err)
		}
		c.signin(answer, user)
	}
	for _, c := range tabs {
		signin(c, "ada")
	}
	signin(bob, "bob")
	p.call("trigger", []string{"#server-to-user-ada"}, "mail", "hi")
	for _, c := range tabs {
		c.expect("mail", "#server-to-user-ada", "hi")
	}
	want(t, p.call("terminate_user_connections", "ada"), `{}`)
	for _, c := range tabs {
		c.expectTerminated()
	}
	p.call("trigger", []string{"#server-to-user-bob"}, "still here", "")
	bob.expect("still here", "#server-to-user-bob", "")
}
