package conformance

import (
	"context"
	"net"
	"time"
)

// A Target is a server to test. It may be used by several cases at once.
type Target struct {
	// URL is where it is, without a path: "http://127.0.0.1:8080", or https for
	// a server with TLS. Websockets are dialled there too.
	URL string
	// Dial connects to it; nil: by net.Dialer.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// App is what cases without an app line use. It has client events on and
	// the default limits.
	App App
	// Start starts a server with a configuration of a case's own. It is called
	// for each such case, and stop once the case is over. Nil: such cases are
	// not run. What it returns needs no App, and by default has this Patience.
	Start func(ctx context.Context, c Config) (t Target, stop func(), err error)
	// End begins an orderly shutdown of a server that Start has started, and
	// does not wait for it. Nil: cases with such a step are not run.
	End func()
	// Settle returns when the server has done all that it has been asked to,
	// and clients have what it sent. Nil: nobody can tell.
	Settle func()
	// Lags says that the server is several nodes: what one is asked is about what
	// clients did on another, and may be a moment behind. Until Patience is over a
	// GET is sent again whose answer is not yet what it should be.
	Lags bool
	// Patience is how long a message or an answer may take; 0: 5 s.
	Patience time.Duration
}

func (t *Target) patience() time.Duration {
	if t.Patience == 0 {
		return 5 * time.Second
	}
	return t.Patience
}

func (t *Target) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if t.Dial != nil {
		return t.Dial(ctx, network, addr)
	}
	return new(net.Dialer).DialContext(ctx, network, addr)
}
