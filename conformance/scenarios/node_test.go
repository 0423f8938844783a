package scenarios

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"hark/conformance/internal/inputs"
	"hark/conformance/internal/process"
)

// A node is a running conformance/js/scenario.mjs: pusher-js clients of all scenarios, and the official server SDK. It may
// be used concurrently.
type node struct {
	cmd *exec.Cmd

	mu sync.Mutex
	// Guarded by mu.
	in      io.WriteCloser
	last    int
	answers map[int]chan<- answer
	clients map[int]*journal
	ended   error // why it takes no more requests; nil: it does
}

// A request is a line to the program. What a do needs stands in scenario.mjs.
type request struct {
	ID       int            `json:"id"`
	Do       string         `json:"do"`
	Client   int            `json:"client,omitzero"`
	Key      string         `json:"key,omitzero"`
	Host     string         `json:"host,omitzero"`
	Port     int            `json:"port,omitzero"`
	Path     string         `json:"path,omitzero"`
	Auth     *authorization `json:"auth,omitzero"`
	UserAuth *authorization `json:"userAuth,omitzero"`
	Channels []string       `json:"channels,omitzero"`
	Channel  string         `json:"channel,omitzero"`
	Prefix   string         `json:"prefix,omitzero"`
	Event    string         `json:"event,omitzero"`
	Data     any            `json:"data,omitzero"`
	URL      string         `json:"url,omitzero"`
	Call     string         `json:"call,omitzero"`
	Args     []any          `json:"args,omitzero"`
}

// An authorization is where a client asks for signatures, and what it shows there.
type authorization struct {
	Endpoint string            `json:"endpoint"`
	Headers  map[string]string `json:"headers,omitzero"`
	Cookie   string            `json:"cookie,omitzero"`
}

type answer struct {
	Re    int            `json:"re"`
	Value jsontext.Value `json:"value"`
	Error string         `json:"error"`
}

// A heard is something that happened to a client.
type heard struct {
	Client int            `json:"client"`
	On     string         `json:"on"` // a channel, or "pusher", "user", "connection"
	Event  string         `json:"event"`
	Data   jsontext.Value `json:"data"`
	User   string         `json:"user"` // who sent a client event, as the server says
	At     float64        `json:"at"`   // Unix time in milliseconds
}

// String returns the event with its data as compact JSON.
func (h heard) String() string {
	text := h.Event
	if h.Data != nil {
		text += " " + string(h.Data)
	}
	if h.User != "" {
		text += " by " + h.User
	}
	return text
}

// startNode starts the program; stop ends it.
func startNode(t *testing.T) *node {
	t.Helper()
	path := process.Find(t, "nodejs", "node")
	process.NodeModule(t, "pusher-js/package.json")
	if err := inputs.Below(filepath.Join("..", "js")); err != nil {
		t.Fatal(err)
	}
	n := &node{
		cmd:     exec.Command(path, filepath.Join("..", "js", "scenario.mjs")),
		answers: make(map[int]chan<- answer),
		clients: make(map[int]*journal),
	}
	n.cmd.Stderr = os.Stderr
	var err error
	if n.in, err = n.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := n.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go n.read(out) // ends with the program, which stop waits for
	return n
}

func (n *node) read(out io.Reader) {
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			n.fail(errEnded)
			return
		}
		if err := n.take(line); err != nil {
			n.fail(fmt.Errorf("scenario.mjs printed %.500q: %w", line, err))
			_, _ = io.Copy(io.Discard, lines) // so that it can end
			return
		}
	}
}

func (n *node) take(line []byte) error {
	if bytes.HasPrefix(line, []byte(`{"re":`)) {
		var a answer
		if err := json.Unmarshal(line, &a); err != nil {
			return err
		}
		n.mu.Lock()
		waiting := n.answers[a.Re]
		delete(n.answers, a.Re)
		n.mu.Unlock()
		waiting <- a
		return nil
	}
	var h heard
	if err := json.Unmarshal(line, &h); err != nil {
		return err
	}
	n.mu.Lock()
	j := n.clients[h.Client]
	n.mu.Unlock()
	j.add(h)
	return nil
}

// fail answers all requests, also later ones, with an error.
func (n *node) fail(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ended = err
	for id, waiting := range n.answers {
		waiting <- answer{Error: err.Error()}
		delete(n.answers, id)
	}
}

// ask sends a request and returns the value that answers it.
func (n *node) ask(r request) (jsontext.Value, error) {
	answered := make(chan answer, 1)
	if err := n.send(r, answered); err != nil {
		return nil, err
	}
	select {
	case a := <-answered:
		if a.Error != "" {
			return nil, errors.New(a.Error)
		}
		return a.Value, nil
	case <-time.After(deadline):
		return nil, fmt.Errorf("%s was not answered within %v", r.Do, deadline)
	}
}

func (n *node) send(r request, answered chan<- answer) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ended != nil {
		return n.ended
	}
	n.last++
	r.ID = n.last
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	n.answers[r.ID] = answered
	_, err = n.in.Write(append(line, '\n'))
	return err
}

// follow returns a number for a client and where to find what happens to it.
func (n *node) follow() (int, *journal) {
	n.mu.Lock()
	defer n.mu.Unlock()
	client, j := len(n.clients)+1, newJournal()
	n.clients[client] = j
	return client, j
}

// stop ends the program.
func (n *node) stop() error {
	n.mu.Lock()
	_ = n.in.Close() // tells it to end
	n.mu.Unlock()
	return n.cmd.Wait()
}
