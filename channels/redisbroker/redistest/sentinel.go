package redistest

import (
	"fmt"
	"strings"
	"testing"
)

const (
	// sentinelCount is how many Sentinels there are, and sentinelQuorum how many of
	// them have to agree that a master is down.
	sentinelCount, sentinelQuorum = 3, 2
	// sentinelDown is how long a master is silent that is down, in ms.
	sentinelDown = 400
)

// Sentinels watch a master, and put a replica in its place when it is down, which takes
// them about two seconds.
type Sentinels struct {
	// Name is the master's.
	Name string
	// All are the Sentinels. As long as two of three run, they do their work.
	All []*Server
}

// StartSentinels starts Sentinels with the TLS of the master, and further lines of
// configuration, and returns when they know each other and the master's replicas.
func StartSentinels(t testing.TB, master *Server, replicas int, lines ...string) *Sentinels {
	t.Helper()
	g := &Sentinels{Name: "hark-master"}
	text := append([]string{
		fmt.Sprintf("sentinel monitor %s 127.0.0.1 %d %d", g.Name, master.port, sentinelQuorum),
		fmt.Sprintf("sentinel down-after-milliseconds %s %d", g.Name, sentinelDown),
		fmt.Sprintf("sentinel failover-timeout %s 2000", g.Name),
	}, lines...)
	for range sentinelCount {
		s := Start(t, Options{TLS: master.opts.TLS, sentinel: strings.Join(text, "\n") + "\n"})
		// They talk often, and do not stop working (TILT) when the machine is busy.
		s.must("SENTINEL", "DEBUG", "info-period", "200", "publish-period", "200", "ask-period", "100",
			"tilt-trigger", "60000", "tilt-period", "1000")
		g.All = append(g.All, s)
	}
	for _, s := range g.All {
		if err := poll("the Sentinels", func() error { return g.complete(s, replicas) }); err != nil {
			t.Fatalf("%v\n%s", err, s.log())
		}
	}
	return g
}

// complete says what a Sentinel does not know yet.
func (g *Sentinels) complete(s *Server, replicas int) error {
	state, err := s.Do("SENTINEL", "MASTER", g.Name)
	if err != nil {
		return err
	}
	for _, want := range []string{
		"flags\nmaster\n", fmt.Sprintf("num-slaves\n%d\n", replicas),
		fmt.Sprintf("num-other-sentinels\n%d\n", sentinelCount-1),
	} {
		if !strings.Contains(state, want) {
			return fmt.Errorf("%s does not know %q\n%s", s.Addr(), want, state)
		}
	}
	return nil
}

// Addrs returns the address of every Sentinel.
func (g *Sentinels) Addrs() []string {
	addrs := make([]string, 0, len(g.All))
	for _, s := range g.All {
		addrs = append(addrs, s.Addr())
	}
	return addrs
}

// Await returns when all Sentinels that run say that the server is the master.
func (g *Sentinels) Await(master *Server) {
	master.t.Helper()
	for _, s := range g.All {
		if s.process == nil {
			continue
		}
		err := poll("the Sentinels", func() error {
			got, err := s.Do("SENTINEL", "GET-MASTER-ADDR-BY-NAME", g.Name)
			if want := fmt.Sprintf("127.0.0.1\n%d", master.port); err == nil && got != want {
				err = fmt.Errorf("%s says that the master is %q, want %q", s.Addr(), got, want)
			}
			return err
		})
		if err != nil {
			master.t.Fatalf("%v\n%s", err, s.log())
		}
	}
}
