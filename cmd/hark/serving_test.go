package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"hark/authz"
	"hark/protocol"
)

// A serving is hark serve in this process.
type serving struct {
	t       *testing.T
	address string
	printed *output
	end     func()        // as a signal does
	ended   chan struct{} // closed when it has
}

// serveFile serves what a configuration says, with variables, on a free port until the test ends.
func serveFile(t *testing.T, file string, variables map[string]string) *serving {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hark.yaml")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range variables {
		t.Setenv(name, value)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s := &serving{t: t, printed: &output{changed: make(chan struct{}, 1)}, end: cancel, ended: make(chan struct{})}
	cmd := serveCommand()
	cmd.SetArgs([]string{"-c", path, "--listen", "127.0.0.1:0", "--drain", "0s"})
	cmd.SetOut(s.printed)
	cmd.SetErr(s.printed)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	var err error
	go func() { // ends with cancel
		defer close(s.ended)
		err = cmd.ExecuteContext(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-s.ended
		if err != nil || t.Failed() {
			t.Errorf("hark serve: %v, and it printed:\n%s", err, s.printed)
		}
	})
	s.address = s.await(`msg=listening address=(\S+) `)[1]
	return s
}

// await waits until the server has printed something.
func (s *serving) await(pattern string) []string {
	s.t.Helper()
	re := regexp.MustCompile(pattern)
	late := time.After(deadline)
	for {
		if found := re.FindStringSubmatch(s.printed.String()); found != nil {
			return found
		}
		select {
		case <-s.printed.changed:
		case <-s.ended:
			s.t.Fatalf("hark serve ended before it printed %s", pattern)
		case <-late:
			s.t.Fatalf("hark serve has not printed %s", pattern)
		}
	}
}

// ask posts a form to a path of the server.
func (s *serving) ask(path string, form url.Values, header http.Header) (status int, body string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, "http://"+s.address+path, strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header = header.Clone()
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return s.do(r)
}

// rest posts what is signed with a key.
func (s *serving) rest(key authz.Key, path, body string) (status int, answer string) {
	s.t.Helper()
	query := authz.SignREST(key, http.MethodPost, path, nil, []byte(body), time.Now())
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, "http://"+s.address+path+"?"+query.Encode(), strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	return s.do(r)
}

func (s *serving) do(r *http.Request) (status int, body string) {
	s.t.Helper()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// A tab is a websocket.
type tab struct {
	t    *testing.T
	conn *websocket.Conn
	key  authz.Key
	id   protocol.SocketID
}

// open connects to the app with this key, and returns the tab and what it heard first.
func (s *serving) open(key authz.Key, prefix string, header http.Header) (*tab, string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), deadline)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, "ws://"+s.address+prefix+"/app/"+key.Key+"?protocol=7", &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		s.t.Fatal(err)
	}
	c := &tab{t: s.t, conn: conn, key: key}
	s.t.Cleanup(func() { _ = conn.CloseNow() }) // the server may have closed it
	heard := c.hear()
	var data struct {
		SocketID protocol.SocketID `json:"socket_id"`
	}
	if _, text, ok := strings.Cut(heard, "pusher:connection_established "); ok {
		if err := json.Unmarshal([]byte(text), &data); err != nil {
			s.t.Fatalf("%s: %v", heard, err)
		}
	}
	c.id = data.SocketID
	return c, heard
}

// say sends an event: a channel may be "".
func (c *tab) say(name, channel, data string) {
	c.t.Helper()
	message, err := json.Marshal(struct {
		Event   string         `json:"event"`
		Channel string         `json:"channel,omitzero"`
		Data    jsontext.Value `json:"data"`
	}{name, channel, jsontext.Value(data)})
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), deadline)
	defer cancel()
	if err := c.conn.Write(ctx, websocket.MessageText, message); err != nil {
		c.t.Fatal(err)
	}
}

// subscribe subscribes with a signature, and waits for the success.
func (c *tab) subscribe(channel string) {
	c.t.Helper()
	c.say("pusher:subscribe", "", fmt.Sprintf(`{"channel":%q,"auth":%q}`, channel, c.key.ChannelAuth(c.id, channel, "", false)))
	c.expect(channel + " pusher_internal:subscription_succeeded {}")
}

// hear returns the next event: "channel name data".
func (c *tab) hear() string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), deadline)
	defer cancel()
	_, text, err := c.conn.Read(ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	var e struct {
		Event   string         `json:"event"`
		Channel string         `json:"channel"`
		Data    jsontext.Value `json:"data"`
	}
	if err := json.Unmarshal(text, &e); err != nil {
		c.t.Fatalf("%s: %v", text, err)
	}
	data := string(e.Data)
	_ = json.Unmarshal(e.Data, &data) // of pusher:error it is no string
	return strings.TrimSpace(e.Channel + " " + e.Event + " " + data)
}

// closed waits for the server to close the connection, and returns the code.
func (c *tab) closed() int {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), deadline)
	defer cancel()
	_, text, err := c.conn.Read(ctx)
	if err == nil {
		c.t.Fatalf("heard %s, want the end", text)
	}
	return int(websocket.CloseStatus(err))
}

func (c *tab) expect(want string) {
	c.t.Helper()
	if got := c.hear(); got != want {
		c.t.Fatalf("heard %q, want %q", got, want)
	}
}

// A backend answers callbacks as a test wants it, and keeps the questions.
type backend struct {
	url    string
	answer func(kind string, q question) string // "" is a 500

	mu    sync.Mutex
	asked []question // guarded by mu
}

// A question is what a backend was asked.
type question struct {
	App     string            `json:"app"`
	Kind    string            `json:"kind"`
	User    *authz.Identity   `json:"user"`
	Channel string            `json:"channel"`
	Pattern string            `json:"pattern"`
	Params  map[string]string `json:"params"`
	Event   string            `json:"event"`
	Data    string            `json:"data"`
}

func newBackend(t *testing.T, answer func(kind string, q question) string) *backend {
	b := &backend{answer: answer}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

// ServeHTTP implements http.Handler.
func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var q question
	if err := json.UnmarshalRead(r.Body, &q); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	b.mu.Lock()
	b.asked = append(b.asked, q)
	b.mu.Unlock()
	switch answer := b.answer(q.Kind, q); answer {
	case "":
		w.WriteHeader(http.StatusInternalServerError)
	case "403":
		w.WriteHeader(http.StatusForbidden)
	default:
		_, _ = io.WriteString(w, answer) // who does not read it will say so
	}
}

// questions returns what was asked of a kind.
func (b *backend) questions(kind string) []question {
	b.mu.Lock()
	defer b.mu.Unlock()
	var found []question
	for _, q := range b.asked {
		if q.Kind == kind {
			found = append(found, q)
		}
	}
	return found
}
