package channels

import "context"

// tellAuthenticated tells the observers that s speaks for a user now.
func (h *Hub) tellAuthenticated(s *Socket, by AuthKind) {
	for _, f := range h.hooks.authenticated {
		s.app.observers.add(s, func(ctx context.Context) { f(ctx, s, by) })
	}
}

// tellAuthFailed tells the observers of a refusal.
func (h *Hub) tellAuthFailed(a AuthFailure) {
	var about any // nil: the connection was not let in
	if s := h.sockets.find(a.Socket); s != nil {
		about = s
	}
	for _, f := range h.hooks.authFailed {
		h.apps[a.App].observers.add(about, func(ctx context.Context) { f(ctx, a) })
	}
}
