package channels

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"hark/authz"
	"hark/protocol"
)

// auth is what a socket has been granted beside its identity, and what ends by
// itself. A guest to whom nothing was granted has none.
type auth struct {
	due atomic.Int64 // Hub.now when something ends; 0: nothing does. Written under Socket.mu

	// Guarded by Socket.mu.
	grants  map[string]kept          // not redeemed yet, by channel; "" is the signin
	pending map[string]*Subscription // subscribes that the policies are asked about, by channel
	lapsed  bool                     // an identity has ended: a signature may be from before
}

// kept is a grant that waits for its subscribe.
type kept struct {
	authz.Grant
	since int64 // Hub.now
}

// maxGrants bounds the grants that wait for one socket, where Limits.Channels
// does not.
const maxGrants = 1000

var (
	errNoSocket      = errors.New("channels: there is no such socket here")
	errKeepsNothing  = fmt.Errorf("%w; give AppConfig the Policies of the auth endpoint", ErrNoPolicies)
	errTooManyGrants = errors.New("channels: too many grants wait for the socket")
)

var _ authz.Keeper = (*App)(nil)

// Moment returns this moment's number in the app's order of grants and
// revocations. It implements authz.Keeper.
func (a *App) Moment() uint64 { return a.moment.Load() }

// Keep keeps a grant until the socket redeems it, once, and for authz.GrantTTL at
// most. The newer of two for one channel counts. A socket that is not on this node may
// be on another, where the broker can keep that (GrantStore). It implements
// authz.Keeper. An app without Policies redeems nothing: that is ErrNoPolicies.
func (a *App) Keep(ctx context.Context, id protocol.SocketID, channel string, g authz.Grant) error {
	if a.config.Policies == nil {
		return errKeepsNothing
	}
	if err := authz.CheckIdentity(g.Identity, a.config.Limits); err != nil {
		return err
	}
	s := a.hub.sockets.find(id)
	if s == nil && a.hub.grants != nil {
		ctx, cancel := a.hub.brokerContext(ctx)
		defer cancel()
		return a.hub.grants.KeepGrant(ctx, a.ID(), id, channel, g)
	}
	if s == nil || s.app != a || s.ended.Load() {
		return fmt.Errorf("%w: %s", errNoSocket, id)
	}
	return s.keep(channel, kept{g, a.hub.now()})
}

func (s *Socket) keep(channel string, k kept) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	auth := s.authLocked()
	if old, ok := auth.grants[channel]; ok && old.Moment > k.Moment {
		return nil
	}
	delete(auth.grants, channel)
	if len(auth.grants) > min(s.app.config.Limits.Channels, maxGrants) { // one more, for the signin
		return errTooManyGrants
	}
	if auth.grants == nil {
		auth.grants = make(map[string]kept)
	}
	auth.grants[channel] = k
	auth.armLocked(k.until())
	return nil
}

// until is when the grant is forgotten.
func (k *kept) until() int64 { return k.since + int64(authz.GrantTTL) }

// redeem takes the grant for a channel out, or for the signin where that is "". A
// grant whose time is over, or that was decided before it was asked for a new
// decision, is none.
func (s *Socket) redeem(channel string) (kept, bool) {
	s.mu.Lock()
	var k kept
	ok := false
	if auth := s.auth.Load(); auth != nil {
		k, ok = auth.grants[channel]
		delete(auth.grants, channel)
	}
	s.mu.Unlock()
	now := s.hub.now()
	if !ok || now >= k.until() || k.TTL != 0 && now-k.since >= int64(k.TTL) || k.Identity.Expired(time.Now()) ||
		s.outdatedSince(channel, k.Identity, k.Moment) {
		return kept{}, false
	}
	return k, true
}

// holds reports whether a grant for a channel is kept here.
func (s *Socket) holds(channel string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	auth := s.auth.Load()
	if auth == nil {
		return false
	}
	_, ok := auth.grants[channel]
	return ok
}

// fetch gets the grant for a channel that another node was asked for, as if it had been
// kept here. Where the broker cannot be asked there is none: the policies are asked.
func (s *Socket) fetch(channel string) {
	ctx, cancel := s.hub.brokerContext(context.Background())
	defer cancel()
	g, age, ok, err := s.hub.grants.TakeGrant(ctx, s.app.ID(), s.id, channel)
	if err == nil && ok {
		_ = s.keep(channel, kept{g, s.hub.now() - int64(age)}) // one too many is asked for again
	}
}

// authLocked returns the socket's auth, which it makes if there is none.
func (s *Socket) authLocked() *auth {
	a := s.auth.Load()
	if a == nil {
		a = new(auth)
		s.auth.Store(a)
	}
	return a
}

// armLocked makes the sweeper look at the socket no later than at t, a Hub.now.
func (a *auth) armLocked(t int64) {
	if due := a.due.Load(); due == 0 || t < due {
		a.due.Store(max(t, 1))
	}
}

// farAway is longer than anything lasts here, and short enough to be added to a
// Hub.now.
const farAway = 100 * 365 * 24 * time.Hour

// at returns the Hub.now of a time.
func (h *Hub) at(t time.Time) int64 { return h.now() + int64(min(time.Until(t), farAway)) }
