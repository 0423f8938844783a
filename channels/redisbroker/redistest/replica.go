package redistest

import (
	"fmt"
	"strings"
	"testing"
)

// StartReplica starts a replica of a master, with its options, and returns when it has
// what the master has.
func StartReplica(t testing.TB, of *Server) *Server {
	t.Helper()
	o := of.opts
	o.of = of
	s := Start(t, o)
	s.awaitSync(of)
	return s
}

// awaitSync returns when the replica has what the master has, and is told what that is
// told: a master does so only a while after the replica calls its link up.
func (s *Server) awaitSync(master *Server) {
	s.t.Helper()
	err := poll("the replica", s.follows)
	if err == nil {
		master.must("FUNCTION", "FLUSH") // there are none, but the replica is told
		err = poll("the replica", func() error { return s.caughtUp(master) })
	}
	if err != nil {
		s.t.Fatalf("%v\n%s", err, s.log())
	}
}

// caughtUp says what a replica lacks that its master counts as told.
func (s *Server) caughtUp(master *Server) error {
	var offsets []string
	for _, m := range []*Server{master, s} {
		info, err := m.Do("INFO", "replication")
		if err != nil {
			return err
		}
		_, after, _ := strings.Cut(info, "master_repl_offset:")
		offset, _, _ := strings.Cut(after, "\r\n")
		offsets = append(offsets, offset)
	}
	if offsets[0] != offsets[1] || offsets[0] == "0" {
		return fmt.Errorf("%s is at %s, its master at %s", s.Addr(), offsets[1], offsets[0])
	}
	return nil
}

// follows says why a replica does not have what its master has.
func (s *Server) follows() error {
	info, err := s.Do("INFO", "replication")
	if err != nil {
		return err
	}
	if !strings.Contains(info, "master_link_status:up") {
		return fmt.Errorf("%s does not follow its master\n%s", s.Addr(), info)
	}
	return nil
}

// Abandon cuts a replica off its master for good: what that is told from here on the
// replica does not get. To others both are as they were.
func (s *Server) Abandon() {
	s.t.Helper()
	s.must("CONFIG", "SET", "masteruser", "nobody", "masterauth", "nothing") // the master does not know who asks
	s.must("CLIENT", "KILL", "TYPE", "master")
}

// leads says why a server does not take writes.
func (s *Server) leads() error {
	role, err := s.Do("ROLE")
	if err == nil && !strings.HasPrefix(role, "master") {
		err = fmt.Errorf("%s is no master\n%s", s.Addr(), role)
	}
	return err
}
