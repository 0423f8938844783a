package channels

import (
	"hark/authz"
	"hark/protocol"
)

// hasPublic reports whether there is a public channel of this name.
func (a *App) hasPublic(channel string) bool {
	if a.config.PublicAllow == nil {
		return true
	}
	for _, pattern := range a.public {
		if _, ok := pattern.Match(channel); ok {
			return true
		}
	}
	return false
}

// refuse tells the observers that a subscription was refused, and returns what the
// client is told: it learns of no reason, nor whether there is such a channel.
func (s *Socket) refuse(channel string, id authz.Identity, why error) *protocol.Rejection {
	s.tellRefused(channel, id, why)
	return protocol.NotAuthorized(channel)
}

// tellRefused tells the observers of a refused subscription, or, where the channel
// is "", signin.
func (s *Socket) tellRefused(channel string, id authz.Identity, why error) {
	s.hub.tellAuthFailed(AuthFailure{App: s.app.ID(), Socket: s.id, Channel: channel, Identity: id, Err: why})
}
