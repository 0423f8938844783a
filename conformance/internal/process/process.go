// Package process runs programs for the tests of the folders beside conformance/internal: a server, as the program that
// it is, and what works with it. A program runs until its test ends, and what it printed is told if that failed.
package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Deadline bounds every wait for a program.
const Deadline = 30 * time.Second

// A Process is a running program. Its methods may be called concurrently.
type Process struct {
	cmd    *exec.Cmd
	output output
	ended  chan struct{} // closed when it has ended, which err waits for
	err    error         // of Wait
	killed atomic.Bool
}

// Command returns what runs a program. It sees no variables but these, PATH and HOME: nothing that would configure a
// server.
func Command(variables []string, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"),
		"GORACE=atexit_sleep_ms=0", // else each server with the race detector takes a second to end
	}, variables...)
	return cmd
}

// Start runs a program, as [Command] has it, until the test ends, and waits until says matches what it has printed. It
// returns what the group of says has matched.
func Start(t testing.TB, says *regexp.Regexp, variables []string, name string, args ...string) (p *Process, said string) {
	t.Helper()
	p = &Process{
		cmd:    Command(variables, name, args...),
		output: output{says: says, said: make(chan string, 1)},
		ended:  make(chan struct{}),
	}
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the process, which Stop waits for
		defer close(p.ended)
		p.err = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = p.Stop() // how it ends is for those to judge who know how it should
		if t.Failed() {
			t.Logf("%v printed:\n%s", p.cmd.Args, p.Output())
		}
	})
	select {
	case said = <-p.output.said:
	case <-p.ended: // perhaps after it has said so, but no use any more
		t.Fatalf("%v ended: %v", p.cmd.Args, p.err)
	case <-time.After(Deadline):
		t.Fatalf("%v has printed nothing like %v within %v", p.cmd.Args, says, Deadline)
	}
	return p, said
}

// Stop ends the program as an operator does, waits until it has ended, and says what went wrong: it did not end, or with a
// failure. One that was killed has ended as it should. Stop may be called again.
func (p *Process) Stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails if it has ended
	select {
	case <-p.ended:
	case <-time.After(Deadline):
		err := errors.Join(fmt.Errorf("no end within %v of SIGTERM", Deadline), p.cmd.Process.Kill())
		<-p.ended
		return err
	}
	if p.killed.Load() {
		return nil
	}
	return p.err
}

// Kill ends the program at once, as if its machine had lost power. It does not wait for the end.
func (p *Process) Kill() error {
	p.killed.Store(true)
	return p.cmd.Process.Kill()
}

// Output returns what the program has printed.
func (p *Process) Output() string {
	p.output.mu.Lock()
	defer p.output.mu.Unlock()
	return p.output.printed.String()
}

// An output takes down what a program prints.
type output struct {
	says *regexp.Regexp
	said chan string // what the group of says has matched

	mu      sync.Mutex
	printed bytes.Buffer // guarded by mu
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, _ = o.printed.Write(b)
	if m := o.says.FindSubmatch(o.printed.Bytes()); m != nil {
		select {
		case o.said <- string(m[1]):
		default: // known already
		}
	}
	return len(b), nil
}
