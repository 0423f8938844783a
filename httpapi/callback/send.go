package callback

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"syscall"
	"time"

	"hark/authz"
)

const (
	maxAnswer  = 1 << 20                // bytes
	retryPause = 100 * time.Millisecond // before the one retry
)

// An answer is what an application answered.
type answer struct {
	status   int
	body     []byte
	unsigned bool // it ought to be signed and is not
}

// refusal returns what the status says; nil: the body says it.
func (a answer) refusal(k Kind) error {
	switch a.status {
	case http.StatusOK, http.StatusUnauthorized, http.StatusForbidden:
	case http.StatusNotFound:
		if k == KindAuthenticate {
			return unavailable(k, errors.New("the application answered 404; is the URL right?"))
		}
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return unavailable(k, fmt.Errorf("the application answered %d; no redirect is followed, configure the URL that it leads to", a.status))
	default:
		return unavailable(k, fmt.Errorf("the application answered %d", a.status))
	}
	switch {
	case a.unsigned:
		return unavailable(k, errors.New("the answer has no valid X-Hark-Signature"))
	case a.status == http.StatusOK:
		return nil
	case a.status == http.StatusUnauthorized:
		return fmt.Errorf("%w: callback %s answered 401", authz.ErrUnauthenticated, k)
	}
	return fmt.Errorf("%w: callback %s answered %d", authz.ErrDenied, k, a.status)
}

// send sends a question. If the connection is lost it does so once more, but not for a probe.
func (c *Client) send(ctx context.Context, q question, header http.Header, probe bool) (answer, error) {
	a, err := c.sendOnce(ctx, q, header)
	if err != nil && !probe && lost(err, q.idempotent()) {
		select {
		case <-time.After(retryPause):
			a, err = c.sendOnce(ctx, q, header)
		case <-ctx.Done():
		}
	}
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return answer{}, unavailable(q.Kind, err)
	}
	return a, nil
}

// lost reports whether an application that restarts would explain the error, and nobody minds being asked again.
func lost(err error, idempotent bool) bool {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return true // nothing was sent
	}
	cut := errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	return cut && idempotent
}

func (c *Client) sendOnce(ctx context.Context, q question, header http.Header) (answer, error) {
	body, id, header, err := q.request(c.config, header)
	if err != nil {
		return answer{}, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.config.URL, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	r.Header = header
	response, err := c.transport.RoundTrip(r) // not a http.Client: that would follow redirects
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	a := answer{status: response.StatusCode}
	if a.body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer+1)); err != nil {
		return answer{}, err
	}
	if len(a.body) > maxAnswer {
		return answer{}, fmt.Errorf("the answer has more than %d bytes", maxAnswer)
	}
	a.unsigned = c.config.RequireResponseSignature &&
		!authz.Verify(c.config.Key.Secret, id+"."+string(a.body), response.Header.Get("X-Hark-Signature"))
	return a, nil
}
