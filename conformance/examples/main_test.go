// Package examples tests the backends beside it as an application would run them: each as the program that it is, asked by
// hark serve with the one hark.yaml.
//
//	backend.php   plain PHP
//	backend.mjs   Node without a framework
package examples

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hark/conformance/internal/inputs"
)

// deadline bounds every wait for another program.
const deadline = 20 * time.Second

// binaryDir is where the server's binary goes; set by TestMain.
var binaryDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "hark-examples-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binaryDir = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// binary builds the server once.
var binary = sync.OnceValues(func() (string, error) {
	if err := inputs.Below(filepath.Join("..", "..")); err != nil {
		return "", err
	}
	path := filepath.Join(binaryDir, "hark")
	out, err := exec.Command("go", "build", "-pgo=off", "-o", path, "hark/cmd/hark").CombinedOutput() // by the profile it would take a minute
	if err != nil {
		return "", fmt.Errorf("go build hark/cmd/hark: %w\n%s", err, out)
	}
	return path, nil
})

// program finds a program, or fails with what to install.
func program(t *testing.T, name, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v; install it with: apt-get install %s (make setup does)", err, debianPackage)
	}
	return path
}

// A process is a running program.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended

	mu  sync.Mutex
	out bytes.Buffer // guarded by mu
}

// start runs a program until the test ends, and waits for a line of its output with a certain text in it. It sees no
// variables but these.
func start(t *testing.T, text string, variables []string, name string, args ...string) (p *process, line string) {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p = &process{cmd: exec.Command(name, args...), ended: make(chan struct{})}
	p.cmd.Env = append(variables, "PATH="+os.Getenv("PATH"))
	p.cmd.Stdout, p.cmd.Stderr = write, write
	err = p.cmd.Start()
	_ = write.Close() // the process has its own
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)

	found := make(chan string, 1)
	go func() { // ends with the process
		defer close(p.ended)
		for lines := bufio.NewScanner(read); lines.Scan(); {
			p.print(lines.Text())
			if strings.Contains(lines.Text(), text) {
				select {
				case found <- lines.Text():
				default:
				}
			}
		}
		_ = read.Close()
		_ = p.cmd.Wait() // ended by a signal
	}()
	select {
	case line = <-found:
	case <-p.ended:
		t.Fatalf("%s %v ended:\n%s", name, args, p.output())
	case <-time.After(deadline):
		t.Fatalf("%s %v printed no line with %s:\n%s", name, args, text, p.output())
	}
	return p, line
}

// stop ends the program, and waits until it has. It may be called again.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails if it has ended
	select {
	case <-p.ended:
	case <-time.After(deadline):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

func (p *process) print(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintln(&p.out, line)
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}
