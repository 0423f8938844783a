package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/go-json-experiment/json"

	"hark/cmd/hark/internal/credentials"
	"hark/protocol"
)

// A session is one connection of a Listener. All of it is owned by run.
type session struct {
	listener *Listener
	url      credentials.URL
	conn     *websocket.Conn

	id       protocol.SocketID // "" until the connection is established
	activity time.Duration     // of silence, after which the server is asked
	pending  map[string]bool   // channels that have been asked for
	refused  *ServerError      // what a pusher:error said
	silence  *time.Timer
	asked    bool        // a ping has not been answered
	verdict  *time.Timer // runs from a pusher:error that was maybe about a subscription
}

// maxMessage is how many bytes of one message are taken.
const maxMessage = 16 << 20

// run connects and serves one connection until it ends. It says why it ended, and when to connect again.
func (s *session) run(ctx context.Context) (protocol.Reconnect, error) {
	if err := s.dial(ctx); err != nil {
		return s.reconnect(err), err
	}
	s.silence = time.NewTimer(dialTimeout)
	defer s.silence.Stop()
	s.verdict = time.NewTimer(time.Hour)
	s.verdict.Stop()
	defer s.verdict.Stop()

	texts, lost := make(chan []byte), make(chan error, 1)
	done := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() { lost <- s.read(texts, done) })
	defer func() {
		close(done)
		_ = s.conn.Close(websocket.StatusNormalClosure, "") // says why itself if it is closed already
		reader.Wait()
	}()
	for {
		var err error
		select {
		case text := <-texts:
			err = s.take(ctx, text)
		case err = <-lost:
			err = s.whyLost(err)
		case <-s.silence.C:
			err = s.silent(ctx)
		case <-s.verdict.C:
			err = s.verdictOn()
		case <-ctx.Done():
			return protocol.Never, nil
		}
		if err != nil {
			return s.reconnect(err), err
		}
	}
}

func (s *session) dial(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	address := s.url.WebSocket()
	conn, response, err := websocket.Dial(ctx, address+"?protocol=7&client=hark&version=1.0.0",
		&websocket.DialOptions{HTTPClient: s.listener.HTTP})
	if err != nil {
		if response == nil || response.StatusCode == http.StatusSwitchingProtocols {
			return &ConnectError{Address: address, Err: cause(err)}
		}
		text, _ := io.ReadAll(response.Body) // what there is; the library keeps 1 KiB
		return &ServerError{Status: response.StatusCode, Text: saidText(response, text)}
	}
	conn.SetReadLimit(maxMessage)
	s.conn = conn
	return nil
}

// read hands on what arrives. It uses no context: the library would close the connection at a deadline.
func (s *session) read(texts chan<- []byte, done <-chan struct{}) error {
	for {
		_, text, err := s.conn.Read(context.Background())
		if err != nil {
			return err
		}
		select {
		case texts <- text:
		case <-done:
			return nil
		}
	}
}

// errHandle marks an error of Listener.Handle.
type errHandle struct{ error }

func (e errHandle) Unwrap() error { return e.error }

// reconnect says what a client does after err: what the close code says, or else to try again after a pause.
func (s *session) reconnect(err error) protocol.Reconnect {
	if _, own := errors.AsType[errHandle](err); own {
		return protocol.Never
	}
	refused, ok := errors.AsType[*ServerError](err)
	switch {
	case !ok:
		if errors.Is(err, errSilent) {
			return protocol.Immediately
		}
		return protocol.AfterBackoff
	case refused.Code != 0:
		return refused.Code.Reconnect()
	case s.conn == nil && refused.Status >= http.StatusInternalServerError:
		return protocol.AfterBackoff
	}
	return protocol.Never
}

// whyLost makes an error of the server's last words.
func (s *session) whyLost(err error) error {
	closed, ok := errors.AsType[websocket.CloseError](err)
	switch {
	case ok && s.refused != nil && s.refused.Code == protocol.CloseCode(closed.Code):
		return s.refused // the same, and not cut short
	case ok:
		return &ServerError{Code: protocol.CloseCode(closed.Code), Text: closed.Reason}
	case s.refused != nil && s.id == "":
		return s.refused
	}
	return fmt.Errorf("connection lost: %w", err)
}

var errSilent = errors.New("the server does not answer")

// silent asks a server that has said nothing for a while; at the second time it is gone.
func (s *session) silent(ctx context.Context) error {
	if s.asked || s.id == "" {
		return errSilent
	}
	s.asked = true
	s.silence.Reset(pongTimeout)
	return s.send(ctx, command{protocol.EventPing, struct{}{}})
}

func (s *session) send(ctx context.Context, message any) error {
	text, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("encode a message: %w", err)
	}
	return s.write(ctx, text)
}

func (s *session) write(ctx context.Context, text []byte) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if err := s.conn.Write(ctx, websocket.MessageText, text); err != nil {
		return fmt.Errorf("connection lost: %w", err)
	}
	return nil
}
