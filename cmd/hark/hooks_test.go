package main

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hark/authz"
)

// hooked are two apps with an application each. Only the first has it asked about rooms and chats.
const hooked = `
apps:
  - id: 1
    keys: [{key: key-1, secret: secret-1}]
    client_events: true
    limits: {client_events: 1000} # a second
    callback:
      url: ${FIRST}
      authenticate: true
      client_events: ["private-chat.{id}"]
      subscribed: ["private-room.{name...}"]
      messages: [search, whoami]
  - id: 2
    keys: [{key: key-2, secret: secret-2}]
    client_events: true
    callback:
      url: ${SECOND}
      messages: [search]
`

var key1, key2 = authz.Key{Key: "key-1", Secret: "secret-1"}, authz.Key{Key: "key-2", Secret: "secret-2"}

// serveHooked serves them. The first application answers hooks, the second says that it is the second.
func serveHooked(t *testing.T, answer func(kind string, q question) string) (s *serving, first, second *backend) {
	t.Helper()
	first = newBackend(t, func(kind string, q question) string {
		if kind == "authenticate" {
			return `{"user":{"id":"7","roles":["editor"]}}`
		}
		return answer(kind, q)
	})
	second = newBackend(t, func(string, question) string { return `{"events":[{"name":"second","data":"2"}]}` })
	return serveFile(t, hooked, map[string]string{"FIRST": first.url, "SECOND": second.url}), first, second
}

// What a new subscriber sees first is what the application of its own app says.
func TestSubscribedCallback(t *testing.T) {
	s, first, _ := serveHooked(t, func(kind string, q question) string {
		if q.Params["name"] == "b.c" {
			return ""
		}
		return `{"events":[{"name":"total","data":{"cost":5}},{"name":"text","data":"hi"}]}`
	})
	mine, _ := s.open(key1, "", nil)
	mine.subscribe("private-room.a;20a")
	mine.expect(`private-room.a;20a total {"cost":5}`)
	mine.expect(`private-room.a;20a text hi`)
	mine.subscribe("private-room.b.c")
	mine.expect(`private-room.b.c hark:state_unavailable {}`)
	mine.subscribe("private-other")
	mine.say("whoami", "", `"x"`) // nothing came before its answer
	mine.expect("total {\"cost\":5}")
	mine.expect("text hi")
	want := question{
		App: "1", Kind: "subscribed", User: &authz.Identity{ID: "7", Roles: []string{"editor"}, Attrs: map[string]string{}},
		Channel: "private-room.a;20a", Pattern: "private-room.{name...}", Params: map[string]string{"name": "a a"},
	}
	if diff := cmp.Diff(want, first.questions("subscribed")[0]); diff != "" {
		t.Errorf("the question: -want +got\n%s", diff)
	}

	theirs, _ := s.open(key2, "", nil)
	theirs.subscribe("private-room.a;20a")
	theirs.say("search", "", `"x"`)
	theirs.expect("second 2")
	if n := len(first.questions("subscribed")); n != 2 {
		t.Errorf("the first application was asked %d times, want 2", n)
	}
}

// What becomes of a client event is what the application says: here it says what the event's data do.
func TestClientEventCallback(t *testing.T) {
	s, first, second := serveHooked(t, func(kind string, q question) string { return q.Data })
	ada, _ := s.open(key1, "", nil)
	bob, _ := s.open(key1, "", nil)
	for _, c := range []*tab{ada, bob} {
		c.subscribe("private-chat.1")
	}
	bob.subscribe("private-elsewhere")
	rejected := func(words string) string {
		return `private-chat.1 pusher:error {"code":4301,"message":"Client event client-x ` + words + `"}`
	}
	for _, tt := range []struct {
		verdict     string
		sender, all string // what they hear; "": nothing
	}{
		{verdict: `{"verdict":"pass"}`, all: `private-chat.1 client-x {"verdict":"pass"}`},
		{verdict: `{"verdict":"replace","data":{"from":"7"}}`, all: `private-chat.1 client-x {"from":"7"}`},
		{verdict: `{"verdict":"drop"}`},
		{verdict: `{"verdict":"reject"}`, sender: rejected("was rejected")},
		{verdict: `{"verdict":"reject","code":4400,"message":"not now"}`, sender: `private-chat.1 pusher:error {"code":4400,"message":"not now"}`},
		{
			verdict: `{"verdict":"route","deliveries":[{"channel":"private-elsewhere","event":"typing","data":"7"}]}`,
			all:     `private-elsewhere typing 7`,
		},
		{verdict: `{"verdict":"route","deliveries":[{"channel":"private-chat.1","event":"typing","data":"7","except":{"users":["7"]}}]}`},
		{
			verdict: `{"verdict":"route","deliveries":[{"channel":"private-chat.1","event":"typing","data":"7","except":{"user":"7"}}]}`,
			sender:  rejected("could not be checked, send it again later"),
		},
		{verdict: `{"verdict":"perhaps"}`, sender: rejected("could not be checked, send it again later")},
	} {
		ada.say("client-x", "private-chat.1", fmt.Sprintf("%q", tt.verdict))
		if tt.sender != "" {
			ada.expect(tt.sender)
		}
		if tt.all != "" {
			bob.expect(tt.all)
		}
		ada.say("client-x", "private-chat.1", fmt.Sprintf("%q", `{"verdict":"replace","data":"end"}`))
		bob.expect("private-chat.1 client-x end")
	}
	if q := first.questions("client_event")[0]; q.Event != "client-x" || q.User.ID != "7" || q.Params["id"] != "1" {
		t.Errorf("the question: %+v", q)
	}

	// The other app's events are nobody's business.
	asked := len(first.questions("client_event"))
	cem, _ := s.open(key2, "", nil)
	dan, _ := s.open(key2, "", nil)
	for _, c := range []*tab{cem, dan} {
		c.subscribe("private-chat.1")
	}
	cem.say("client-x", "private-chat.1", `"free"`)
	dan.expect("private-chat.1 client-x free")
	if n := len(first.questions("client_event")) - asked + len(second.questions("client_event")); n != 0 {
		t.Errorf("about events of the second app %d questions were asked", n)
	}
}

// A message goes to the application of its own app, and is none where that is not asked.
func TestMessageCallback(t *testing.T) {
	s, first, second := serveHooked(t, func(kind string, q question) string {
		switch q.Data {
		case "no":
			return "403"
		case "down":
			return ""
		case "bad":
			return `{"events":[{"name":"pusher:error","data":""}]}`
		}
		return `{"events":[{"name":"found","data":["a"]},{"name":"done","data":""}]}`
	})
	mine, _ := s.open(key1, "", nil)
	theirs, _ := s.open(key2, "", nil)
	mine.say("search", "", `"a"`)
	mine.expect(`found ["a"]`)
	mine.expect(`done`)
	mine.say("search", "", `"no"`)
	mine.expect(`pusher:error {"code":null,"message":"Message search is not allowed"}`)
	for _, data := range []string{`"down"`, `"bad"`} {
		mine.say("search", "", data)
		mine.expect(`pusher:error {"code":null,"message":"Message search could not be handled, send it again later"}`)
	}
	theirs.say("search", "", `"a"`)
	theirs.expect(`second 2`)
	theirs.say("whoami", "", `"a"`)
	theirs.expect(`pusher:error {"code":null,"message":"Unsupported event received on socket: whoami"}`)
	if a, b := len(first.questions("message")), len(second.questions("message")); a != 4 || b != 1 {
		t.Errorf("%d and %d questions, want 4 and 1", a, b)
	}
}
