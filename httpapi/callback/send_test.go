package callback_test

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"hark/authz"
	"hark/httpapi/callback"
)

func dialError(errno syscall.Errno) error {
	return &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", errno)}
}

// A connection that is lost is tried once more, after a moment, where asking twice does no harm. Then the question is a
// new one: its id has not been seen.
func TestRetry(t *testing.T) {
	refused, reset := dialError(syscall.ECONNREFUSED), dialError(syscall.ECONNRESET)
	for _, tt := range []struct {
		name            string
		err             error
		question, event int // calls of a question, and of a client event or message
	}{
		{"refused", refused, 2, 2},
		{"reset", reset, 2, 1},
		{"closed", io.EOF, 2, 1},
		{"cut short", io.ErrUnexpectedEOF, 2, 1},
		{"another", errors.New("x509: certificate signed by unknown authority"), 1, 1},
		{"no route", dialError(syscall.EHOSTUNREACH), 1, 1},
	} {
		a := answering(reply{err: tt.err})
		bubble(t, a, nil, func(t *testing.T, c *callback.Client) {
			check := func(kind string, want int, err error) {
				t.Helper()
				calls := a.asked()
				if nameOf(err) != unavailable || !errors.Is(err, tt.err) || len(calls) != want {
					t.Errorf("%s, %s: %v after %d calls, want %d", tt.name, kind, err, len(calls), want)
				}
				if len(calls) == 2 && (calls[0].ID == calls[1].ID || calls[1].at.Sub(calls[0].at) != 100*time.Millisecond) {
					t.Errorf("%s, %s: the second call is %s, after %s", tt.name, kind, calls[1].body, calls[0].body)
				}
			}
			_, err := c.Policy().Authorize(t.Context(), join("1.1", "7", "private-a"))
			check("authorize", tt.question, err)
			_, err = c.Authenticator().Authenticate(t.Context(), from())
			check("authenticate", tt.question, err)
			_, err = c.Subscribed(t.Context(), callback.Subscribed{})
			check("subscribed", tt.question, err)
			_, err = c.Message(t.Context(), callback.Message{})
			check("message", tt.event, err)
			_, err = c.ClientEvent(t.Context(), callback.ClientEvent{})
			check("client_event", tt.event, err)
		})
	}
}

// An application that restarts is not noticed; a probe is one call; no time is spent that there is not.
func TestRetryBounds(t *testing.T) {
	first := true
	a := &application{answer: func(call) reply {
		if first {
			first = false
			return reply{err: dialError(syscall.ECONNREFUSED)}
		}
		return reply{body: `{"allow":true}`}
	}}
	bubble(t, a, nil, func(t *testing.T, c *callback.Client) {
		wantResults(t, all(t, c, join("1.1", "7", "private-a")), "allow")
		a.wantAsked(t, one, one)

		a.answers(func(call) reply { return reply{err: dialError(syscall.ECONNREFUSED)} })
		for range 5 {
			all(t, c, join("1.1", "7", "private-a"))
		}
		a.asked()
		time.Sleep(2 * time.Second)
		all(t, c, join("1.1", "7", "private-a"))
		a.wantAsked(t, one)
	})
	a = answering(reply{after: 2950 * time.Millisecond, err: dialError(syscall.ECONNRESET)})
	bubble(t, a, nil, func(t *testing.T, c *callback.Client) {
		began := time.Now()
		_, err := c.Policy().Authorize(t.Context(), join("1.1", "7", "private-a"))
		if took := time.Since(began); took > 3*time.Second || !errors.Is(err, authz.ErrUnavailable) || !strings.Contains(err.Error(), "no answer within 3s") {
			t.Errorf("%v after %v", err, took)
		}
		a.wantAsked(t, one)
	})
}
