package redisbroker_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"hark/channels"
	"hark/channels/redisbroker"
	"hark/channels/redisbroker/redistest"
)

// ask asks all nodes, and returns who answered and who is silent: nobody while it cannot
// be known.
func (n *node) ask() (answered, silent []string) {
	n.t.Helper()
	answers, err := n.Ask(n.t.Context(), "who is there?")
	if e, ok := errors.AsType[*channels.SilentError](err); ok {
		silent = e.Nodes
	} else if err != nil && !errors.Is(err, channels.ErrUnavailable) {
		n.t.Fatalf("Ask: %v", err)
	}
	for _, a := range answers {
		answered = append(answered, a.Node)
	}
	slices.Sort(answered)
	return answered, silent
}

// askUntil asks until that many have answered and that many are silent.
func (n *node) askUntil(answered, silent int) (here, away []string) {
	n.t.Helper()
	for end := time.Now().Add(patience); ; {
		if here, away = n.ask(); len(here) == answered && len(away) == silent {
			return here, away
		}
		if time.Now().After(end) {
			n.t.Fatalf("%v have answered and %v are silent, want %d and %d", here, away, answered, silent)
		}
	}
}

// endLease ends a node's lease, in every partition.
func endLease(t *testing.T, s *redistest.Server, prefix, node string) {
	t.Helper()
	_, err := s.Do("EVAL", `
		for _, leases in ipairs(redis.call('KEYS', ARGV[1] .. ':*:leases')) do
			for _, name in ipairs(redis.call('ZRANGE', leases, 0, -1)) do
				if string.find(name, ARGV[2] .. '.', 1, true) == 1 then redis.call('ZADD', leases, 1, name) end
			end
		end`, "0", prefix, node)
	if err != nil {
		t.Fatal(err)
	}
}

// A node that is paused is named, with its words, as long as it has its lease; so is one
// that was killed. After that nobody waits for it; one that goes on answers again.
func TestAskSilentNodes(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	own := prefix()
	config := redisbroker.Config{Redis: redis.UniversalOptions{Addrs: []string{s.Addr()}}, Prefix: own}
	config.Lease, config.Beat = time.Hour, time.Second // leases end when the test says so
	config.Node = "host-1.example"
	a := run(t, config)
	if got, silent := a.ask(); len(got) != 1 || len(silent) != 0 || !strings.HasPrefix(got[0], "host-1.example-") {
		t.Fatalf("%v have answered and %v are silent, want this node with its words", got, silent)
	}
	for _, signal := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGKILL} {
		other, _ := processWith(t, s.Addr(), own, "guest", "1h")
		both, _ := a.askUntil(2, 0)
		if err := other.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		got, silent := a.askUntil(1, 1) // the signal may be later than the question
		if all := slices.Sorted(slices.Values(append(got, silent...))); !slices.Equal(all, both) {
			t.Errorf("after %v %v has answered and %v is silent, want one and the other of %v", signal, got, silent, both)
		}
		endLease(t, s, own, silent[0])
		a.askUntil(1, 0)
		if signal == syscall.SIGSTOP {
			if err := other.Process.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			a.askUntil(2, 0)
			if err := other.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			a.askUntil(1, 1)
			endLease(t, s, own, silent[0])
		}
	}
}

// Where it is Redis that does not answer, no node is named: it is not known what they say.
func TestAskWithoutRedis(t *testing.T) {
	for name, fail := range map[string]func(*redistest.Proxy){
		"is silent": func(p *redistest.Proxy) { p.BlackHole(redistest.Both) },
		"goes away": func(p *redistest.Proxy) {
			p.Refuse()
			p.Reset()
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := redistest.Start(t, redistest.Options{})
			p := redistest.NewProxy(t, s.Addr())
			n := run(t, through(p, prefix()))
			asked := make(chan struct{})
			n.change(func() {
				n.answer = func(ctx context.Context) (string, error) {
					close(asked)
					<-ctx.Done()
					return "", context.Cause(ctx)
				}
			})
			failed := make(chan error, 1)
			go func() {
				_, err := n.Ask(t.Context(), "who is there?")
				failed <- err
			}()
			select {
			case <-asked:
			case err := <-failed:
				t.Fatalf("Ask, while all is well: %v", err)
			}
			fail(p)
			err := <-failed
			if _, silent := errors.AsType[*channels.SilentError](err); silent || !errors.Is(err, channels.ErrUnavailable) {
				t.Errorf("Ask: %v, want ErrUnavailable", err)
			}
		})
	}
}

// Nobody waits for who asks and has gone, and no node is named for it.
func TestAskCanceled(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	n := run(t, redisbroker.Config{Redis: redis.UniversalOptions{Addrs: []string{s.Addr()}}, Prefix: prefix(), Timeout: patience})
	ctx, cancel := context.WithCancel(t.Context())
	n.change(func() {
		n.answer = func(ctx context.Context) (string, error) {
			cancel()
			<-ctx.Done()
			return "", context.Cause(ctx)
		}
	})
	_, err := n.Ask(ctx, "who is there?")
	if _, silent := errors.AsType[*channels.SilentError](err); silent || err == nil {
		t.Errorf("Ask: %v, want that it was canceled", err)
	}
}

// A node that does not hear questions yet has no lease: nobody waits for it.
func TestAskBeforeOneListens(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	own := prefix()
	config := short(redisbroker.Config{Redis: redis.UniversalOptions{Addrs: []string{s.Addr()}}, Prefix: own})
	a := run(t, config)
	do := func(args ...string) {
		t.Helper()
		if _, err := s.Do(args...); err != nil {
			t.Fatal(err)
		}
	}
	do("ACL", "SETUSER", "deaf", "on", "nopass", "~*", "&*", "+@all", "-ssubscribe")
	config.Redis.Username, config.Redis.Password = "deaf", "any"
	config.Timeout = 300 * time.Millisecond
	b := begin(t, config)
	b.until("it has tried, and could not", func() bool { return b.outages > 0 })
	if got, silent := a.ask(); len(got) != 1 || len(silent) != 0 {
		t.Errorf("%v have answered and %v are silent, want this node alone", got, silent)
	}
	do("ACL", "SETUSER", "deaf", "+ssubscribe")
	b.until("it is up", func() bool { return b.up })
	if got, silent := a.ask(); len(got) != 2 || len(silent) != 0 {
		t.Errorf("%v have answered and %v are silent, want both", got, silent)
	}
}

// A Redis that has lost everything does not know who lives: until the nodes have said so
// there is no answer, rather than one that lacks some.
func TestAskAfterLoss(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	own := prefix()
	config := short(redisbroker.Config{Redis: redis.UniversalOptions{Addrs: []string{s.Addr()}}, Prefix: own})
	nodes := []*node{run(t, config), run(t, config), run(t, config)}
	for range 3 {
		if _, err := s.Do("FLUSHALL"); err != nil {
			t.Fatal(err)
		}
		refused := 0
		for {
			answers, err := nodes[0].Ask(t.Context(), "who is there?")
			if err == nil && len(answers) == len(nodes) {
				break
			}
			if err == nil {
				t.Fatalf("%d nodes have answered, and it seems to be all", len(answers))
			}
			if !errors.Is(err, channels.ErrUnavailable) {
				t.Fatalf("Ask: %v, want ErrUnavailable", err)
			}
			refused++
		}
		if refused == 0 {
			t.Error("nothing was refused after the loss of everything")
		}
	}
}

// A node that is asked too much at once leaves the rest, and counts it.
func TestAskTooMuch(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	own := prefix()
	config := redisbroker.Config{Redis: redis.UniversalOptions{Addrs: []string{s.Addr()}}, Prefix: own}
	n := run(t, config)
	release := make(chan struct{})
	n.change(func() {
		n.answer = func(context.Context) (string, error) {
			<-release
			return "here", nil
		}
	})
	const asked, answered = 100, 64
	left := make(chan struct{}, asked)
	n.counts.counting.Lock()
	n.counts.unanswered = left
	n.counts.counting.Unlock()
	for range asked {
		if _, err := s.Do("SPUBLISH", own+":{c}:c", "q9999999999999 1Qi1:am4:2000"); err != nil {
			t.Fatal(err)
		}
	}
	for range asked - answered {
		<-left
	}
	close(release)
	n.askUntil(1, 0) // it answers again
}
