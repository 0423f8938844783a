package channels

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"hark/authz"
	"hark/protocol"
)

const (
	// askFirst and askMost are about how far attempts to ask the application are
	// apart, while a connection is held.
	askFirst = 100 * time.Millisecond
	askMost  = 2 * time.Second
)

// An answer is what came of asking the application about a connection.
type answer struct {
	moment   uint64 // the app's, when it began to be asked
	identity authz.Identity
	welcome  []protocol.Frame // for the client, behind connection_established
	refusal  *protocol.Error  // nil: it may come in
	err      error            // why not
}

// asks reports whether the application has a say in who connects.
func (a *App) asks() bool {
	return a.config.Authenticator != nil || len(a.hub.hooks.connecting) > 0
}

// Ask finds out whether a client may connect, and as whom: it asks the app's
// Authenticator and then the gates (OnConnecting), each once if it answers. What
// they say is kept in r for Connect, which tells a client that is refused. A
// transport calls it before it answers the handshake: afterwards it could not
// make a browser wait.
//
// Nil says that there is an answer. An error is authz.ErrUnavailable: within
// Config.HoldUpgrade the application could not be asked, whatever the pauses, or
// too many wait for it already, or ctx has ended. Then the client is to come back
// later: HTTP 503.
//
// Where nobody has to be asked it costs nothing.
func (h *Hub) Ask(ctx context.Context, r *ConnectRequest) error {
	h.taken.Store(true)
	app, _, refusal := h.check(r)
	if refusal != nil || !app.asks() {
		return nil // Connect says the same
	}
	var err error
	r.answer, err = h.inquire(ctx, app, *r)
	return err
}

// inquire asks until there is an answer or the time is over. While a hub drains
// there is none, and Connect refuses everybody.
func (h *Hub) inquire(ctx context.Context, app *App, r ConnectRequest) (*answer, error) {
	if refusal := app.full(); refusal != nil {
		return &answer{refusal: refusal}, nil
	}
	if app.held.Add(1) > int64(h.config.HeldUpgrades) {
		app.held.Add(-1)
		h.config.Counters.Dropped(DropHeld, 1)
		return nil, fmt.Errorf("%w: %d connections wait for the application", authz.ErrUnavailable, h.config.HeldUpgrades)
	}
	defer app.held.Add(-1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	h.Go(func() {
		select {
		case <-h.ending:
			cancel()
		case <-ctx.Done():
		}
	})
	q := inquiry{hub: h, app: app, request: r}
	q.answer.moment = app.moment.Load()
	err := q.run(ctx)
	switch {
	case err == nil:
		return &q.answer, nil
	case h.state.Load() >= stateDraining:
		return nil, nil
	case ctx.Err() == nil: // else the client has given up
		h.config.Counters.Dropped(DropUnasked, 1)
		app.complain(err)
	}
	if !errors.Is(err, authz.ErrUnavailable) {
		err = fmt.Errorf("%w: %w", authz.ErrUnavailable, err)
	}
	return nil, err
}

// An inquiry asks about one connection.
type inquiry struct {
	hub     *Hub
	app     *App
	request ConnectRequest
	asked   int // how many have answered: the Authenticator, then the gates
	answer  answer
}

// run makes attempts, at growing pauses.
func (q *inquiry) run(ctx context.Context) error {
	hold := q.hub.config.HoldUpgrade
	if hold < 0 {
		return q.attempt(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, hold)
	defer cancel()
	for pause := askFirst; ; pause = min(2*pause, askMost) {
		err := q.attempt(ctx)
		if err == nil {
			return nil
		}
		timer := time.NewTimer(jittered(pause))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}

// jittered returns a duration between half of d and one and a half: what failed
// together is not tried again together.
func jittered(d time.Duration) time.Duration { return d/2 + rand.N(d) }

// attempt asks those who have not answered yet. An error says that one of them
// could not be asked. The first no is the answer.
func (q *inquiry) attempt(ctx context.Context) error {
	gates := q.hub.hooks.connecting
	for ; q.asked <= len(gates); q.asked++ {
		var err error
		if q.asked == 0 {
			err = q.authenticate(ctx)
		} else {
			err = q.pass(ctx, gates[q.asked-1])
		}
		if err == nil {
			continue
		}
		if q.answer.refusal = refusal(err); q.answer.refusal == nil {
			return err
		}
		q.answer.err = err
		return nil
	}
	return nil
}

// authenticate asks the Authenticator, if there is one, who connects.
func (q *inquiry) authenticate(ctx context.Context) error {
	authenticator := q.app.config.Authenticator
	if authenticator == nil {
		return nil
	}
	r := q.request.HTTP
	if r == nil {
		return fmt.Errorf("%w: the transport has no request that says who connects", authz.ErrUnauthenticated)
	}
	said := make(chan authz.Identity, 1) // one that is late writes to nobody
	err := q.app.calls.Do(ctx, func(ctx context.Context) error {
		id, err := authenticator.Authenticate(ctx, r)
		said <- id
		return err
	})
	if err != nil {
		return err
	}
	return q.identify(<-said)
}

// pass asks a gate.
func (q *inquiry) pass(ctx context.Context, gate func(context.Context, *ConnectRequest) (Welcome, error)) error {
	r := q.request // its own: it may keep it for too long
	r.answer = &answer{identity: q.answer.identity}
	said := make(chan Welcome, 1)
	err := q.app.calls.Do(ctx, func(ctx context.Context) error {
		w, err := gate(ctx, &r)
		said <- w
		return err
	})
	if err != nil {
		return err
	}
	w := <-said
	var welcome []protocol.Frame
	for _, e := range w.Events {
		if err := protocol.CheckEvent(e.Name, q.app.config.Limits.EventName); err != nil {
			return fmt.Errorf("%w: an event of a Welcome: %w", authz.ErrUnavailable, err)
		}
		welcome = append(welcome, protocol.Event{Name: e.Name, Data: e.Data}.Frame())
	}
	if w.Identity != nil {
		if err := q.identify(*w.Identity); err != nil {
			return err
		}
	}
	q.answer.welcome = append(q.answer.welcome, welcome...)
	return nil
}

// identify notes who connects.
func (q *inquiry) identify(id authz.Identity) error {
	if err := authz.CheckIdentity(id, q.app.config.Limits); err != nil {
		return err
	}
	if id.Guest() {
		id = authz.Identity{} // nobody's roles and tenant are nobody's
	}
	q.answer.identity = id
	return nil
}

// refusal returns how a connection is refused over err; nil: err is no answer.
func refusal(err error) *protocol.Error {
	if errors.Is(err, authz.ErrUnavailable) {
		return nil
	}
	if closing, ok := errors.AsType[*CloseError](err); ok {
		return closing.refusal()
	}
	if isNo(err) {
		return protocol.NewError(protocol.CloseUnauthorized)
	}
	return nil
}

// isNo reports whether an error of the application's is an answer.
func isNo(err error) bool {
	return !errors.Is(err, authz.ErrUnavailable) &&
		(errors.Is(err, authz.ErrDenied) || errors.Is(err, authz.ErrUnauthenticated))
}

// refusal returns the pusher:error that comes before the close.
func (e *CloseError) refusal() *protocol.Error {
	code := e.Code
	switch {
	case code >= 4200 && code < 4300:
		code = protocol.CloseOverCapacity
	case code < 1000 || code >= 4300:
		code = protocol.CloseUnauthorized
	}
	reason := e.Reason
	if reason == "" {
		reason = code.Reason()
	}
	return &protocol.Error{Code: code, Message: reason}
}

// complaintEvery is how far complaints about an app are apart, at least.
const complaintEvery = time.Second

// complain logs that the application could not be asked.
func (a *App) complain(err error) {
	now := a.hub.now()
	last := a.complained.Load()
	if (last == 0 || now-last >= int64(complaintEvery)) && a.complained.CompareAndSwap(last, now) {
		a.hub.config.Logger.Error("clients cannot be let in: the application cannot be asked", "app", a.ID(), "error", err)
	}
}
