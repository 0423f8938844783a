package redistest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// Slots are hash slots from First to Last, which Redis Cluster has 16384 of, from 0.
type Slots struct {
	First, Last int
}

// Thirds are all slots, for three masters.
var Thirds = []Slots{{0, 5460}, {5461, 10922}, {10923, 16383}}

// A Cluster is a Redis Cluster of masters without replicas. One that ends takes its
// slots with it; the others go on.
type Cluster struct {
	t testing.TB
	// Masters have the slots that StartCluster was given, in that order.
	Masters []*Server
}

// StartCluster starts a master for each of slots, as in Thirds, and returns when
// all of them know all.
func StartCluster(t testing.TB, o Options, slots ...Slots) *Cluster {
	t.Helper()
	o.cluster = true
	c := &Cluster{t: t}
	for i, part := range slots {
		s := Start(t, o)
		c.Masters = append(c.Masters, s)
		c.must(s, "CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
		c.must(s, "CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(part.First), strconv.Itoa(part.Last))
	}
	first := c.Masters[0]
	for _, s := range c.Masters[1:] {
		c.must(s, "CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(first.port), strconv.Itoa(first.bus))
	}
	c.Await()
	return c
}

func (c *Cluster) must(s *Server, args ...string) {
	c.t.Helper()
	if _, err := s.Do(args...); err != nil {
		c.t.Fatalf("%v: %v", args, err)
	}
}

// Addrs returns the address of every master.
func (c *Cluster) Addrs() []string {
	addrs := make([]string, 0, len(c.Masters))
	for _, s := range c.Masters {
		addrs = append(addrs, s.Addr())
	}
	return addrs
}

// Await returns when every master that runs says that the cluster is in order and
// reaches all others that run.
func (c *Cluster) Await() {
	c.t.Helper()
	running := 0
	for _, s := range c.Masters {
		if s.process != nil {
			running++
		}
	}
	for _, s := range c.Masters {
		if s.process == nil {
			continue
		}
		if err := poll("cluster", func() error { return s.inOrder(running) }); err != nil {
			c.t.Fatalf("%v\n%s", err, s.log())
		}
	}
}

// inOrder says what is missing until n masters see each other.
func (s *Server) inOrder(n int) error {
	info, err := s.Do("CLUSTER", "INFO")
	if err != nil {
		return err
	}
	nodes, err := s.Do("CLUSTER", "NODES")
	if err != nil {
		return err
	}
	linked := 0
	for line := range strings.Lines(nodes) {
		// id address flags master ping-sent pong-received epoch link slots
		f := strings.Fields(line)
		if len(f) > 8 && strings.HasSuffix(f[2], "master") && f[7] == "connected" {
			linked++
		}
	}
	if !strings.Contains(info, "cluster_state:ok") || linked < n {
		return fmt.Errorf("%s sees %d of %d masters\n%s%s", s.Addr(), linked, n, info, nodes)
	}
	return nil
}
