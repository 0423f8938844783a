package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"hark/authz"
	"hark/cmd/hark/internal/credentials"
)

// A Target is a server to measure.
type Target struct {
	URL credentials.URL
	// Nodes are the hosts, with the port, of other nodes of the server: sockets connect to them in turn, and only requests
	// go to URL. None: sockets connect to URL.
	Nodes []string
	PID   int // of the process whose CPU time and memory count, with its descendants; 0: none, so there are no such figures
}

// sockets returns where sockets connect.
func (t Target) sockets() []credentials.URL {
	if len(t.Nodes) == 0 {
		return []credentials.URL{t.URL}
	}
	var all []credentials.URL
	for _, host := range t.Nodes {
		u := t.URL
		u.Host = host
		all = append(all, u)
	}
	return all
}

// The app of servers that are started here.
const (
	appID     = "1001"
	appKey    = "bench-key"
	appSecret = "bench-secret"
)

const (
	startTimeout = 20 * time.Second
	stopTimeout  = 5 * time.Second
	askAgain     = 10 * time.Millisecond
)

// A server is one that was started here.
type server struct {
	Target
	command *exec.Cmd
	said    *tail
	config  string // a file
	ended   chan struct{}
}

// start runs a shell's command line as a server on free ports, and returns when all of its nodes answer. What the line may
// say is {port}, for each further node {port2}, {port3} and so on, and {spare}, which is for anything else.
func start(ctx context.Context, line string) (*server, error) {
	nodes := 1
	for strings.Contains(line, portName(nodes+1)) {
		nodes++
	}
	ports, err := freePorts(nodes + 1)
	if err != nil {
		return nil, err
	}
	spare, ports := ports[0], ports[1:]
	config, err := writeConfig()
	if err != nil {
		return nil, err
	}
	s := &server{said: &tail{}, config: config, ended: make(chan struct{})}
	line = strings.NewReplacer("{port}", ports[0], "{spare}", spare).Replace(line)
	for i, port := range ports[1:] {
		line = strings.ReplaceAll(line, portName(i+2), port)
		s.Nodes = append(s.Nodes, loopback(port))
	}
	s.command = exec.Command("/bin/sh", "-c", line)
	s.command.Env = append(os.Environ(), environment(ports[0], spare, config)...)
	s.command.Stdout, s.command.Stderr = s.said, s.said
	s.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	s.command.WaitDelay = stopTimeout
	if err := s.command.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", line, err), os.Remove(config))
	}
	go func() { // ends with the process, which stop waits for
		_ = s.command.Wait() // how it ended says less than what it said
		close(s.ended)
	}()
	s.PID = s.command.Process.Pid
	s.URL = credentials.URL{
		Scheme: "http",
		Host:   loopback(ports[0]),
		App:    credentials.App{ID: appID, Key: authz.Key{Key: appKey, Secret: appSecret}},
	}
	for _, host := range append([]string{s.URL.Host}, s.Nodes...) {
		if err := s.awaitReady(ctx, host); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", line, err), s.stop())
		}
	}
	return s, nil
}

// portName is what a line says for the port of its n-th node, from the second.
func portName(n int) string { return fmt.Sprintf("{port%d}", n) }

func loopback(port string) string { return net.JoinHostPort("127.0.0.1", port) }

// environment tells servers of several kinds the same: an address, an app, and that nothing is limited.
func environment(port, spare, config string) []string {
	return []string{
		"PORT=" + port,
		"HARK_LISTEN=" + loopback(port), "HARK_CONFIG=" + config,
		"SOKETI_HOST=127.0.0.1", "SOKETI_PORT=" + port, "SOKETI_METRICS_SERVER_PORT=" + spare,
		"SOKETI_SHUTDOWN_GRACE_PERIOD=1",
		"SOKETI_DEFAULT_APP_ID=" + appID, "SOKETI_DEFAULT_APP_KEY=" + appKey, "SOKETI_DEFAULT_APP_SECRET=" + appSecret,
		"SOKETI_DEFAULT_APP_ENABLE_CLIENT_MESSAGES=true", "SOKETI_PRESENCE_MAX_MEMBERS=1000000",
	}
}

// writeConfig writes Hark's own file: limits can be said nowhere else.
func writeConfig() (string, error) {
	f, err := os.CreateTemp("", "hark-bench-*.yaml")
	if err != nil {
		return "", fmt.Errorf("write a configuration: %w", err)
	}
	_, err = fmt.Fprintf(f, `drain: 0s
apps:
  - id: %q
    keys: [{key: %s, secret: %s}]
    client_events: true
    limits: {members: -1, client_events: -1}
`, appID, appKey, appSecret)
	return f.Name(), errors.Join(err, f.Close())
}

func freePorts(n int) ([]string, error) {
	var ports []string
	var errs []error
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer func() { errs = append(errs, l.Close()) }() // together, so that they differ
		ports = append(ports, strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	}
	return ports, errors.Join(errs...)
}

// awaitReady asks whether a node is ready until there is an answer other than 503, which Hark and soketi give while
// they start. A server that does not know the question is ready.
func (s *server) awaitReady(ctx context.Context, host string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	ask := time.NewTicker(askAgain)
	defer ask.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+"/ready", nil)
		if err != nil {
			return err
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			http.DefaultClient.CloseIdleConnections()
			if err := response.Body.Close(); err != nil || response.StatusCode != http.StatusServiceUnavailable {
				return err
			}
		}
		select {
		case <-s.ended:
			return fmt.Errorf("it ended before it answered: %s", s.said)
		case <-ctx.Done():
			return fmt.Errorf("it does not answer at %s (say {port} or $PORT where the command wants a port): %s", host, s.said)
		case <-ask.C:
		}
	}
}

// stop ends the server and whatever it started.
func (s *server) stop() error {
	group := -s.command.Process.Pid
	_ = syscall.Kill(group, syscall.SIGTERM) // fails if it has ended
	late := time.NewTimer(stopTimeout)
	defer late.Stop()
	select {
	case <-s.ended:
	case <-late.C:
	}
	_ = syscall.Kill(group, syscall.SIGKILL)
	<-s.ended
	return os.Remove(s.config)
}

// A tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte // guarded by mu
}

const tailLength = 2 << 10

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-tailLength):]
	return len(p), nil
}

// String returns what was kept.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.text))
}
