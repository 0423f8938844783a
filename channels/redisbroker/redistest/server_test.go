package redistest_test

import (
	"crypto/tls"
	"strings"
	"syscall"
	"testing"

	"hark/channels/redisbroker/redistest"
)

func do(t *testing.T, s *redistest.Server, args ...string) string {
	t.Helper()
	answer, err := s.Do(args...)
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return answer
}

func expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func TestAnswers(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	expect(t, "a simple string", do(t, s, "SET", "a", "x\r\ny"), "OK")
	expect(t, "a text", do(t, s, "GET", "a"), "x\r\ny")
	expect(t, "nil", do(t, s, "GET", "nothing"), "")
	expect(t, "a number", do(t, s, "INCR", "n"), "1")
	expect(t, "an array", do(t, s, "MGET", "n", "a"), "1\nx\r\ny")
	if answer, err := s.Do("INCR", "a"); err == nil {
		t.Errorf("INCR of a text: %q, want an error", answer)
	}
}

// What a restart leaves is what was asked for.
func TestRestart(t *testing.T) {
	ends := map[string]func(*redistest.Server){"stop": (*redistest.Server).Stop, "kill": (*redistest.Server).Kill}
	for _, tt := range []struct {
		name       string
		appendOnly bool
		end        string
		wipe       bool
		want       string
	}{
		{"a log survives a stop", true, "stop", false, "1"},
		{"a log survives a kill", true, "kill", false, "1"},
		{"what is wiped is gone", true, "kill", true, ""},
		{"without a log nothing stays", false, "stop", false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// Each write is in the log before it is answered.
			s := redistest.Start(t, redistest.Options{AppendOnly: tt.appendOnly, Args: []string{"--appendfsync", "always"}})
			addr, pid := s.Addr(), s.Pid()
			do(t, s, "SET", "a", "1")
			ends[tt.end](s)
			if _, err := s.Do("PING"); err == nil {
				t.Error("a server that has ended answers")
			}
			if tt.wipe {
				s.Wipe()
			}
			s.Restart()
			expect(t, "after the restart", do(t, s, "GET", "a"), tt.want)
			expect(t, "the address", s.Addr(), addr)
			if s.Pid() == pid {
				t.Error("the process is the same")
			}
		})
	}
}

func TestPause(t *testing.T) {
	s, _, l := open(t)
	s.Pause()
	l.say("PING")
	l.silent()
	s.Resume()
	l.expect("+PONG")
	s.Pause() // and the end of the test ends it all the same
}

// A server is gone when its test is, whatever state it was left in.
func TestEnds(t *testing.T) {
	var addr string
	var pid int
	t.Run("inner", func(t *testing.T) {
		s := redistest.Start(t, redistest.Options{AppendOnly: true})
		addr, pid = s.Addr(), s.Pid()
		s.Pause()
	})
	const nothing = syscall.Signal(0) // only asks whether the process is there
	if err := syscall.Kill(pid, nothing); err == nil {
		t.Errorf("process %d (%s) is still there", pid, addr)
	}
}

func TestCluster(t *testing.T) {
	c := redistest.StartCluster(t, redistest.Options{AppendOnly: true}, redistest.Thirds...)
	first, last := c.Masters[0], c.Masters[2]
	if got := len(c.Addrs()); got != 3 {
		t.Fatalf("%d addresses", got)
	}
	// "foo" is in slot 12182, "b" in 3300.
	expect(t, "a key of the last third", do(t, last, "SET", "foo", "1"), "OK")
	expect(t, "a key of the first third", do(t, first, "SET", "b", "1"), "OK")
	if _, err := first.Do("GET", "foo"); err == nil || !strings.Contains(err.Error(), "MOVED 12182 "+last.Addr()) {
		t.Errorf("a key of another: %v, want MOVED to %s", err, last.Addr())
	}
	last.Stop()
	expect(t, "while one is away", do(t, first, "GET", "b"), "1")
	last.Restart()
	c.Await()
	expect(t, "after its return", do(t, last, "GET", "foo"), "1")
}

func TestTLS(t *testing.T) {
	a := redistest.NewAuthority(t)
	s := redistest.Start(t, redistest.Options{TLS: a})
	expect(t, "by TLS", do(t, s, "PING"), "PONG")
	for name, c := range map[string]*tls.Config{
		"no certificate":    {RootCAs: a.Client().RootCAs},
		"another authority": redistest.NewAuthority(t).Client(),
	} {
		conn, err := tls.Dial("tcp", s.Addr(), c)
		if err == nil {
			if _, err = conn.Write([]byte("PING\r\n")); err == nil {
				_, err = conn.Read(make([]byte, 1)) // by then the server has seen the certificate
			}
			conn.Close()
		}
		if err == nil {
			t.Errorf("%s: the server answers", name)
		}
	}
}

// A replica has what its master has, until it is abandoned, and is put in its place.
func TestSentinels(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t, redistest.Options{})
	do(t, master, "SET", "a", "1")
	replica := redistest.StartReplica(t, master)
	expect(t, "on the replica", do(t, replica, "GET", "a"), "1")
	if _, err := replica.Do("SET", "a", "2"); err == nil {
		t.Error("a replica takes a write")
	}
	g := redistest.StartSentinels(t, master, 1)
	replica.Abandon()
	do(t, master, "SET", "a", "3")
	master.Kill()
	g.Await(replica)
	expect(t, "on the new master", do(t, replica, "GET", "a"), "1")
	do(t, replica, "SET", "a", "4")
}

func TestClusterReplica(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, redistest.Options{Args: []string{"--cluster-node-timeout", "500"}}, redistest.Thirds...)
	master := c.MasterOf("foo")
	expect(t, "the master of foo", master.Addr(), c.Masters[2].Addr())
	do(t, master, "SET", "foo", "1")
	replica := c.Replica(master)
	master.Kill()
	c.AwaitMaster(replica)
	expect(t, "on the new master", do(t, replica, "GET", "foo"), "1")
}
