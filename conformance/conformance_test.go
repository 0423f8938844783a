package conformance_test

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hark/conformance"
	"hark/conformance/local"
)

// Every case of every transcript, each in a bubble and against a server of its
// own, so that minutes of silence take no time.
func TestTranscripts(t *testing.T) {
	all, err := conformance.Transcripts()
	if err != nil {
		t.Fatal(err)
	}
	baseline := readBaseline(t, "baseline.txt")
	var cases []conformance.Case
	for _, transcript := range all {
		cases = append(cases, transcript.Cases...)
	}
	if err := baseline.Check(cases); err != nil {
		t.Error(err)
	}
	for _, c := range cases {
		t.Run(c.ID(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				check(t, play(t, c, baseline))
			})
		})
	}
}

func readBaseline(t *testing.T, file string) conformance.Baseline {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	baseline, err := conformance.ParseBaseline(string(text))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return baseline
}

// check fails the test if the case did not go as it should.
func check(t *testing.T, r conformance.Result) {
	t.Helper()
	switch r.Outcome() {
	case conformance.Passed:
	case conformance.Known:
		t.Logf("as the baseline says: %v", r.Err)
	case conformance.Mended:
		t.Error("passes, and the baseline says that it does not")
	default:
		t.Error(r.Err)
	}
}

// play plays a case against a server of its own. The caller is in a bubble.
func play(t *testing.T, c conformance.Case, b conformance.Baseline) conformance.Result {
	return playOn(t, conformance.Target{App: local.StandardApp(), Start: start}, c, b)
}

func playOn(t *testing.T, target conformance.Target, c conformance.Case, b conformance.Baseline) conformance.Result {
	suite := conformance.Suite{Cases: []conformance.Case{c}, Target: target, Baseline: b}
	results, err := suite.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return results[0]
}

// start starts a server that is reached without a network.
func start(_ context.Context, c conformance.Config) (conformance.Target, func(), error) {
	listener := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	end, stop, err := local.Serve(c, listener, nil)
	return conformance.Target{URL: "http://hark.test", Dial: listener.dial, Settle: synctest.Wait, End: end}, func() {
		stop()
		// net/http waits half a second with a connection on which it has refused a body.
		time.Sleep(time.Second)
	}, err
}

// A pipeListener listens for connections that are made of net.Pipe.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

var errClosed = errors.New("the server has ended")

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	c, other := net.Pipe()
	select {
	case l.conns <- other:
		return c, nil
	case <-l.closed:
		return nil, errClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "hark.test" }
