package redisbroker_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"hark/channels"
	"hark/channels/redisbroker"
	"hark/channels/redisbroker/redistest"
	"hark/protocol"
)

// returning is one whom a node that ends has sent to another.
func returning(o channels.Occupant) channels.Occupant {
	o.Returning = true
	return o
}

// counted is a socket that is told how many there are.
func counted(id string) channels.Occupant {
	return channels.Occupant{Socket: protocol.SocketID(id), Counted: true}
}

// leave takes an occupant off p.
func (n *node) leave(p channels.Place, o ...channels.Occupant) {
	n.t.Helper()
	if err := n.Leave(n.t.Context(), p, o...); err != nil {
		n.t.Fatalf("Leave: %v", err)
	}
}

// notes returns the notes of a prefix, each as "channel event user", sorted.
func notes(t *testing.T, s *redistest.Server, prefix string) []string {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: s.Addr(), Protocol: 2})
	defer c.Close()
	keys, err := c.Keys(t.Context(), prefix+":*:notes").Result()
	if err != nil {
		t.Fatal(err)
	}
	all := []string{}
	for _, key := range keys {
		entries, err := c.XRange(t.Context(), key, "-", "+").Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			all = append(all, strings.TrimSpace(fmt.Sprint(e.Values["channel"], " ", e.Values["event"], " ", e.Values["user"])))
		}
	}
	slices.Sort(all)
	return all
}

// expectNotes waits until there are as many notes as are wanted, and compares. They are sorted.
func expectNotes(t *testing.T, s *redistest.Server, prefix string, want ...string) {
	t.Helper()
	late := time.Now().Add(20 * time.Second)
	got := notes(t, s, prefix)
	for len(got) < len(want) && time.Now().Before(late) {
		<-time.After(10 * time.Millisecond)
		got = notes(t, s, prefix)
	}
	if !slices.Equal(got, want) {
		t.Errorf("noted %q, want %q", got, want)
	}
}

func expectTold(t *testing.T, n *node, p channels.Place, want ...string) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if got := n.told[p]; !slices.Equal(got, want) {
		t.Errorf("%s: told %q, want %q", p.Channel, got, want)
	}
}

// long is a handover that does not end while a test lasts.
func long(c redisbroker.Config) redisbroker.Config {
	c.Handover = time.Minute
	return c
}

// Whoever a node sends away when it ends, and who comes back to another one, has never been away: before its end or after
// it, and neither for the others, nor by the counts, nor for webhooks.
func TestHandover(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	own := prefix()
	config := long(short(redisbroker.Config{Redis: redis.UniversalOptions{Addrs: []string{s.Addr()}}, Prefix: own}))
	a, b := run(t, config), run(t, config)
	room, online, news, prices := place("presence-room"), place("#user-bob"), place("news"), place("cache-prices")
	a.enter(room, user("1.1", "watcher"))
	a.enter(online, channels.Occupant{Socket: "1.1"})
	b.enter(room, user("2.1", "ada"), user("2.2", "bob"), user("2.3", "eve"))
	b.enter(online, user("2.2", "bob"))
	b.enter(news, counted("2.1"))
	b.enter(prices, channels.Occupant{Socket: "2.1"})
	if _, err := b.Publish(t.Context(), channels.Envelope{Place: prices, Name: "price", Data: "7", Cache: time.Hour}); err != nil {
		t.Fatal(err)
	}

	b.leave(room, user("2.3", "eve")) // by itself
	b.leave(room, returning(user("2.1", "ada")))
	b.leave(prices, returning(channels.Occupant{Socket: "2.1"}))
	a.enter(room, user("1.2", "ada")) // while the node still runs
	b.leave(room, returning(user("2.2", "bob")))
	b.leave(online, returning(user("2.2", "bob")))
	b.leave(news, returning(counted("2.1")))
	if info := a.info(news); info.Sockets != 1 {
		t.Errorf("a channel whose only client is on its way: %+v, want 1 socket", info)
	}
	occupied, err := a.Occupied(t.Context(), "1", "news")
	if err != nil || len(occupied) != 1 || occupied[0].Sockets != 1 {
		t.Errorf("Occupied: %+v, %v, want it with 1 socket", occupied, err)
	}
	b.stop()
	snapshot, err := a.Enter(t.Context(), room, user("1.3", "bob"))
	if err != nil || len(snapshot.Members) != 3 {
		t.Errorf("Enter: %+v, %v, want three members", snapshot, err)
	}
	a.enter(online, user("1.3", "bob"))
	a.enter(news, counted("1.2"))
	snapshot, err = a.Enter(t.Context(), prices, channels.Occupant{Socket: "1.2"})
	if err != nil || snapshot.Cached.Data != "7" {
		t.Errorf("Enter: %+v, %v, want the cached price", snapshot, err)
	}
	for p, want := range map[channels.Place][]string{
		room:   {"+watcher", "+ada", "+bob", "+eve", "-eve", "end"},
		online: {"+bob", "end"},
		news:   {"end"},
	} {
		a.publish(p, "end")
		a.heard(p, "end")
		expectTold(t, a, p, want...)
	}
	if info := a.info(room); info.Users != 3 || info.Sockets != 3 {
		t.Errorf("counted %+v, want 3 sockets of 3 users", info)
	}
	expectNotes(t, s, own,
		"#user-bob channel_occupied", "#user-bob member_added bob",
		"cache-prices channel_occupied",
		"news channel_occupied",
		"presence-room channel_occupied",
		"presence-room member_added ada", "presence-room member_added bob", "presence-room member_added eve", "presence-room member_added watcher",
		"presence-room member_removed eve",
	)
}

// Who does not come back is taken away by another node, once. So is what nobody has said to be on its way when the node ends.
func TestHandoverEnds(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	own := prefix()
	config := short(redisbroker.Config{Redis: redis.UniversalOptions{Addrs: []string{s.Addr()}}, Prefix: own, Handover: 100 * time.Millisecond})
	a, b, c := run(t, config), run(t, config), run(t, config)
	room, news := place("presence-room"), place("news")
	a.enter(room, user("1.1", "watcher"))
	b.enter(room, user("2.1", "ada"), user("2.2", "bob"))
	b.enter(news, counted("2.1"))
	b.leave(room, returning(user("2.1", "ada")))
	b.leave(news, returning(counted("2.1")))
	b.stop()
	a.heard(room, "-ada")
	a.heard(room, "-bob")
	c.enter(room, user("3.1", "cy"))
	c.publish(room, "end")
	got := a.heard(room, "end")
	slices.Sort(got)
	if want := []string{"+ada", "+bob", "+cy", "+watcher", "-ada", "-bob", "end"}; !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
	if info := a.info(room); info.Users != 2 || info.Sockets != 2 {
		t.Errorf("counted %+v, want 2 sockets of 2 users", info)
	}
	expectNotes(t, s, own,
		"news channel_occupied", "news channel_vacated",
		"presence-room channel_occupied",
		"presence-room member_added ada", "presence-room member_added bob", "presence-room member_added cy", "presence-room member_added watcher",
		"presence-room member_removed ada", "presence-room member_removed bob",
	)
	if info := a.info(news); info.Sockets != 0 {
		t.Errorf("counted %+v, want none", info)
	}
}

// A node that is killed while it sends its clients away is like any that dies: what is left of it goes with its lease.
func TestKilledInHandover(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	proxy := redistest.NewProxy(t, s.Addr())
	own := prefix()
	a, b := run(t, long(through(redistest.NewProxy(t, s.Addr()), own))), run(t, long(through(proxy, own)))
	room := place("presence-room")
	a.enter(room, user("1.1", "watcher"))
	b.enter(room, user("2.1", "ada"), user("2.2", "bob"), user("2.3", "cy"))
	b.leave(room, returning(user("2.1", "ada")), returning(user("2.2", "bob")))
	a.enter(room, user("1.2", "ada"))
	proxy.Refuse()
	b.stop()
	a.heard(room, "-bob")
	a.heard(room, "-cy")
	a.publish(room, "end")
	got := a.heard(room, "end")
	slices.Sort(got)
	if want := []string{"+ada", "+bob", "+cy", "+watcher", "-bob", "-cy", "end"}; !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
	if info := a.info(room); info.Users != 2 || info.Sockets != 2 {
		t.Errorf("counted %+v, want 2 sockets of 2 users", info)
	}
}

// A node that is paused for longer than its lease while it sends its clients away does not bring back who is gone by that.
func TestPausedInHandover(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	proxy := redistest.NewProxy(t, s.Addr())
	own := prefix()
	a, b := run(t, long(through(redistest.NewProxy(t, s.Addr()), own))), run(t, long(through(proxy, own)))
	room := place("presence-room")
	a.enter(room, user("1.1", "watcher"))
	b.enter(room, user("2.1", "ada"), user("2.2", "bob"))
	b.leave(room, returning(user("2.1", "ada")))
	proxy.Partition(true)
	a.heard(room, "-ada")
	a.heard(room, "-bob")
	proxy.Partition(false)
	a.until("bob is back", func() bool { return a.told[room][len(a.told[room])-1] == "+bob" })
	b.leave(room, returning(user("2.2", "bob")))
	b.stop()
	a.publish(room, "end")
	a.heard(room, "end")
	if r := a.roster(room); r != "bob watcher" {
		t.Errorf("there are %s, want bob and watcher", r)
	}
	if info := a.info(room); info.Users != 2 || info.Sockets != 1 {
		t.Errorf("counted %+v, want 1 socket and 2 users", info)
	}
}

// A Redis that forgets everything while a node sends its clients away is told of them again.
func TestForgottenInHandover(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	own := prefix()
	a := run(t, long(through(redistest.NewProxy(t, s.Addr()), own)))
	b := run(t, long(through(redistest.NewProxy(t, s.Addr()), own)))
	room, news := place("presence-room"), place("news")
	a.enter(room, user("1.1", "watcher"))
	b.enter(room, user("2.1", "ada"))
	b.enter(news, counted("2.1"))
	b.leave(room, returning(user("2.1", "ada")))
	b.leave(news, returning(counted("2.1")))
	s.Kill()
	a.until("it is down", func() bool { return !a.up })
	b.until("it is down", func() bool { return !b.up })
	s.Restart()
	a.until("there is a gap, and a state", func() bool { return a.gaps[room] > 0 && !a.unsettled[room] })
	b.stop()
	a.enter(room, user("1.2", "ada"))
	a.enter(news, counted("1.2"))
	a.publish(room, "end")
	got := a.heard(room, "end")
	if slices.Contains(got[2:], "+ada") || slices.Contains(got, "-ada") {
		t.Errorf("told %q: nobody came or went", got)
	}
	expectNotes(t, s, own)
}

// A node that was alone leaves what it has for a node that starts later: who comes back there has not been away, and
// the others are gone once that node has seen Redis for a lease.
func TestHandoverToRestart(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	own := prefix()
	config := short(redisbroker.Config{Redis: redis.UniversalOptions{Addrs: []string{s.Addr()}}, Prefix: own, Handover: 2 * time.Second})
	room := place("presence-room")
	before := run(t, config)
	before.enter(room, user("1.1", "ada"), user("1.2", "bob"))
	before.leave(room, returning(user("1.1", "ada")), returning(user("1.2", "bob")))
	before.stop()
	config.Handover = time.Millisecond
	after := run(t, config)
	after.enter(room, user("2.1", "ada"))
	after.heard(room, "-bob")
	expectTold(t, after, room, "-bob")
	expectNotes(t, s, own,
		"presence-room channel_occupied", "presence-room member_added ada", "presence-room member_added bob", "presence-room member_removed bob")
}

// Who has not come back in time, since there was no node to come back to, is gone when one starts.
func TestHandoverIsOver(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	own := prefix()
	config := short(redisbroker.Config{
		Redis: redis.UniversalOptions{Addrs: []string{s.Addr()}}, Prefix: own, Handover: time.Millisecond, Partitions: 1,
	})
	config.Lease, config.Beat = time.Minute, 10*time.Second
	room := place("presence-room")
	before := run(t, config)
	before.enter(room, user("1.1", "ada"))
	before.leave(room, returning(user("1.1", "ada")))
	before.stop()
	dead, err := s.Do("ZRANGE", own+":{p0}:dead", "0", "-1", "WITHSCORES")
	if err != nil || len(strings.Fields(dead)) != 2 {
		t.Fatalf("expected back: %q, %v, want one node", dead, err)
	}
	until, err := strconv.ParseInt(strings.Fields(dead)[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	<-time.After(time.Until(time.UnixMilli(until + 1)))
	after := run(t, config)
	if got := after.enter(room, user("2.1", "bob")); len(got.Members) != 1 {
		t.Errorf("Enter: %v, want bob alone", got.Members)
	}
	expectNotes(t, s, own, "presence-room channel_occupied", "presence-room channel_occupied", "presence-room channel_vacated",
		"presence-room member_added ada", "presence-room member_added bob", "presence-room member_removed ada")
}

// Without a handover everybody is gone at once.
func TestNoHandover(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	config := short(redisbroker.Config{Redis: redis.UniversalOptions{Addrs: []string{s.Addr()}}, Prefix: prefix(), Handover: -1})
	a, b := run(t, config), run(t, config)
	room := place("presence-room")
	a.enter(room, user("1.1", "watcher"))
	b.enter(room, user("2.1", "ada"), user("2.2", "bob"))
	b.leave(room, returning(user("2.1", "ada")))
	b.stop()
	a.publish(room, "end")
	a.heard(room, "end")
	expectTold(t, a, room, "+watcher", "+ada", "+bob", "-ada", "-bob", "end")
}
