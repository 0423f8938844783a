package scenarios

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"hark/channels"
)

// A list is what a backend is answered that asks for connections or users.
type list struct {
	Connections []channels.ConnInfo `json:"connections"`
	Users       []channels.UserInfo `json:"users"`
	Next        string              `json:"next"`
	Silent      []string            `json:"silent"`
}

// list asks for connections or users, again if nothing is known now.
func (w *world) list(what string, params map[string]string, status int) list {
	w.t.Helper()
	ask := func() response { return w.backend("get", map[string]any{"path": "/hark/" + what, "params": params}) }
	r := ask()
	for end := time.Now().Add(deadline); strings.HasPrefix(r.Body, "Not available now") && time.Now().Before(end); r = ask() {
	}
	var l list
	if err := json.Unmarshal([]byte(r.Body), &l); err != nil || r.Status != status {
		w.t.Fatalf("GET %s %v: %+v, want status %d", what, params, r, status)
	}
	return l
}

// sockets returns the connections of a list, and how many nodes have them.
func (l list) sockets() (ids []string, nodes int) {
	on := map[string]bool{}
	for _, c := range l.Connections {
		ids = append(ids, string(c.Socket))
		on[c.Node] = true
	}
	return ids, len(on)
}

// Who is connected, on whichever node, and an event to one of them.
func enumerated(t *testing.T, w *world) {
	alice, carol1, carol2, guest := w.client("7"), w.client("11"), w.client("11"), w.client("")
	all := []*client{alice, carol1, carol2, guest}
	carol1.subscribe("private-items.orders", "open")
	alice.subscribe("open")
	var ids []string
	for _, c := range all {
		_, id := c.state()
		ids = append(ids, id)
	}
	hers := ids[1:3]

	l := w.list("connections", map[string]string{"role": "admin"}, 200)
	got, _ := l.sockets()
	if want := slices.Sorted(slices.Values(hers)); !slices.Equal(got, want) || l.Next != "" {
		t.Errorf("of admins there are %v, want carol's two, %v", got, want)
	}
	for _, c := range l.Connections {
		var want []string
		if string(c.Socket) == hers[0] {
			want = []string{"open", "private-items.orders"}
		}
		if c.Identity.ID != "11" || c.Node == "" || c.Since.IsZero() || !slices.Equal(c.Channels, want) {
			t.Errorf("a connection of carol's is %+v, want it on %v", c, want)
		}
	}

	got = nil
	for page := (list{}); ; {
		page = w.list("connections", map[string]string{"limit": "1", "cursor": page.Next}, 200)
		more, _ := page.sockets()
		if got = append(got, more...); page.Next == "" {
			break
		}
	}
	if want := slices.Sorted(slices.Values(ids)); !slices.Equal(got, want) {
		t.Errorf("in pages there are %v, want %v", got, want)
	}
	if _, n := w.list("connections", nil, 200).sockets(); n != min(len(w.hosts), len(all)) {
		t.Errorf("they are on %d nodes, want %d", n, len(w.hosts))
	}

	users := w.list("users", nil, 200).Users
	if len(users) != 2 || users[0].Identity.ID != "11" || users[0].Connections != 2 || users[1].Identity.ID != "7" || users[1].Connections != 1 {
		t.Errorf("the users are %+v, want carol twice and alice once", users)
	}
	if on := w.list("users", map[string]string{"channel": "open", "user": "7"}, 200).Users; len(on) != 1 {
		t.Errorf("on the channel alice is %+v", on)
	}

	w.broadcast(`{"sockets":["`+hers[1]+`"]}`, "to one", "1")
	w.broadcast(`{"everyone":true}`, "end", "2")
	carol2.sees("pusher", "to one 1")
	for _, c := range all {
		c.sees("pusher", "end 2")
	}
	if w.app == nil {
		return
	}
	list, next, err := w.app.Connections(t.Context(), channels.Roles("admin"), channels.Page{Limit: 1})
	if err != nil || len(list) != 1 || next != string(list[0].Socket) || !slices.Contains(hers, next) {
		t.Errorf("in Go there are %+v, %q, %v, want one of carol's and more", list, next, err)
	}
}

// A node that has died is named until its lease is over; what the other has is there.
func enumeratedWithoutANode(t *testing.T, w *world) {
	carol1, carol2 := w.client("11"), w.client("11")
	_, id := carol2.state()
	admins := map[string]string{"role": "admin"}
	l := w.list("connections", admins, 200)
	if got, n := l.sockets(); len(got) != 2 || n != 2 {
		t.Fatalf("of admins there are %v on %d nodes, want carol's two on two", got, n)
	}
	dead := l.nodeWithout(id)
	if err := w.servers[0].Kill(); err != nil {
		t.Fatal(err)
	}
	carol1.until("connection", "connecting")
	w.lease(dead, math.MaxInt32*1000)
	l = w.list("connections", admins, 503)
	if got, _ := l.sockets(); !slices.Equal(l.Silent, []string{dead}) || !slices.Equal(got, []string{id}) {
		t.Errorf("without the node there are %v and %v is silent, want %s and %s", got, l.Silent, id, dead)
	}
	w.lease(dead, 1)
	if got, _ := w.list("connections", admins, 200).sockets(); !slices.Equal(got, []string{id}) {
		t.Errorf("when its lease is over there are %v, want %s", got, id)
	}
}

// nodeWithout returns a node of which a connection that is not named id is listed.
func (l list) nodeWithout(id string) string {
	i := slices.IndexFunc(l.Connections, func(c channels.ConnInfo) bool { return string(c.Socket) != id })
	return l.Connections[i].Node
}

// lease has the first lease of a node end at a time, in ms since 1970.
func (w *world) lease(node string, end int) {
	w.t.Helper()
	_, err := w.redis.Do("EVAL", `
		for _, leases in ipairs(redis.call('KEYS', '*:leases')) do redis.call('ZADD', leases, ARGV[1], ARGV[2] .. '.0') end`,
		"0", strconv.Itoa(end), node)
	if err != nil {
		w.t.Fatal(err)
	}
}
