package channels_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"pgregory.net/rapid"

	"hark/authz"
	"hark/channels"
)

var (
	ada   = authz.Identity{ID: "7", Tenant: "acme", Roles: []string{"editor", "admin"}, Attrs: map[string]string{"plan": "pro", "note": ""}}
	bob   = authz.Identity{ID: "9", Tenant: "umbrella", Roles: []string{"editor"}}
	guest = authz.Identity{}
)

func TestSelector(t *testing.T) {
	t.Parallel()
	who := map[string]*channels.Socket{
		"ada":   channels.NewSocket("1.1", ada, "private-doc.1", "news"),
		"bob":   channels.NewSocket("2.2", bob, "private-doc.2"),
		"guest": channels.NewSocket("3.3", guest, "news"),
	}
	users, roles := channels.Users, channels.Roles
	for _, tt := range []struct {
		name string
		s    channels.Selector
		want string
	}{
		{"everyone", channels.Everyone(), "ada bob guest"},
		{"signed in", channels.SignedIn(), "ada bob"},
		{"guests", channels.Guests(), "guest"},
		{"users", users("7", "9", "11"), "ada bob"},
		{"a role", roles("admin", "nobody's"), "ada"},
		{"tenant", channels.Tenant("umbrella"), "bob"},
		{"attribute", channels.Attr("plan", "pro"), "ada"},
		{"an empty attribute is not one that is not there", channels.Attr("note", ""), "ada"},
		{"sockets", channels.Sockets("2.2", "3.3"), "bob guest"},
		{"on a channel", channels.On("news"), "ada guest"},
		{"on a channel of a pattern", channels.On("private-doc.{id}"), "ada bob"},
		{"a pattern is for whole names", channels.On("private-doc"), ""},
		{"all conditions of one", channels.Selector{Roles: []string{"editor"}, Tenant: "acme"}, "ada"},
		{"everyone with a condition", channels.Selector{Everyone: true, Users: []string{"9"}}, "bob"},
		{"and", roles("editor").And(channels.On("news")), "ada"},
		{"or", users("9").Or(channels.Guests()), "bob guest"},
		{"but", channels.Everyone().But(users("7")), "bob guest"},
		{"but, twice", channels.Everyone().But(users("7")).But(channels.Guests()), "bob"},
		{"nobody is both", users("7").And(users("9")), ""},
	} {
		var got []string
		for _, name := range []string{"ada", "bob", "guest"} {
			if channels.Matches(tt.s, who[name]) {
				got = append(got, name)
			}
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: selects %v, want %q", tt.name, got, tt.want)
		}
		if text, err := json.Marshal(tt.s); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		} else if again, err := channels.ParseSelector(text); err != nil || !reflect.DeepEqual(again, tt.s) {
			t.Errorf("%s: %s is read as %+v, %v", tt.name, text, again, err)
		}
	}
}

func TestNoTarget(t *testing.T) {
	t.Parallel()
	none := channels.Selector{}
	for name, s := range map[string]channels.Selector{
		"the zero Selector":           none,
		"no users":                    channels.Users(),
		"no roles among more":         {Roles: []string{}, Tenant: "acme"},
		"no tenant":                   channels.Tenant("").And(channels.Roles("admin")),
		"no attribute":                {Attrs: map[string]string{}},
		"no sockets":                  channels.Sockets(),
		"one of none":                 {Any: []channels.Selector{}},
		"all of none":                 {All: []channels.Selector{}},
		"either is nobody":            channels.Everyone().Or(none),
		"all but a user, of nobody":   {Except: &channels.Selector{Users: []string{"7"}}},
		"everyone but nobody that is": channels.Everyone().But(channels.Users()),
	} {
		if err := s.Check(); !errors.Is(err, channels.ErrNoTarget) {
			t.Errorf("%s: %v, want ErrNoTarget", name, err)
		}
	}
}

func TestSelectorRefused(t *testing.T) {
	t.Parallel()
	many := func(n int) []string { return strings.Split(strings.Repeat("u,", n)+"u", ",") }
	deep := channels.Everyone()
	for range 40 {
		deep = deep.But(channels.Users("7"))
	}
	if err := deep.Check(); err != nil {
		t.Errorf("81 selectors in one: %v", err)
	}
	for name, tt := range map[string]struct {
		s    channels.Selector
		want string
	}{
		"a bad pattern":            {channels.On("a{"), "pattern"},
		"an empty id":              {channels.Users("7", ""), "empty name of a user"},
		"an empty socket":          {channels.Sockets(""), "empty name of a socket"},
		"too much":                 {channels.Users(many(10_000)...), "more than 10000 things"},
		"too much together":        {channels.Users(many(6000)...).Or(channels.Roles(many(6000)...)), "more than 10000 things"},
		"too many selectors in it": {deep.But(deep), "more than 100 selectors"},
	} {
		if err := tt.s.Check(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, tt.want)
		}
	}
}

func TestParseSelector(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, want string }{
		{`{}`, "names nobody"},
		{`{"everyone":false}`, "names nobody"},
		{`{"users":[]}`, "names nobody"},
		{`{"any":[{}]}`, "names nobody"},
		{`null`, "must be a JSON object"},
		{`"everyone"`, "must be a JSON object"},
		{`[{"everyone":true}]`, "must be a JSON object"},
		{`{"user":["7"]}`, `has "user", which`},
		{`{"Users":["7"]}`, `has "Users", which`},
		{`{"all":[{"users":["7"],"rolls":["x"]}]}`, `has "rolls", which`},
		{`{"users":null,"tenant":"acme"}`, `"users" that is not an array of strings`},
		{`{"users":"7"}`, `"users" that is not an array of strings`},
		{`{"users":[7]}`, `"users" that is not an array of strings`},
		{`{"everyone":"yes"}`, `"everyone" that is not true or false`},
		{`{"tenant":"","roles":["admin"]}`, `empty "tenant"`},
		{`{"everyone":true,"on":""}`, `empty "on"`},
		{`{"attrs":["plan"]}`, `"attrs" that is not an object of strings`},
		{`{"everyone":true,"except":null}`, `"except" that is not a selector`},
		{`{"everyone":true,"except":[]}`, "must be a JSON object"},
		{`{"everyone":true,"everyone":true}`, "not JSON"},
		{`{"users":["7"]`, "not JSON"},
		{`{"users":["7",}`, "not JSON"},
		{`{"users"}`, "not JSON"},
		{``, "not JSON"},
		{`{"everyone":true} x`, "not JSON"},
		{strings.Repeat(`{"all":[`, 200) + strings.Repeat(`]}`, 200), "nested more than 100 deep"},
	} {
		if _, err := channels.ParseSelector([]byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want an error with %q", tt.text, err, tt.want)
		}
	}
	got, err := channels.ParseSelector([]byte(` {"roles":["admin"],"tenant":"acme","except":{"users":["7"]}} `))
	want := channels.Selector{Roles: []string{"admin"}, Tenant: "acme", Except: &channels.Selector{Users: []string{"7"}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

// FuzzSelector: whatever the text, it is a Selector that survives being written, or
// an error.
func FuzzSelector(f *testing.F) {
	for _, text := range []string{
		`{"everyone":true}`, `{}`, `null`, `{"users":["7","9"],"except":{"roles":["admin"]}}`,
		`{"any":[{"on":"private-doc.{id}"},{"attrs":{"plan":"pro"}}]}`, `{"all":[{"guests":true},{"sockets":["1.2"]}]}`,
		`{"tenant":"\ud800"}`, `{"users":["7"]`, `{"signed_in":true,"tenant":"a"}`, `{"on":"{"}`,
	} {
		f.Add([]byte(text))
	}
	socket := channels.NewSocket("1.1", ada, "private-doc.1")
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := channels.ParseSelector(text)
		if err != nil {
			return
		}
		if s.IsZero() {
			t.Fatalf("%q is the zero Selector and no error", text)
		}
		again, err := json.Marshal(s)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		back, err := channels.ParseSelector(again)
		if err != nil || !reflect.DeepEqual(back, s) {
			t.Fatalf("%q was written as %s and read as %+v, %v", text, again, back, err)
		}
		channels.Matches(s, socket)
	})
}

// TestSelectorModel compares Selectors with a model that looks at each condition in
// the plainest way.
func TestSelectorModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		c := drawConnection(r)
		s := drawSelector(r, 3)
		if got, want := channels.Matches(s, channels.NewSocket(c.socket, c.id, c.on...)), c.selected(s); got != want {
			text, _ := json.Marshal(s)
			r.Fatalf("%s selects %+v: %v, want %v", text, c, got, want)
		}
	})
}

// A connection is one as the model knows it.
type connection struct {
	socket string
	id     authz.Identity
	on     []string
}

func drawConnection(r *rapid.T) connection {
	c := connection{
		socket: rapid.SampledFrom([]string{"1.1", "2.2"}).Draw(r, "socket"),
		on:     rapid.SliceOfDistinct(rapid.SampledFrom([]string{"news", "private-doc.1", "private-doc.2", "presence-a"}), rapid.ID).Draw(r, "on"),
	}
	if rapid.Bool().Draw(r, "signed in") {
		c.id = authz.Identity{
			ID:     rapid.SampledFrom([]string{"7", "9"}).Draw(r, "id"),
			Tenant: rapid.SampledFrom([]string{"", "acme", "umbrella"}).Draw(r, "tenant"),
			Roles:  rapid.SliceOf(rapid.SampledFrom([]string{"admin", "editor"})).Draw(r, "roles"),
			Attrs:  rapid.MapOf(rapid.SampledFrom([]string{"plan", "team"}), rapid.SampledFrom([]string{"", "a"})).Draw(r, "attrs"),
		}
	}
	return c
}

// drawSelector draws one that is no ErrNoTarget.
func drawSelector(r *rapid.T, depth int) channels.Selector {
	var s channels.Selector
	list := func(of ...string) []string { return rapid.SliceOfN(rapid.SampledFrom(of), 1, 3).Draw(r, "list") }
	for n := rapid.IntRange(1, 3).Draw(r, "conditions"); n > 0; n-- {
		kind := rapid.IntRange(0, 11).Draw(r, "condition")
		if depth == 0 {
			kind %= 9
		}
		switch kind {
		case 0:
			s.Everyone = true
		case 1:
			s.SignedIn = true
		case 2:
			s.Guests = true
		case 3:
			s.Users = list("7", "9", "11")
		case 4:
			s.Roles = list("admin", "editor", "owner")
		case 5:
			s.Tenant = list("acme", "umbrella")[0]
		case 6:
			s.Attrs = map[string]string{list("plan", "team")[0]: list("", "a")[0]}
		case 7:
			s.Sockets = list("1.1", "3.3")
		case 8:
			s.On = list("news", "private-doc.1", "private-doc.{id}", "private-{all...}", "presence-b")[0]
		case 9:
			s.Any = []channels.Selector{drawSelector(r, depth-1), drawSelector(r, depth-1)}
		case 10:
			s.All = []channels.Selector{drawSelector(r, depth-1), drawSelector(r, depth-1)}
		case 11:
			s.Except = new(drawSelector(r, depth-1))
			s.Everyone = true
		}
	}
	return s
}

// selected is what a Selector is documented to do.
func (c connection) selected(s channels.Selector) bool {
	hold := []bool{}
	is := func(b bool) { hold = append(hold, b) }
	one := func(list []string, f func(string) bool) bool {
		found := false
		for _, x := range list {
			found = found || f(x)
		}
		return found
	}
	if s.SignedIn {
		is(c.id.ID != "")
	}
	if s.Guests {
		is(c.id.ID == "")
	}
	if s.Users != nil {
		is(one(s.Users, func(u string) bool { return u == c.id.ID }))
	}
	if s.Roles != nil {
		is(one(s.Roles, func(x string) bool { return one(c.id.Roles, func(y string) bool { return x == y }) }))
	}
	if s.Tenant != "" {
		is(s.Tenant == c.id.Tenant)
	}
	for k, v := range s.Attrs {
		got, ok := c.id.Attrs[k]
		is(ok && got == v)
	}
	if s.Sockets != nil {
		is(one(s.Sockets, func(x string) bool { return x == c.socket }))
	}
	if s.On != "" {
		is(one(c.on, func(name string) bool {
			if prefix, _, ok := strings.Cut(s.On, "{"); ok {
				return strings.HasPrefix(name, prefix)
			}
			return name == s.On
		}))
	}
	if s.Any != nil {
		is(c.selected(s.Any[0]) || c.selected(s.Any[1]))
	}
	if s.All != nil {
		is(c.selected(s.All[0]) && c.selected(s.All[1]))
	}
	if s.Except != nil {
		is(!c.selected(*s.Except))
	}
	for _, b := range hold {
		if !b {
			return false
		}
	}
	return true
}

func ExampleSelector() {
	to := channels.Roles("editor").And(channels.Tenant("acme")).But(channels.Users("7"))
	text, err := json.Marshal(to)
	fmt.Println(string(text), err)
	fmt.Println(channels.Selector{}.Check())
	// Output:
	// {"all":[{"all":[{"roles":["editor"]},{"tenant":"acme"}]}],"except":{"users":["7"]}} <nil>
	// channels: the selector names nobody; say everyone if that is meant
}
