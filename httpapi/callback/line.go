package callback

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"hark/authz"
)

var (
	errBusy      = fmt.Errorf("%w: too many questions wait for the application", authz.ErrUnavailable)
	errLeftAlone = fmt.Errorf("%w: the application has failed too often and is left alone for a while", authz.ErrUnavailable)
)

// A line is where the calls of one kind wait for their turn.
type line struct {
	timeout time.Duration
	places  chan struct{} // holds one for each call that waits or is made
	turns   chan struct{} // and one for each that is made
	breaker *breaker
}

func (c *Client) newLine(k Kind) *line {
	l := &line{
		timeout: c.config.Timeout,
		places:  make(chan struct{}, c.config.Concurrency+c.config.Queue),
		turns:   make(chan struct{}, c.config.Concurrency),
		breaker: newBreaker(func(s BreakerState) { c.config.Counters.Breaker(k, s) }),
	}
	if k == KindClientEvent {
		l.timeout = c.config.EventTimeout
	}
	return l
}

// enter takes a place, or says why there is none.
func (l *line) enter() error {
	if !l.breaker.ready() {
		return errLeftAlone
	}
	select {
	case l.places <- struct{}{}:
		return nil
	default:
		return errBusy
	}
}

func (l *line) leave() { <-l.places }

// withTimeout gives a call the time that is its own: neither the end nor the deadline of ctx, only its values.
func (l *line) withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(context.WithoutCancel(ctx), l.timeout, fmt.Errorf("no answer within %v: %w", l.timeout, context.DeadlineExceeded))
}

// ask waits for the question's turn, sends it, and has the answer read. Who calls it has a place in the line.
func ask[V any](ctx context.Context, c *Client, q question, header http.Header, read func(body []byte) (V, error)) (V, error) {
	began := time.Now()
	v, err := askInTurn(ctx, c, q, header, read)
	c.config.Counters.Called(q.Kind, outcomeOf(err), time.Since(began))
	return v, err
}

func askInTurn[V any](ctx context.Context, c *Client, q question, header http.Header, read func(body []byte) (V, error)) (v V, err error) {
	l := c.lines[q.Kind]
	select {
	case l.turns <- struct{}{}:
		defer func() { <-l.turns }()
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		return v, fmt.Errorf("%w: %w", errBusy, context.Cause(ctx))
	}
	p, ok := l.breaker.begin()
	if !ok {
		return v, errLeftAlone
	}
	c.config.Counters.InFlight(q.Kind, 1)
	defer c.config.Counters.InFlight(q.Kind, -1)
	a, err := c.send(ctx, q, header, p.probe)
	if err == nil {
		err = a.refusal(q.Kind)
	}
	if err == nil {
		if v, err = read(a.body); err != nil {
			err = unavailable(q.Kind, fmt.Errorf("the answer cannot be used: %w", err))
		}
	}
	if s, changed := l.breaker.end(p, errors.Is(err, authz.ErrUnavailable)); changed {
		c.log(q.Kind, s, err)
	}
	return v, err
}

func unavailable(k Kind, err error) error {
	return fmt.Errorf("%w: callback %s: %w", authz.ErrUnavailable, k, err)
}
