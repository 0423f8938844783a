package redisbroker_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"hark/channels"
	"hark/channels/redisbroker/redistest"
)

// do has Redis carry out a command, and returns its answer.
func do(t *testing.T, s *redistest.Server, args ...string) string {
	t.Helper()
	answer, err := s.Do(args...)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// settle has nodes that have one partition take Redis for one that is being refilled until then.
func settle(t *testing.T, s *redistest.Server, prefix string, until time.Time) {
	t.Helper()
	do(t, s, "HSET", prefix+":{p0}:about", "settle", strconv.FormatInt(until.UnixMilli(), 10))
}

// While the nodes tell a Redis that has lost everything what it knew, nobody is told of a part: joins are not answered, who
// leaves one node and is on another has not gone, and a further socket on a channel without members comes in.
func TestJoinWhileRefilled(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	own := prefix()
	start := func() (*node, *redistest.Proxy) {
		proxy := redistest.NewProxy(t, s.Addr())
		config := through(proxy, own)
		config.Lease = 5 * time.Second // so that b comes back within it, however slow the machine is
		return run(t, config), proxy
	}
	a, _ := start()
	b, network := start()
	c, _ := start()
	room, news := place("presence-room"), place("news")
	a.enter(room, user("1.1", "ada"), user("1.2", "cy"))
	a.enter(news, channels.Occupant{Socket: "1.1"})
	b.enter(room, user("2.1", "bob"), user("2.2", "cy"))
	a.publish(room, "before")
	a.heard(room, "before")
	s.Kill()
	for _, n := range []*node{a, b, c} {
		n.until("it is down", func() bool { return !n.up })
	}
	network.Refuse()
	s.Restart()
	a.until("there is a gap", func() bool { return a.gaps[room] > 0 })
	c.until("it is up", func() bool { return c.up })
	if got, err := c.Enter(t.Context(), room, user("3.1", "eve")); !errors.Is(err, channels.ErrUnavailable) {
		t.Errorf("Enter while bob's node has not told of him: %+v, %v, want ErrUnavailable", got.Members, err)
	}
	a.leave(room, user("1.2", "cy"))
	if _, err := a.Enter(t.Context(), news, channels.Occupant{Socket: "1.3"}); err != nil {
		t.Errorf("Enter of one more where nobody is told of it: %v", err)
	}
	network.Heal()
	for {
		got, err := c.Enter(t.Context(), room, user("3.1", "eve"))
		if err != nil {
			if !errors.Is(err, channels.ErrUnavailable) {
				t.Fatal(err)
			}
			continue
		}
		if len(got.Members) != 4 {
			t.Errorf("Enter: %v, want ada, cy, bob and eve", got.Members)
		}
		break
	}
	a.publish(room, "end")
	got := a.heard(room, "end")
	if want := []string{"gap", "+eve", "end"}; !slices.Equal(got[len(got)-3:], want) {
		t.Errorf("told %q, want %q at last", got, want)
	}
	expectNotes(t, s, own, "presence-room member_added eve")
}

// A user moves to another node, which Redis loses, and leaves the first while Redis is away: nobody is told that he has
// gone, though that node is the first to tell what it has. Who has left indeed is gone when all have told.
func TestLeaveWhileRefilled(t *testing.T) {
	s := redistest.Start(t, keeps)
	own := prefix()
	start := func(name string) (*node, *redistest.Proxy) {
		proxy := redistest.NewProxy(t, s.Addr())
		config := through(proxy, own)
		config.Node, config.Partitions = name, 1
		config.Lease = 5 * time.Second // so that b comes back within it, however slow the machine is
		return run(t, config), proxy
	}
	a, _ := start("a")
	b, network := start("b")
	p := place("presence-a")
	a.enter(p, user("1.1", "ada"), user("1.2", "cy"), user("1.3", "dan"))
	b.enter(p, user("2.1", "bob"))
	key := func(kind string) string { return own + ":{p0}:" + kind + ":1:presence-a" }
	lease := map[byte]string{}
	for name := range strings.FieldsSeq(do(t, s, "HKEYS", key("n"))) {
		lease[name[0]] = name
	}
	before := do(t, s, "HGET", key("n"), lease['b'])
	b.enter(p, user("2.2", "cy"))
	do(t, s, "HSET", key("n"), lease['b'], before)
	do(t, s, "SREM", key("o:"+lease['b']), "cy")
	do(t, s, "HINCRBY", key("u"), "cy", "-1")
	do(t, s, "HINCRBY", key("p"), "t", "-1")
	s.Kill()
	a.until("it is down", func() bool { return !a.up })
	b.until("it is down", func() bool { return !b.up })
	network.Refuse()
	a.leave(p, user("1.2", "cy"), user("1.3", "dan"))
	s.Restart()
	for before = do(t, s, "HGET", key("n"), lease['a']); do(t, s, "HGET", key("n"), lease['a']) == before; {
		<-time.After(10 * time.Millisecond)
	}
	network.Heal()
	for _, n := range []*node{a, b} {
		n.heard(p, "-dan")
		n.publish(p, "end")
		if got := n.heard(p, "end"); slices.Contains(got, "-cy") {
			t.Errorf("told %q, though cy is here", got)
		}
	}
	if info := a.info(p); info.Sockets != 3 || info.Users != 3 {
		t.Errorf("counted %+v, want 3 sockets of 3 users", info)
	}
	expectNotes(t, s, own, "presence-a channel_occupied", "presence-a member_added ada", "presence-a member_added bob",
		"presence-a member_added cy", "presence-a member_added dan", "presence-a member_removed dan")
}

// A node that was swept, and comes back while Redis is being refilled, waits until it can tell that its users are back. It
// does not ask all the time.
func TestReturnWhileRefilled(t *testing.T) {
	s := redistest.Start(t, keeps)
	network := redistest.NewProxy(t, s.Addr())
	own := prefix()
	config := through(network, own)
	config.Partitions = 1
	b := run(t, config)
	config.Redis.Addrs = []string{s.Addr()}
	a := run(t, config)
	var places []channels.Place
	for i := range 20 {
		p := place(fmt.Sprint("presence-", i))
		places = append(places, p)
		a.enter(p, user("1.1", "ada"))
		b.enter(p, user("2.1", "bob"))
	}
	network.Refuse()
	for _, p := range places {
		a.heard(p, "-bob")
	}
	b.until("it is down", func() bool { return !b.up })
	settle(t, s, own, time.Now().Add(2*time.Second))
	before := network.Counts().Requests
	network.Heal()
	for _, p := range places {
		a.until("bob is back", func() bool { return a.rosters[p]["bob"] })
	}
	if sent := network.Counts().Requests - before; sent > 300_000 { // to ask every 50 ms would be 700 000
		t.Errorf("the node sent %d bytes until its users were back, want them to wait", sent)
	}
}

// While nodes tell Redis what it lost nobody is swept: who was on the dead node may be on another one that has yet to tell.
func TestSweepWhileRefilled(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	network := redistest.NewProxy(t, s.Addr())
	own := prefix()
	config := through(network, own)
	config.Partitions = 1
	b := run(t, config)
	config.Redis.Addrs = []string{s.Addr()}
	a := run(t, config)
	p := place("presence-a")
	a.enter(p, user("1.1", "ada"))
	b.enter(p, user("2.1", "bob"))
	settle(t, s, own, time.Now().Add(time.Hour))
	network.Refuse()
	claims := map[string]bool{} // by the end of each
	for len(claims) < 2 && a.roster(p) == "ada bob" {
		if dead := strings.Fields(do(t, s, "ZRANGE", own+":{p0}:dead", "0", "-1", "WITHSCORES")); len(dead) == 2 {
			claims[dead[1]] = true
		}
		<-time.After(10 * time.Millisecond)
	}
	expectTold(t, a, p, "+ada", "+bob")
	settle(t, s, own, time.Now())
	a.heard(p, "-bob")
}

// A node tells Redis what that had lost, and another one does not hear that it has: it finds that out when it is back.
func TestMissedRepair(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	own := prefix()
	p := place("presence-a")
	var nodes []*node
	var networks []*redistest.Proxy
	for _, who := range []string{"ada", "bob", "cy"} {
		network := redistest.NewProxy(t, s.Addr())
		n := run(t, through(network, own))
		n.enter(p, user("1."+who, who))
		nodes, networks = append(nodes, n), append(networks, network)
	}
	s.Kill()
	for _, n := range nodes {
		n.until("it is down", func() bool { return !n.up })
	}
	networks[2].Refuse()
	s.Restart()
	for _, n := range nodes[:2] {
		n.until("there is a state without cy", func() bool { return n.gaps[p] > 0 && !n.unsettled[p] && !n.rosters[p]["cy"] })
	}
	networks[1].BlackHole(redistest.FromRedis)
	networks[2].Heal()
	nodes[0].until("cy is back", func() bool { return nodes[0].rosters[p]["cy"] })
	networks[1].Heal()
	nodes[1].until("cy is back", func() bool { return nodes[1].rosters[p]["cy"] })
	for i, n := range nodes {
		if n.gaps[p] != 1 {
			t.Errorf("node %d was told of %d gaps, want 1", i, n.gaps[p])
		}
	}
}
