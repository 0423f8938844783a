package ws_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"hark/channels/hubtest"
)

// A crowd is many clients in a process of their own, so that what is measured
// here is the server alone, and so that both ends find files enough. Each has
// connected to a hub and subscribed to one channel, and is silent since.
type crowd struct {
	t     testing.TB
	stdin io.WriteCloser
	out   *bufio.Reader
	cmd   *exec.Cmd
}

// crowdEnv makes the test program a crowd: "ADDRESS CLIENTS".
const crowdEnv = "HARK_TEST_CROWD"

// newCrowd starts n clients of the server at address. It returns when all of
// them are subscribed.
func newCrowd(t testing.TB, address string, n int) *crowd {
	t.Helper()
	c := &crowd{t: t, cmd: exec.Command(os.Args[0])}
	c.cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d", crowdEnv, address, n))
	c.cmd.Stderr = os.Stderr
	var err error
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.out = bufio.NewReader(stdout)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.leave)
	c.await()
	return c
}

// await returns when the crowd has done what it was told.
func (c *crowd) await() {
	c.t.Helper()
	if line, err := c.out.ReadString('\n'); line != "done\n" {
		c.t.Fatalf("the crowd said %q, %v", line, err)
	}
}

// say makes every client send a message and read the answer.
func (c *crowd) say() {
	c.t.Helper()
	io.WriteString(c.stdin, "say\n")
	c.await()
}

// leave ends all connections at once.
func (c *crowd) leave() {
	c.stdin.Close()
	c.cmd.Wait()
}

// runCrowd is the other process.
func runCrowd(arg string) error {
	address, count, _ := strings.Cut(arg, " ")
	n, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	members := make([]member, n)
	for i := range members {
		if members[i].Conn, err = net.Dial("tcp", address); err != nil {
			return err
		}
		if err := members[i].join(); err != nil {
			return fmt.Errorf("client %d: %w", i, err)
		}
	}
	fmt.Println("done")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); fmt.Println("done") {
		ping := fin(opText, `{"event":"pusher:ping","data":{}}`)
		for i := range members {
			if _, err := members[i].Write(ping); err != nil {
				return err
			}
		}
		for i := range members {
			if err := members[i].await("pusher:pong"); err != nil {
				return fmt.Errorf("client %d: %w", i, err)
			}
		}
	}
	return nil
}

// A member is one client of a crowd.
type member struct{ net.Conn }

// join connects and subscribes.
func (m member) join() error {
	io.WriteString(m, upgrade("/app/"+hubtest.Key+"?protocol=7"))
	if err := m.await("pusher:connection_established"); err != nil {
		return err
	}
	m.Write(fin(opText, `{"event":"pusher:subscribe","data":{"channel":"news"}}`))
	return m.await("pusher_internal:subscription_succeeded")
}

// await reads until an event has come whole.
func (m member) await(event string) error {
	var got []byte
	for !strings.Contains(string(got), event) || got[len(got)-1] != '}' {
		buf := make([]byte, 1024)
		n, err := m.Read(buf)
		if err != nil {
			return fmt.Errorf("waiting for %s after %q: %w", event, got, err)
		}
		got = append(got, buf[:n]...)
	}
	return nil
}
