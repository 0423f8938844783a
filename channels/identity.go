package channels

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"hark/authz"
	"hark/protocol"
)

// identifier is the capture of AppConfig.IdentityPattern that is the user's id.
const identifier = "id"

// A speaker is who a socket speaks for, and how that came to be known. It is
// not modified.
type speaker struct {
	authz.Identity
	by AuthKind
}

// become makes the socket speak for id, unless it speaks for somebody already.
func (s *Socket) become(id authz.Identity, by AuthKind) {
	s.mu.Lock()
	news := s.becomeLocked(id, by)
	s.mu.Unlock()
	if news {
		s.hub.tellAuthenticated(s, by)
	}
}

// becomeLocked is become, and reports whether the observers are to be told. The
// first identity stays; but what a subscription says does not keep anybody from
// signing in.
func (s *Socket) becomeLocked(id authz.Identity, by AuthKind) (news bool) {
	now := s.identity.Load()
	if id.Guest() || now != nil && !(now.by == ByChannel && by == BySignin) {
		return false
	}
	s.identity.Store(&speaker{id, by})
	if !id.ExpiresAt.IsZero() {
		s.authLocked().armLocked(s.hub.at(id.ExpiresAt))
	}
	return now == nil || now.ID != id.ID
}

// taken reports whether the socket speaks for somebody else than the user, for
// good.
func (s *Socket) taken(userID string) bool {
	now := s.identity.Load()
	return now != nil && now.by != ByChannel && now.ID != userID
}

// claimed returns who the app says that a socket is, by the signature for a
// channel. Apps with Policies say so in what they grant.
func (s *Socket) claimed(sub *Subscription) authz.Identity {
	if sub.granted != nil {
		return sub.granted.identity
	}
	if m := sub.occupant.Member; m.UserID != "" {
		return authz.Identity{ID: m.UserID, Info: m.UserInfo}
	}
	captures, _ := s.app.personal.Match(sub.channel.place.Channel)
	return authz.Identity{ID: captures[identifier]}
}

// noteSigned notes on a subscription to a private channel which user its
// channel_data was signed for, where that is not known otherwise. Backends sign all
// kinds of things for private channels: what is no member says nothing.
func (s *Socket) noteSigned(sub *Subscription, r protocol.Subscribe) {
	kind := protocol.KindOf(r.Channel)
	if !r.HasChannelData || !kind.NeedsAuth() || kind.IsPresence() || s.identity.Load() != nil {
		return
	}
	m, err := protocol.ParseMember(r.ChannelData, s.app.config.Limits)
	if _, refused := errors.AsType[*protocol.Rejection](err); refused {
		return
	}
	sub.granted = &granted{channel: r.Channel, identity: authz.Identity{ID: m.UserID, Info: m.UserInfo}}
}

// Identity returns who is about to connect, as far as the Authenticator and the
// gates before have said; the zero Identity: a guest. It is for gates.
func (r *ConnectRequest) Identity() authz.Identity {
	if r.answer == nil {
		return authz.Identity{}
	}
	return r.answer.identity
}

// remote returns the client's address, where it is known.
func (r *ConnectRequest) remote() string {
	if r.HTTP == nil {
		return ""
	}
	return r.HTTP.RemoteAddr
}

// checkIdentities returns what is wrong with what the app says about origins and
// identities.
func (c *AppConfig) checkIdentities() []error {
	var errs []error
	for _, origin := range c.Origins {
		if err := authz.CheckOrigin(origin); err != nil {
			errs = append(errs, err)
		}
	}
	for _, pattern := range c.PublicAllow {
		if _, err := authz.ParsePattern(pattern); err != nil {
			errs = append(errs, fmt.Errorf("PublicAllow: %w", err))
		}
	}
	if c.IdentityPattern == "" {
		return errs
	}
	err := CheckIdentityPattern(c.IdentityPattern)
	if err == nil && c.Policies != nil {
		err = errors.New("an app with Policies grants identities, and has no such pattern")
	}
	if err != nil {
		errs = append(errs, fmt.Errorf("IdentityPattern: %w", err))
	}
	return errs
}

// CheckIdentityPattern returns nil if a pattern may be an AppConfig.IdentityPattern,
// or says why not.
func CheckIdentityPattern(pattern string) error {
	p, err := authz.ParsePattern(pattern)
	switch {
	case err != nil:
		return err
	case !slices.Contains(p.Names(), identifier):
		return fmt.Errorf("the pattern %q has no {id}", pattern)
	case !strings.HasPrefix(pattern, "private-"):
		return errors.New("the pattern must begin with private-: what is not signed proves nothing")
	}
	return nil
}
