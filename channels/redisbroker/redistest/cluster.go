package redistest

import (
	"errors"
	"fmt"
	"slices"
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

// A Cluster is a Redis Cluster. A master that ends and has no replica takes its slots
// with it; the others go on.
type Cluster struct {
	t     testing.TB
	slots []Slots
	// Masters have the slots that StartCluster was given, in that order, and at first.
	Masters []*Server
}

// StartCluster starts a master for each of slots, as in Thirds, and returns when
// all of them know all.
func StartCluster(t testing.TB, o Options, slots ...Slots) *Cluster {
	t.Helper()
	o.cluster = true
	c := &Cluster{t: t, slots: slots}
	for i, part := range slots {
		s := Start(t, o)
		c.Masters = append(c.Masters, s)
		s.must("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
		s.must("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(part.First), strconv.Itoa(part.Last))
	}
	first := c.Masters[0]
	for _, s := range c.Masters[1:] {
		s.meet(first)
	}
	c.Await()
	return c
}

// Replica starts a replica of a master, and returns when it has what the master has
// and every master knows it.
func (c *Cluster) Replica(of *Server) *Server {
	c.t.Helper()
	s := Start(c.t, of.opts)
	s.meet(of)
	id := of.must("CLUSTER", "MYID")
	c.await("the replica to know its master", func() error {
		_, err := s.Do("CLUSTER", "REPLICATE", id)
		return err
	})
	s.awaitSync(of)
	own := s.must("CLUSTER", "MYID")
	for _, m := range c.Masters {
		c.await(m.Addr()+" to know the replica", func() error {
			replicas, err := m.Do("CLUSTER", "REPLICAS", id)
			if err == nil && !strings.Contains(replicas, own) {
				err = errors.New(replicas)
			}
			return err
		})
	}
	return s
}

// AwaitMaster returns when a replica has taken its master's place, and all masters that
// run say so.
func (c *Cluster) AwaitMaster(replica *Server) {
	c.t.Helper()
	c.await("the replica to be a master", replica.leads)
	id := replica.must("CLUSTER", "MYID")
	for _, m := range append(slices.Clone(c.Masters), replica) {
		if m.process == nil {
			continue
		}
		c.await(m.Addr()+" to know the new master", func() error {
			nodes, err := m.Do("CLUSTER", "NODES")
			if err == nil && !knowsMaster(nodes, id) {
				err = errors.New(nodes)
			}
			return err
		})
	}
	c.Await()
}

// knowsMaster reports whether a node is a master that has slots, by CLUSTER NODES.
func knowsMaster(nodes, id string) bool {
	for line := range strings.Lines(nodes) {
		// id address flags master ping-sent pong-received epoch link slots
		f := strings.Fields(line)
		if len(f) > 8 && f[0] == id && strings.HasSuffix(f[2], "master") {
			return true
		}
	}
	return false
}

// MasterOf returns the master that has a key at first.
func (c *Cluster) MasterOf(key string) *Server {
	c.t.Helper()
	text := c.Masters[0].must("CLUSTER", "KEYSLOT", key)
	slot, err := strconv.Atoi(text)
	if err != nil {
		c.t.Fatal(err)
	}
	for i, part := range c.slots {
		if slot >= part.First && slot <= part.Last {
			return c.Masters[i]
		}
	}
	c.t.Fatalf("slot %d of %s is nobody's", slot, key)
	return nil
}

func (c *Cluster) await(what string, f func() error) {
	c.t.Helper()
	if err := poll(what, f); err != nil {
		c.t.Fatal(err)
	}
}

// meet has a server know another, and through it its cluster.
func (s *Server) meet(other *Server) {
	s.t.Helper()
	s.must("CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(other.port), strconv.Itoa(other.bus))
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
