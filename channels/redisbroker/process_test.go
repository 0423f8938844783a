package redisbroker_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
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

// nodeVariable makes the test program a node: it holds the address of a Redis, a
// prefix, the user whom the node brings to presence-a, and its lease.
const nodeVariable = "HARK_TEST_NODE"

// A teller is a Sink that prints what it is told.
type teller struct{ up chan struct{} }

func (t *teller) State(err error) {
	if err == nil {
		select {
		case t.up <- struct{}{}:
		default:
		}
	}
}
func (t *teller) Answer(context.Context, string) (string, error) { return "here", nil }
func (t *teller) Gap(channels.Place, channels.Snapshot)          { fmt.Println("gap") }
func (t *teller) Correct(channels.Place, channels.Snapshot)      {}
func (t *teller) Deliver(e channels.Envelope) {
	if e.Kind == channels.KindEvent {
		fmt.Println(e.Name)
	}
}

// beNode runs a node until the process is ended.
func beNode(config string) {
	words := strings.Fields(config)
	c := short(redisbroker.Config{Redis: redis.UniversalOptions{Addrs: words[:1]}, Prefix: words[1]})
	if len(words) > 3 {
		c.Lease, _ = time.ParseDuration(words[3]) // else New complains
	}
	b, err := redisbroker.New(c)
	if err != nil {
		panic(err)
	}
	t := &teller{up: make(chan struct{}, 1)}
	go func() {
		<-t.up
		if _, err := b.Enter(context.Background(), place("presence-a"), user("9.9", words[2])); err != nil {
			panic(err)
		}
		fmt.Println("entered")
	}()
	if err := b.Run(context.Background(), t); err != nil {
		panic(err)
	}
}

// process starts a node of its own, and returns when it has entered.
func process(t *testing.T, addr, prefix, user string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	return processWith(t, addr, prefix, user, "")
}

// processWith is process with a lease.
func processWith(t *testing.T, addr, prefix, user, lease string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), nodeVariable+"="+addr+" "+prefix+" "+user+" "+lease)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	expectLine(t, lines, "entered")
	return cmd, lines
}

func expectLine(t *testing.T, lines *bufio.Scanner, want string) (before []string) {
	t.Helper()
	for lines.Scan() {
		if lines.Text() == want {
			return before
		}
		before = append(before, lines.Text())
	}
	t.Fatalf("the node ended before it said %q; it said %q", want, before)
	return nil
}

// A node is killed: its users are gone within a lease and a little, once.
func TestKilledNode(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	own := prefix()
	p := place("presence-a")
	config := short(redisbroker.Config{Redis: redis.UniversalOptions{Addrs: []string{s.Addr()}}, Prefix: own})
	a, b := run(t, config), run(t, config)
	a.enter(p, user("1.1", "ada"))
	b.enter(p, user("2.1", "bob"))
	clock, stop := redistest.StartClock(config.Beat)
	defer stop()
	var slowest time.Duration
	for i := range 5 {
		who := fmt.Sprint("guest-", i)
		cmd, _ := process(t, s.Addr(), own, who)
		a.heard(p, "+"+who)
		killed := clock.Now()
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		a.heard(p, "-"+who)
		slowest = max(slowest, clock.Since(killed))
	}
	a.publish(p, "end")
	for _, n := range []*node{a, b} {
		n.mu.Lock()
		told := map[string]int{}
		for _, what := range n.told[p] {
			told[what]++
		}
		n.mu.Unlock()
		for i := range 5 {
			if who := fmt.Sprint("guest-", i); told["-"+who] > 1 {
				t.Errorf("told %d times that %s has gone", told["-"+who], who)
			}
		}
	}
	if bound := config.Lease + 2*time.Second; slowest > bound {
		t.Errorf("a dead node's user was there for %v, want at most %v", slowest, bound)
	}
	t.Logf("with a lease of %v the slowest took %v", config.Lease, slowest)
}

// A node is paused for longer than its lease: its users go and come again, and it hears
// all that it has missed, in order, before anything else.
func TestPausedNode(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	own := prefix()
	p := place("presence-a")
	config := short(redisbroker.Config{Redis: redis.UniversalOptions{Addrs: []string{s.Addr()}}, Prefix: own})
	a := run(t, config)
	a.enter(p, user("1.1", "ada"))
	cmd, lines := process(t, s.Addr(), own, "guest")
	a.heard(p, "+guest")
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	a.heard(p, "-guest")
	var want []string
	for i := range 100 {
		a.publish(p, fmt.Sprint(i))
		want = append(want, fmt.Sprint(i))
	}
	if info := a.info(p); info.Users != 1 || info.Sockets != 1 {
		t.Errorf("counted %+v while the node is paused, want 1 socket of 1 user", info)
	}
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	a.until("the guest is back", func() bool { return a.rosters[p]["guest"] })
	a.publish(p, "end")
	if got := expectLine(t, lines, "end"); !slices.Equal(got, want) {
		t.Errorf("the node that was paused heard %q", got)
	}
	if info := a.info(p); info.Users != 2 || info.Sockets != 2 {
		t.Errorf("counted %+v at the end, want 2 sockets of 2 users", info)
	}
}
