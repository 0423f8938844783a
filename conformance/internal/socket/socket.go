// Package socket is a websocket with no client library on top, so that tests see what is on the wire, and can say what a
// library would not.
package socket

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// deadline bounds every wait for the server.
const deadline = 30 * time.Second

// A Socket is a connection that ends with its test, which fails when something goes wrong.
type Socket struct {
	ID string // "" if it was dialed only

	t    testing.TB
	conn *websocket.Conn
}

// An Event as it came; Data is the text of a JSON string, except for pusher:error.
type Event struct {
	Event   string         `json:"event"`
	Channel string         `json:"channel,omitzero"`
	Data    jsontext.Value `json:"data"`
}

// Dial connects to a path of a server, /app/KEY with or without a prefix, with these headers beside those of a websocket,
// and reads connection_established. Host is with the port.
func Dial(t testing.TB, host, path string, header http.Header) *Socket {
	t.Helper()
	s := DialOnly(t, host, path, header)
	var established struct {
		SocketID string `json:"socket_id"`
	}
	e := s.Next()
	if err := json.Unmarshal([]byte(s.Text(e)), &established); err != nil || established.SocketID == "" {
		t.Fatalf("first message: %+v, %v", e, err)
	}
	s.ID = established.SocketID
	return s
}

// DialOnly is Dial, but reads nothing.
func DialOnly(t testing.TB, host, path string, header http.Header) *Socket {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	url := "ws://" + host + path + "?protocol=7&client=test&version=1"
	conn, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		t.Fatal(err)
	}
	s := &Socket{t: t, conn: conn}
	t.Cleanup(s.Close)
	conn.SetReadLimit(1 << 20)
	return s
}

// Close ends the connection without a word. It may be called again.
func (s *Socket) Close() { _ = s.conn.CloseNow() }

// Write sends a text message.
func (s *Socket) Write(text string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), deadline)
	defer cancel()
	if err := s.conn.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		s.t.Fatalf("write %.60s: %v", text, err)
	}
}

// Send sends an event; channel "": it names none.
func (s *Socket) Send(event, channel string, data any) {
	s.t.Helper()
	m := map[string]any{"event": event, "data": data}
	if channel != "" {
		m["channel"] = channel
	}
	text, err := json.Marshal(m)
	if err != nil {
		s.t.Fatal(err)
	}
	s.Write(string(text))
}

// Read reads an event, or says why there is none.
func (s *Socket) Read() (Event, error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), deadline)
	defer cancel()
	var e Event
	_, text, err := s.conn.Read(ctx)
	if err == nil {
		err = json.Unmarshal(text, &e)
	}
	return e, err
}

// Next reads an event.
func (s *Socket) Next() Event {
	s.t.Helper()
	e, err := s.Read()
	if err != nil {
		s.t.Fatal(err)
	}
	return e
}

// Expect reads an event, which has to have this name and channel.
func (s *Socket) Expect(event, channel string) Event {
	s.t.Helper()
	e := s.Next()
	if e.Event != event || e.Channel != channel {
		s.t.Fatalf("got %s on %q with %s, want %s on %q", e.Event, e.Channel, e.Data, event, channel)
	}
	return e
}

// Closed reads until the connection is closed, which has to be with this code, and returns what came before.
func (s *Socket) Closed(code int) []Event {
	s.t.Helper()
	var before []Event
	for {
		e, err := s.Read()
		if err == nil {
			before = append(before, e)
			continue
		}
		if got := websocket.CloseStatus(err); got != websocket.StatusCode(code) {
			s.t.Fatalf("the connection ended with %v, want a close with %d", err, code)
		}
		return before
	}
}

// Text returns the string that an event's data has to be.
func (s *Socket) Text(e Event) string {
	s.t.Helper()
	var text string
	if err := json.Unmarshal(e.Data, &text); err != nil {
		s.t.Fatalf("the data of %s is not a string: %s", e.Event, e.Data)
	}
	return text
}
