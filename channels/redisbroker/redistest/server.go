package redistest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	// patience bounds how long a server may take to start, to end, or to find its
	// cluster.
	patience = 20 * time.Second
	// pollEvery is how often something is looked at that is waited for.
	pollEvery = 5 * time.Millisecond
	// portTries is how many ports are tried: one that was free a moment ago may be
	// another process's by the time Redis binds it.
	portTries = 8
	// firstPort and lastPort are below the ports that systems give to outgoing
	// connections, one of which could hold a server's port while it is restarted.
	firstPort, lastPort = 12000, 32000
)

// Options say what kind of Redis a test wants. The zero value keeps nothing on disk.
type Options struct {
	// AppendOnly has every write in a log on disk that is read again at a start. It
	// is synced each second, so a crash of the process loses nothing or little; see
	// Args for more.
	AppendOnly bool
	// TLS has it speak TLS alone, also to its replicas and its cluster, with clients
	// that have a certificate of the same authority; nil: no TLS.
	TLS *Authority
	// Args are further arguments of redis-server, as in "--appendfsync", "always".
	Args []string

	cluster  bool
	sentinel string  // the configuration of a Sentinel; "": it is none
	of       *Server // whose replica it is; nil: nobody's
}

// A Server is a redis-server process with a port and a directory of its own. Its
// methods are not for concurrent use, but for Addr and Do.
type Server struct {
	// Static after construction.
	t    testing.TB
	path string
	opts Options
	dir  string
	port int
	bus  int // a cluster's; 0: it is in none

	process *os.Process
	ended   chan struct{} // closed when the process has been waited for
	stopped bool          // by Pause
}

// Start starts a Redis that ends with the test, and returns when it answers.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatalf("%v: install it (Debian and Ubuntu: apt-get install redis-server, macOS: brew install redis)", err)
	}
	s := &Server{t: t, path: path, opts: o, dir: t.TempDir()}
	t.Cleanup(s.Kill)
	if o.sentinel != "" {
		if err := os.WriteFile(s.configFile(), []byte(o.sentinel), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range portTries {
		s.port = freePort(t)
		if o.cluster {
			s.bus = freePort(t)
		}
		if err = s.launch(); !errors.Is(err, errPortTaken) {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// freePort returns a port that nobody listens on now.
func freePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		l, err := net.Listen("tcp", address(port))
		if err != nil {
			continue
		}
		if err := l.Close(); err == nil {
			return port
		}
	}
	t.Fatalf("no free port between %d and %d", firstPort, lastPort)
	return 0
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// Addr returns the server's host and port, which stay its own when it is restarted.
func (s *Server) Addr() string { return address(s.port) }

// Pid returns the id of the process; 0: it is not running.
func (s *Server) Pid() int {
	if s.process == nil {
		return 0
	}
	return s.process.Pid
}

var errPortTaken = errors.New("redistest: the port is taken")

// launch starts the process and waits until it answers PING with its data loaded.
func (s *Server) launch() error {
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(s.path, s.args()...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, log, log
	cmd.SysProcAttr = withParent()
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() { // ends with the process, which Kill ends at the latest
		defer close(ended)
		_ = cmd.Wait() // how it ended is in its log
	}()
	s.process, s.ended = cmd.Process, ended
	err = poll("redis-server on "+s.Addr(), func() error {
		select {
		case <-ended:
			s.process = nil
			return errPortTaken
		default:
		}
		_, err := s.Do("PING")
		return err
	})
	if err == nil {
		return nil
	}
	text := s.log()
	if errors.Is(err, errPortTaken) && !strings.Contains(text, "Address already in use") {
		err = errors.New("it has ended")
	}
	return fmt.Errorf("redis-server: %w\n%s", err, text)
}

func (s *Server) args() []string {
	var args []string
	if s.opts.sentinel != "" {
		args = append(args, s.configFile(), "--sentinel")
	}
	args = append(args, "--bind", "127.0.0.1", "--dir", s.dir, "--save", "", "--daemonize", "no")
	if s.opts.TLS != nil {
		args = append(args, s.opts.TLS.args(s.port)...)
	} else {
		args = append(args, "--port", strconv.Itoa(s.port))
	}
	if s.opts.sentinel == "" {
		args = append(args, "--repl-diskless-sync-delay", "0") // else a replica is kept waiting for others
	}
	if s.opts.of != nil {
		args = append(args, "--replicaof", "127.0.0.1", strconv.Itoa(s.opts.of.port))
	}
	if s.opts.AppendOnly {
		args = append(args, "--appendonly", "yes", "--appendfsync", "everysec")
	}
	if s.opts.cluster {
		args = append(args, "--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(s.bus),
			"--cluster-node-timeout", "2000", "--cluster-require-full-coverage", "no")
	}
	return append(args, s.opts.Args...)
}

func (s *Server) logFile() string    { return filepath.Join(s.dir, "redis.log") }
func (s *Server) configFile() string { return filepath.Join(s.dir, "sentinel.conf") }

// log returns what the server has said.
func (s *Server) log() string {
	text, err := os.ReadFile(s.logFile())
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// poll calls f until it returns nil, or a port that is taken, or patience ends.
func poll(what string, f func() error) error {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for deadline := time.Now().Add(patience); ; <-ticker.C {
		err := f()
		if err == nil || errors.Is(err, errPortTaken) {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: not after %v: %w", what, patience, err)
		}
	}
}

// Kill ends the process at once (kill -9), as a crash would. Nothing happens if it
// is not running.
func (s *Server) Kill() {
	s.t.Helper()
	if s.process != nil {
		s.end(syscall.SIGKILL)
	}
}

// Stop asks the process to end, as an operator would, and waits until it has. It
// writes what it keeps.
func (s *Server) Stop() {
	s.t.Helper()
	if s.process == nil {
		s.t.Fatal("redistest: Stop of a server that does not run")
	}
	s.Resume()
	s.end(syscall.SIGTERM)
}

// end sends a signal and waits for the process.
func (s *Server) end(how syscall.Signal) {
	s.t.Helper()
	s.signal(how)
	select {
	case <-s.ended:
	case <-time.After(patience):
		s.t.Errorf("redis-server %d has not ended %v after %v\n%s", s.process.Pid, patience, how, s.log())
		s.signal(syscall.SIGKILL)
		<-s.ended
	}
	s.process, s.stopped = nil, false
}

func (s *Server) signal(how syscall.Signal) {
	s.t.Helper()
	if err := s.process.Signal(how); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Errorf("redis-server %d: %v: %v", s.process.Pid, how, err)
	}
}

// Pause stops the process where it is (SIGSTOP): its connections stay, the system
// accepts more, and nothing is answered.
func (s *Server) Pause() {
	s.t.Helper()
	if s.process == nil {
		s.t.Fatal("redistest: Pause of a server that does not run")
	}
	s.signal(syscall.SIGSTOP)
	s.stopped = true
}

// Resume lets a paused process go on (SIGCONT). Nothing happens if it is not paused.
func (s *Server) Resume() {
	s.t.Helper()
	if s.stopped {
		s.signal(syscall.SIGCONT)
		s.stopped = false
	}
}

// Restart starts a server that has ended, with what it has on disk, and returns when
// it answers.
func (s *Server) Restart() {
	s.t.Helper()
	if s.process != nil {
		s.t.Fatal("redistest: Restart of a server that runs")
	}
	err := poll("restart", func() error {
		err := s.launch()
		if errors.Is(err, errPortTaken) {
			return fmt.Errorf("the port %d is taken", s.port) // by a connection that is still ending
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// Wipe removes the data of a server that has ended, so that it restarts with
// nothing. What it knows of its cluster stays.
func (s *Server) Wipe() {
	s.t.Helper()
	if s.process != nil {
		s.t.Fatal("redistest: Wipe of a server that runs")
	}
	for _, name := range []string{"appendonlydir", "dump.rdb"} {
		if err := os.RemoveAll(filepath.Join(s.dir, name)); err != nil {
			s.t.Fatal(err)
		}
	}
}
