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

// ask asks all nodes, and returns who answered and who is silent.
func (n *node) ask() (answered, silent []string) {
	n.t.Helper()
	answers, err := n.Ask(n.t.Context(), "who is there?")
	if e, ok := errors.AsType[*channels.SilentError](err); ok {
		silent = e.Nodes
	} else if err != nil {
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
	for end := time.Now().Add(20 * time.Second); ; {
		if here, away = n.ask(); len(here) == answered && len(away) == silent {
			return here, away
		}
		if time.Now().After(end) {
			n.t.Fatalf("%v have answered and %v are silent, want %d and %d", here, away, answered, silent)
		}
	}
}

// A node that is paused is named, with its words, as long as it has its lease; so is one
// that was killed. After that nobody waits for it; one that goes on answers again.
func TestAskSilentNodes(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	own := prefix()
	config := redisbroker.Config{Redis: redis.UniversalOptions{Addrs: []string{s.Addr()}}, Prefix: own, Timeout: 500 * time.Millisecond}
	config.Lease, config.Beat = 3*time.Second, time.Second
	config.Node = "host-1.example"
	a := run(t, config)
	if got, silent := a.ask(); len(got) != 1 || len(silent) != 0 || !strings.HasPrefix(got[0], "host-1.example-") {
		t.Fatalf("%v have answered and %v are silent, want this node with its words", got, silent)
	}
	for _, signal := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGKILL} {
		other, _ := processWith(t, s.Addr(), own, "guest", "3s")
		both, _ := a.askUntil(2, 0)
		if err := other.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		got, silent := a.askUntil(1, 1) // the signal may be later than the question
		if all := slices.Sorted(slices.Values(append(got, silent...))); !slices.Equal(all, both) {
			t.Errorf("after %v %v has answered and %v is silent, want one and the other of %v", signal, got, silent, both)
		}
		a.askUntil(1, 0)
		if signal == syscall.SIGSTOP {
			if err := other.Process.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			a.askUntil(2, 0)
			if err := other.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			a.askUntil(1, 0)
		}
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
