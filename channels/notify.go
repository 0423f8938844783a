package channels

import "context"

// tellAuthenticated tells the observers that s speaks for a user now.
func (h *Hub) tellAuthenticated(s *Socket, by AuthKind) {
	for _, f := range h.hooks.authenticated {
		h.observe(s, func(ctx context.Context) { f(ctx, s, by) })
	}
}

// tellAuthFailed tells the observers of a refusal.
func (h *Hub) tellAuthFailed(a AuthFailure) {
	for _, f := range h.hooks.authFailed {
		h.observe(h.sockets.find(a.Socket), func(ctx context.Context) { f(ctx, a) })
	}
}
