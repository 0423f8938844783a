package channels

import (
	"context"

	"hark/authz"
)

// called is what a socket has once a hook was called for it.
type called struct {
	ctx   context.Context // of the calls; ends with the connection
	end   context.CancelFunc
	loads *lanes // of initial state, which what the client asks for does not wait for
}

// call calls a hook for the socket: for 3 s at most, not beyond the end of ctx
// (one that ends with the connection), and with a panic as an error. Where too many
// calls for the same user hang, no more are made for it.
func (s *Socket) call(ctx context.Context, calls *authz.Calls, f func(context.Context) error) error {
	return calls.DoFor(ctx, s.party(), f)
}

// party is who is refused calls if those for it hang: the user, or the connection
// of a guest.
func (s *Socket) party() string {
	id := s.Identity().ID
	if id == "" {
		id = string(s.id)
	}
	return id
}

// calling returns the socket's calls.
func (s *Socket) calling() *called {
	if c := s.called.Load(); c != nil {
		return c
	}
	c := &called{loads: newLanes(s)}
	c.ctx, c.end = context.WithCancel(context.Background())
	if !s.called.CompareAndSwap(nil, c) {
		c.end()
		return s.called.Load()
	}
	if s.ended.Load() { // End may not have seen it
		c.end()
	}
	return c
}

// HooksStuck returns how many calls of the application's code, Authenticators and
// policies among it, have outstayed their time and have not returned: it ignores the
// end of the ctx that it is given.
func (h *Hub) HooksStuck() int {
	n := 0
	policies := make(map[*authz.Registry]bool)
	for id, app := range h.apps {
		if id == app.ID() { // no alias
			n += app.calls.Stuck() + app.filters.Stuck() + app.handlers.Stuck() + app.loaders.Stuck() +
				app.forgetting.Stuck() + app.observers.calls.Stuck()
			policies[app.config.Policies] = true
		}
	}
	delete(policies, nil)
	for p := range policies {
		n += p.Stuck()
	}
	return n
}
