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
	PID int // of the process whose CPU time and memory count, with its descendants; 0: none, so there are no such figures
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

// start runs a shell's command line as a server on a free port, and returns when it answers.
func start(ctx context.Context, line string) (*server, error) {
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	config, err := writeConfig()
	if err != nil {
		return nil, err
	}
	s := &server{said: &tail{}, config: config, ended: make(chan struct{})}
	line = strings.ReplaceAll(line, "{port}", ports[0])
	s.command = exec.Command("/bin/sh", "-c", line)
	s.command.Env = append(os.Environ(), environment(ports, config)...)
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
	s.Target = Target{
		URL: credentials.URL{
			Scheme: "http",
			Host:   net.JoinHostPort("127.0.0.1", ports[0]),
			App:    credentials.App{ID: appID, Key: authz.Key{Key: appKey, Secret: appSecret}},
		},
		PID: s.command.Process.Pid,
	}
	if err := s.awaitReady(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", line, err), s.stop())
	}
	return s, nil
}

// environment tells servers of several kinds the same: an address, an app, and that nothing is limited.
func environment(ports []string, config string) []string {
	return []string{
		"PORT=" + ports[0],
		"HARK_LISTEN=127.0.0.1:" + ports[0], "HARK_CONFIG=" + config,
		"SOKETI_HOST=127.0.0.1", "SOKETI_PORT=" + ports[0], "SOKETI_METRICS_SERVER_PORT=" + ports[1],
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

// awaitReady asks whether the server is ready until there is an answer other than 503, which Hark and soketi give while
// they start. A server that does not know the question is ready.
func (s *server) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	ask := time.NewTicker(askAgain)
	defer ask.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL.Base()+"/ready", nil)
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
			return fmt.Errorf("it does not answer at %s (say {port} or $PORT where the command wants a port): %s", s.URL.Host, s.said)
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
