package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"hark/cmd/hark/internal/credentials"
	"hark/protocol"
)

// A Listener is a client that stays on channels. Its fields are not changed while Listen runs.
type Listener struct {
	URL      credentials.URL
	Channels []string
	Who      *Member      // on presence channels; nil: nobody, which servers refuse
	HTTP     *http.Client // to connect with; nil: http.DefaultClient

	// Handle is called with every message of the server, one after the other. An error ends Listen, which returns it.
	Handle func(Event) error
	// Note is told, for people, that the connection was lost or came back.
	Note func(text string)
}

const (
	dialTimeout  = 10 * time.Second
	writeTimeout = 10 * time.Second
	pongTimeout  = 30 * time.Second // as in pusher-js
	firstPause   = time.Second      // as in pusher-js, which never waits longer
	longestPause = 10 * time.Second
)

// Listen connects, subscribes, and keeps doing so until ctx ends, which is no error. The errors are a *ConnectError if
// nobody was there at the first time, a *ServerError if the server does not want this client or one of its subscriptions,
// and that of Handle.
func (l *Listener) Listen(ctx context.Context) error {
	pause := firstPause
	for first := true; ctx.Err() == nil; first = false {
		s := &session{listener: l, url: l.URL}
		next, err := s.run(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if s.id != "" {
			pause = firstPause
		}
		if _, unreachable := errors.AsType[*ConnectError](err); unreachable && first {
			return err
		}
		switch next {
		case protocol.Never:
			return err
		case protocol.Immediately:
			l.Note(fmt.Sprintf("connecting again at once (%v)", err))
			continue
		case protocol.OverTLS:
			if l.URL.Scheme == "https" {
				return err
			}
			l.URL.Scheme = "https"
			l.Note(fmt.Sprintf("connecting again with TLS (%v)", err))
			continue
		}
		l.Note(fmt.Sprintf("connecting again in %v (%v)", pause, err))
		wait(ctx, pause)
		pause = min(2*pause, longestPause)
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
