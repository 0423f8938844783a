package redisbroker_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"hark/channels"
	"hark/channels/redisbroker/redistest"
	"hark/protocol"
)

var (
	stormRounds = flag.Int("storm", 3, "rounds of TestStorm")
	stormSeed   = flag.Uint64("storm.seed", 0, "seed of TestStorm; 0: a random one")
)

// A storm is nodes on whose places users come and go, and publish, while the network
// and Redis fail. When it is over everybody knows who is there.
type storm struct {
	t       *testing.T
	servers []*redistest.Server
	losing  bool // a Redis that ends has lost what it had
	proxies []*redistest.Proxy
	nodes   []*node
	places  []channels.Place

	mu       sync.Mutex
	here     []map[channels.Place]map[protocol.SocketID]string // of each node
	accepted map[channels.Place][]string
	refused  map[string]bool
	next     int
}

// keeps are the options of a Redis that loses nothing.
var keeps = redistest.Options{AppendOnly: true, Args: []string{"--appendfsync", "always"}}

func newStorm(t *testing.T, nodes int, servers ...*redistest.Server) *storm {
	s := &storm{
		t: t, servers: servers,
		accepted: map[channels.Place][]string{}, refused: map[string]bool{},
		places: []channels.Place{place("presence-a"), place("presence-b"), place("presence-c")},
	}
	own := prefix()
	for i := range nodes {
		proxy := redistest.NewProxy(t, servers[0].Addr())
		config := through(proxy, own)
		if len(servers) > 1 {
			config.Redis = redis.UniversalOptions{IsClusterMode: true, Dialer: proxy.Dial}
			for _, server := range servers {
				config.Redis.Addrs = append(config.Redis.Addrs, server.Addr())
			}
		}
		n := run(t, config)
		s.proxies, s.nodes = append(s.proxies, proxy), append(s.nodes, n)
		s.here = append(s.here, map[channels.Place]map[protocol.SocketID]string{})
		for _, p := range s.places {
			anchor := user(fmt.Sprintf("%d.0", i+1), fmt.Sprintf("anchor-%d", i))
			snapshot := n.enter(p, anchor)
			n.change(func() {
				if n.rosters[p] == nil {
					n.rosters[p] = map[string]bool{}
				}
				for _, m := range snapshot.Members {
					n.rosters[p][m.UserID] = true
				}
			})
			s.here[i][p] = map[protocol.SocketID]string{anchor.Socket: anchor.Member.UserID}
		}
	}
	return s
}

// calm is how long nothing new goes wrong after each trouble.
const calm = 400 * time.Millisecond

// step has one user of a node do something.
func (s *storm) step(i int, r *rand.Rand) {
	n, p := s.nodes[i], s.places[r.IntN(len(s.places))]
	s.mu.Lock()
	s.next++
	id := s.next
	var mine []protocol.SocketID
	for _, socket := range slices.Sorted(maps.Keys(s.here[i][p])) {
		if !strings.HasSuffix(string(socket), ".0") {
			mine = append(mine, socket)
		}
	}
	s.mu.Unlock()
	switch {
	case r.IntN(3) == 0:
		name := fmt.Sprintf("e%d", id)
		_, err := n.Publish(s.t.Context(), channels.Envelope{Place: p, Name: name})
		s.mu.Lock()
		if err == nil {
			s.accepted[p] = append(s.accepted[p], name)
		} else {
			s.refused[name] = true
		}
		s.mu.Unlock()
	case len(mine) < 3 || r.IntN(2) == 0:
		o := user(fmt.Sprintf("%d.%d", i+1, id), fmt.Sprintf("user-%d", r.IntN(6)))
		for { // as the hub does: until it is in, or has left
			_, err := n.Enter(s.t.Context(), p, o)
			if err == nil {
				s.mu.Lock()
				s.here[i][p][o.Socket] = o.Member.UserID
				s.mu.Unlock()
				return
			}
			if r.IntN(3) == 0 {
				break
			}
		}
		_ = n.Leave(s.t.Context(), p, o)
	default:
		socket := mine[r.IntN(len(mine))]
		s.mu.Lock()
		who := s.here[i][p][socket]
		delete(s.here[i][p], socket)
		s.mu.Unlock()
		_ = n.Leave(s.t.Context(), p, user(string(socket), who))
	}
}

// trouble makes something fail for a while.
func (s *storm) trouble(r *rand.Rand) string {
	proxy := s.proxies[r.IntN(len(s.proxies))]
	server := s.servers[r.IntN(len(s.servers))]
	while := time.Duration(r.IntN(1500)) * time.Millisecond
	last := func() { <-time.After(while) }
	switch r.IntN(7) {
	case 0:
		proxy.Reset()
		return "reset"
	case 1:
		proxy.CutReplies(int64(r.IntN(2000)))
		return "cut replies"
	case 2:
		proxy.Partition(true)
		last()
		proxy.Partition(false)
		return fmt.Sprint("partition of ", while)
	case 3:
		proxy.Stall(redistest.Both)
		last()
		proxy.Heal()
		return fmt.Sprint("stall of ", while)
	case 4:
		server.Pause()
		last()
		server.Resume()
		return fmt.Sprint("pause of ", while)
	case 5:
		server.Kill()
		last()
		if s.losing {
			server.Wipe()
		}
		server.Restart()
		return fmt.Sprint("Redis away for ", while)
	default:
		proxy.BlackHole(redistest.FromRedis)
		last()
		proxy.Heal()
		return fmt.Sprint("answers lost for ", while)
	}
}

func (s *storm) round(seed uint64) []string {
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range s.nodes {
		for j := range 2 {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(seed, uint64(i*10+j)))
				for {
					select {
					case <-stop:
						return
					default:
						s.step(i, r)
					}
				}
			})
		}
	}
	var troubles []string
	r := rand.New(rand.NewPCG(seed, 1000))
	for range 3 {
		troubles = append(troubles, s.trouble(r))
		<-time.After(calm)
	}
	close(stop)
	wg.Wait()
	return troubles
}

// want returns how many sockets and which users are on a place.
func (s *storm) want(p channels.Place) (sockets int, users string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]bool{}
	for i := range s.here {
		sockets += len(s.here[i][p])
		for _, id := range s.here[i][p] {
			all[id] = true
		}
	}
	return sockets, strings.Join(slices.Sorted(maps.Keys(all)), " ")
}

// atRest checks what everybody knows when nothing happens any more.
func (s *storm) atRest() {
	s.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		wrong := s.wrong()
		if wrong == "" {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatal(wrong)
		}
		<-time.After(20 * time.Millisecond)
	}
}

func (s *storm) wrong() string {
	for _, p := range s.places {
		sockets, users := s.want(p)
		for i, n := range s.nodes {
			info, err := n.Info(s.t.Context(), p)
			if err != nil {
				return fmt.Sprintf("node %d: Info: %v", i, err)
			}
			members, err := n.Members(s.t.Context(), p)
			if err != nil {
				return fmt.Sprintf("node %d: Members: %v", i, err)
			}
			var ids []string
			for _, m := range members {
				ids = append(ids, m.UserID)
			}
			slices.Sort(ids)
			if info.Sockets != sockets || strings.Join(ids, " ") != users || info.Users != len(ids) {
				return fmt.Sprintf("%s by node %d: %d sockets, users %v, want %d, %s", p.Channel, i, info.Sockets, ids, sockets, users)
			}
			if got := n.roster(p); got != users {
				return fmt.Sprintf("%s: node %d has the roster %s, want %s", p.Channel, i, got, users)
			}
		}
	}
	return ""
}

// events checks that what was accepted is there, in one order, and once.
func (s *storm) events() {
	s.t.Helper()
	for _, p := range s.places {
		s.nodes[0].publish(p, "end")
		var first []string
		for i, n := range s.nodes {
			all := n.heard(p, "end")
			n.mu.Lock()
			gaps := n.gaps[p]
			n.mu.Unlock()
			var got []string
			seen := map[string]bool{}
			for _, what := range all {
				if what[0] != 'e' || what == "end" {
					continue
				}
				if seen[what] {
					s.t.Errorf("%s: node %d heard %s twice", p.Channel, i, what)
				}
				seen[what] = true
				got = append(got, what)
			}
			if gaps > 0 {
				s.t.Errorf("%s: node %d was told of %d gaps, and nothing was lost", p.Channel, i, gaps)
			}
			for _, name := range s.accepted[p] {
				if !seen[name] {
					s.t.Errorf("%s: node %d did not hear %s, which was accepted", p.Channel, i, name)
				}
			}
			if first == nil {
				first = got
			} else if !slices.Equal(got, first) {
				s.t.Errorf("%s: node %d heard another order", p.Channel, i)
			}
		}
	}
}

// notes checks that each user came and went in turn.
func (s *storm) notes() (n int) {
	for _, server := range s.servers {
		n += s.notesOf(server)
	}
	return n
}

func (s *storm) notesOf(server *redistest.Server) (n int) {
	c := redis.NewClient(&redis.Options{Addr: server.Addr(), Protocol: 2})
	defer c.Close()
	keys, err := c.Keys(s.t.Context(), "*:notes").Result()
	if err != nil {
		s.t.Fatal(err)
	}
	here := map[string]bool{}
	for _, key := range keys {
		entries, err := c.XRange(s.t.Context(), key, "-", "+").Result()
		if err != nil {
			s.t.Fatal(err)
		}
		for _, e := range entries {
			event, _ := e.Values["event"].(string)
			if !strings.HasPrefix(event, "member_") {
				continue
			}
			n++
			who := fmt.Sprint(e.Values["channel"], " ", e.Values["user"])
			if came := event == "member_added"; here[who] == came {
				s.t.Errorf("%s: %s twice", who, event)
			} else {
				here[who] = came
			}
		}
	}
	return n
}

func TestStorm(t *testing.T) {
	s := newStorm(t, 3, redistest.Start(t, keeps))
	s.run()
	s.events()
	t.Logf("%d comings and goings were noted", s.notes())
}

// With a Redis that forgets everything events may be missing, and subscribers know.
// Who is there is right again.
func TestStormWithoutData(t *testing.T) {
	s := newStorm(t, 3, redistest.Start(t, redistest.Options{}))
	s.losing = true
	s.run()
}

func TestStormOnCluster(t *testing.T) {
	c := redistest.StartCluster(t, keeps, redistest.Thirds...)
	s := newStorm(t, 3, c.Masters...)
	s.run()
	s.events()
	t.Logf("%d comings and goings were noted", s.notes())
}

// run has rounds of trouble, and says what it counted.
func (s *storm) run() {
	s.t.Helper()
	seed := *stormSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	s.t.Logf("-storm.seed %d", seed)
	for i := range *stormRounds {
		troubles := s.round(seed + uint64(i))
		s.t.Logf("round %d: %v", i, troubles)
		s.atRest()
	}
	total, gaps := 0, 0
	for _, p := range s.places {
		total += len(s.accepted[p])
		for _, n := range s.nodes {
			n.mu.Lock()
			gaps += n.gaps[p]
			n.mu.Unlock()
		}
	}
	if total == 0 {
		s.t.Error("no event was accepted: the storm shows nothing")
	}
	s.t.Logf("%d events accepted, %d refused, %d gaps", total, len(s.refused), gaps)
	for i, n := range s.nodes {
		s.t.Logf("node %d: %s", i, &n.counts)
	}
}
