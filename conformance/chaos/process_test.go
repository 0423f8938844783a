package chaos

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/go-json-experiment/json"

	"hark/authz"
	"hark/channels"
	"hark/channels/redisbroker/redistest"
	"hark/channels/ws"
	"hark/httpapi"
)

// nodeVariable holds what a process of this test binary is to serve, if it is not to run tests.
const nodeVariable = "HARK_CHAOS_NODE"

// requestTimeout bounds a request to a process, which may have been stopped.
const requestTimeout = 3 * time.Second

func TestMain(m *testing.M) {
	text := os.Getenv(nodeVariable)
	switch {
	case text != "":
	case os.Getenv(formVariable) == "":
		fmt.Printf("%s=short plays the short form, long the long one: nothing else should run beside either\n", formVariable)
		return
	default:
		code := plan(m)
		skewed.remove()
		os.Exit(code)
	}
	var c processConfig
	err := json.Unmarshal([]byte(text), &c)
	if err == nil {
		err = c.serve()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// clock is that of all waits. Set by TestMain.
var clock *redistest.Clock

// plan runs the plays, by their clock. In the short form several are played at a time: mostly they wait.
func plan(m *testing.M) int {
	if !long() {
		flag.Parse()
		_ = flag.Set("test.parallel", "5")
	}
	var stop func()
	clock, stop = redistest.StartClock(lease * 2 / 7) // a beat
	defer stop()
	return m.Run()
}

// A processConfig is what a process serves.
type processConfig struct {
	Title string `json:"title"`
	Redis string `json:"redis"` // where it is; "": the broker is in memory
	Lease int64  `json:"lease"` // in milliseconds
	// Allows says whether its policies let users in.
	Allows bool `json:"allows"`
	// Skew is by how much its clock is ahead. It is no part of what the process reads: there it is the time.
	Skew time.Duration `json:"-"`
}

// serve is a node of its own: it says its URL in a line, and ends with SIGTERM, or when its input does, as its parent may have
// crashed.
func (c processConfig) serve() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() { // ends with the process
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	broker, err := c.broker()
	if err != nil {
		return err
	}
	delegated := delegatedConfig(c.Allows)
	hub, err := channels.New(channels.Config{
		Apps: []channels.AppConfig{appConfig(), delegated}, Broker: broker, Drain: -1, BrokerTimeout: time.Second,
		ActivityTimeout: silence, Logger: logger(c.Title),
	})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	auth, err := authRoute(hub, delegated)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: httpapi.New(hub, httpapi.Config{Websocket: ws.New(hub), Auth: []httpapi.AuthRoute{auth}}), ReadHeaderTimeout: patience,
	}
	var running sync.WaitGroup
	running.Go(func() { _ = server.Serve(l) }) // ends with Close
	fmt.Println("http://" + l.Addr().String())
	err = hub.Run(ctx)
	_ = server.Close() // nothing that is still open matters
	running.Wait()
	return err
}

// A process is a node that can be killed and stopped as only processes can.
type process struct {
	// Static after construction.
	t     testing.TB
	title string
	url   string
	cmd   *exec.Cmd
	input io.Closer
	http  *http.Client
	ended chan struct{} // closed when the process has been waited for
	lines sync.WaitGroup

	mu   sync.Mutex
	over bool // no more lines are taken; guarded by mu
}

// startProcess starts a process. It ends with the test at the latest, and is waited for.
func startProcess(t testing.TB, c processConfig) *process {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	n := &process{t: t, title: c.Title, ended: make(chan struct{})}
	n.cmd = exec.Command(program(t, c.Skew))
	n.cmd.Env = append(os.Environ(), nodeVariable+"="+string(text), skewVariable+"="+c.Skew.String())
	n.cmd.Stderr = os.Stderr
	input, err := n.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	n.input = input
	output, err := n.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	n.http = &http.Client{Timeout: requestTimeout, Transport: &http.Transport{}}
	line, err := bufio.NewReader(output).ReadString('\n')
	go func() { // ends with the process
		defer close(n.ended)
		_ = n.cmd.Wait() // how it ended is the play's doing
	}()
	t.Cleanup(func() {
		n.signal(syscall.SIGKILL)
		<-n.ended
		_ = n.input.Close() // the process has ended
		n.mu.Lock()
		n.over = true
		n.mu.Unlock()
		n.lines.Wait()
		n.http.CloseIdleConnections()
	})
	if err != nil {
		t.Fatalf("%s says no URL: %v", c.Title, err)
	}
	n.url = line[:len(line)-1]
	within(t, c.Title+" to be ready", patience, func() string {
		if _, err := n.sockets(context.Background(), places[0]); err != nil {
			return err.Error()
		}
		return ""
	})
	return n
}

func (n *process) name() string { return n.title }

func (n *process) signal(s os.Signal) {
	if err := n.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		n.t.Errorf("%s: %v: %v", n.title, s, err)
	}
}

func (n *process) kill() {
	n.signal(syscall.SIGKILL)
	<-n.ended
}

func (n *process) stop() {
	n.signal(syscall.SIGTERM)
	<-n.ended
}

// freeze stops the process where it is, and thaw has it go on, knowing nothing of the time between.
func (n *process) freeze() { n.signal(syscall.SIGSTOP) }
func (n *process) thaw()   { n.signal(syscall.SIGCONT) }

func (n *process) connect(l *line) error {
	dialing, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	conn, _, err := websocket.Dial(dialing, n.url+"/app/"+key.Key+"?protocol=7", nil)
	if err != nil {
		return err
	}
	conn.SetReadLimit(-1)
	ctx, hangup := context.WithCancel(context.Background())
	l.hangup = hangup
	l.say = func(text string) { _ = conn.Write(ctx, websocket.MessageText, []byte(text)) } // else it ends, which is noticed
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.over {
		hangup()
		_ = conn.CloseNow() // the process has ended
		return errDead
	}
	n.lines.Go(func() { // ends with the connection: by hangup, or when the process has ended
		defer hangup()
		defer l.end()
		defer func() { _ = conn.CloseNow() }() // a hangup between two reads has not closed it
		for {
			_, text, err := conn.Read(ctx)
			if err != nil {
				return
			}
			l.receive(text)
		}
	})
	return nil
}

func (n *process) trigger(ctx context.Context, channel, data string) error {
	body, err := json.Marshal(map[string]any{"name": "e", "channels": []string{channel}, "data": data})
	if err != nil {
		return err
	}
	return n.ask(ctx, "POST", "/apps/"+appID+"/events", nil, body, nil)
}

func (n *process) members(ctx context.Context, channel string) ([]string, error) {
	var answer struct {
		Users []struct {
			ID string `json:"id"`
		} `json:"users"`
	}
	err := n.ask(ctx, "GET", "/apps/"+appID+"/channels/"+channel+"/users", nil, nil, &answer)
	ids := []string{}
	for _, u := range answer.Users {
		ids = append(ids, u.ID)
	}
	return ids, err
}

func (n *process) sockets(ctx context.Context, channel string) (int, error) {
	var answer struct {
		Sockets int `json:"subscription_count"`
	}
	err := n.ask(ctx, "GET", "/apps/"+appID+"/channels/"+channel, url.Values{"info": {"subscription_count"}}, nil, &answer)
	return answer.Sockets, err
}

// ask calls the API and reads the answer, unless into is nil.
func (n *process) ask(ctx context.Context, method, path string, query url.Values, body []byte, into any) error {
	signed := authz.SignREST(key, method, path, query, body, time.Now())
	r, err := http.NewRequestWithContext(ctx, method, n.url+path+"?"+signed.Encode(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := n.http.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %d %s", method, path, response.StatusCode, text)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}
