package channels

import (
	"context"
	"errors"
	"slices"
	"time"

	"hark/authz"
	"hark/presence"
	"hark/protocol"
)

// userPlace begins the names of the places that stand for users: whoever is
// signed in as one is a member there, and whoever watches one is on it too. So
// being online, being watched and being thrown out are told in the broker's
// order, on all nodes, like everything else. No client can name such a place.
const userPlace = "#user-"

// offlineAfter is how long a user must have no connection before the watchers
// are told: a reload of a page is no going offline.
const offlineAfter = 3 * time.Second

// A session is who a socket is signed in as. It is not modified.
type session struct {
	user     protocol.User
	self     *Subscription   // as a member of the user's place
	watching []*Subscription // on the places of the watchlist
}

// all returns what the session is on.
func (n *session) all() []*Subscription { return append(slices.Clip(n.watching), n.self) }

// signin makes the socket speak for a user from now on. A second one must be
// for the same user; it changes nothing.
//
// Pusher: https://pusher.com/docs/channels/using_channels/user-authentication/
func (s *Socket) signin(m protocol.Message) error {
	request, err := protocol.ParseSignin(m.Data)
	if err != nil {
		return err
	}
	if err := s.app.verifier.VerifyUser(s.id, request); err != nil {
		s.tellRefused("", s.Identity(), err)
		return err
	}
	user, cut, err := protocol.ParseUser(request.UserData, s.app.config.Limits)
	if err != nil {
		return err
	}
	if s.hub.grants == nil || s.app.config.Policies == nil || s.session.Load() != nil || s.holds("") {
		return s.signinAs(request, user, cut, s.do)
	}
	// Another node may have been asked: to look costs a round trip.
	s.do(userPlace+user.ID, func(_ context.Context, wait bool) error {
		if !wait {
			return errWouldWait
		}
		s.fetch("")
		err := s.signinAs(request, user, cut, s.impose)
		if wrong, ok := errors.AsType[*protocol.Error](err); ok {
			s.fail(wrong)
		}
		return nil
	})
	return nil
}

// signinAs is signin of a user that was signed for. do puts what has to wait into a
// lane.
func (s *Socket) signinAs(request protocol.Signin, user protocol.User, cut *protocol.Error, do func(string, task)) error {
	told := []protocol.Frame{protocol.SigninSuccess(request.UserData).Frame()}
	if cut != nil {
		told = append(told, cut.Frame())
	}
	id, err := s.signer(user)
	if err != nil {
		s.tellRefused("", id, err)
		return err
	}
	if !s.identify() {
		return nil
	}
	if s.session.Load() != nil {
		s.send(protocol.Join(told...))
		return nil
	}
	if !s.app.config.Watchlists {
		user.Watchlist = nil
	}
	session := &session{user: user, self: s.onUser(user.ID, roleSelf)}
	for _, id := range user.Watchlist {
		session.watching = append(session.watching, s.onUser(id, roleWatcher))
	}
	s.mu.Lock()
	s.session.Store(session)
	news := s.becomeLocked(id, BySignin)
	s.mu.Unlock()
	if news {
		s.hub.tellAuthenticated(s, BySignin)
	}
	lane := userPlace + user.ID
	do(lane, func(ctx context.Context, _ bool) error {
		if err := s.enter(ctx, session.self); err != nil || s.ended.Load() || s.revoking(session.self) {
			return err
		}
		s.send(protocol.Join(told...))
		return nil
	})
	if len(session.watching) > 0 {
		do(lane, func(ctx context.Context, _ bool) error { return s.watch(ctx, session.watching) })
	}
	return nil
}

// signer returns whom a signature for user lets the socket speak for. Where the app
// leaves that to Hark, the auth endpoint has kept more of the user than is signed. A
// signature alone may be older than what has ended since.
func (s *Socket) signer(user protocol.User) (authz.Identity, error) {
	id := authz.Identity{ID: user.ID, Info: user.Info}
	if s.taken(user.ID) {
		return id, &protocol.Error{Message: "Already signed in as another user, connect anew to sign in as " + user.ID}
	}
	if s.app.config.Policies != nil {
		k, ok := s.redeem("")
		if ok && k.Identity.ID == user.ID {
			return k.Identity, nil
		}
		if ok || s.lapsed() {
			return id, notSignedIn(user)
		}
		if now := s.Identity(); now.ID == user.ID {
			id = now
		}
	}
	if s.overtook(id, 0) {
		return id, notSignedIn(user)
	}
	return id, nil
}

func notSignedIn(user protocol.User) error {
	return &protocol.Error{Message: "Not authorized to sign in as " + user.ID + ", ask the auth endpoint again"}
}

// lapsed reports whether an identity of the socket has ended.
func (s *Socket) lapsed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.auth.Load()
	return a != nil && a.lapsed
}

// onUser returns a subscription, under way, on the place of a user.
func (s *Socket) onUser(id string, r role) *Subscription {
	sub := &Subscription{socket: s, role: r, occupant: Occupant{Socket: s.id}}
	sub.channel = s.hub.channels.hold(s.app.place(userPlace+id), s.hub.newChannel)
	if r == roleSelf {
		sub.occupant.Member.UserID = id
	}
	return sub
}

// watch tells the client who of its watchlist is online now, in one message,
// and whatever changes from then on. When the broker could not be asked it is
// called again, and goes on where it was.
func (s *Socket) watch(ctx context.Context, watching []*Subscription) error {
	var online, offline []string
	snapshots := make([]Snapshot, len(watching))
	told := false
	for i, sub := range watching {
		if s.gone.Load() || s.revoking(sub) {
			return nil
		}
		told = told || sub.told
		sub.entered = true // an answer that is lost may have taken effect
		var err error
		if snapshots[i], err = s.hub.broker.Enter(ctx, sub.channel.place, sub.occupant); err != nil {
			return err
		}
		if told {
			continue
		}
		id := sub.channel.place.Channel[len(userPlace):]
		if sub.online = len(snapshots[i].Members) > 0; sub.online {
			online = append(online, id)
		} else {
			offline = append(offline, id)
		}
	}
	if !told {
		s.send(protocol.Join(protocol.WatchlistEvents(online, offline).Frame()))
	}
	for i, sub := range watching {
		sub.told = true
		if sub.joined.Load() {
			continue
		}
		err := sub.channel.join(sub, snapshots[i], false)
		if errors.Is(err, errStale) {
			err = s.enter(ctx, sub)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// signout ends what signin began. The connection has ended.
func (s *Socket) signout() {
	s.mu.Lock()
	session := s.session.Swap(nil)
	s.mu.Unlock()
	if session == nil {
		return
	}
	s.do(userPlace+session.user.ID, func(ctx context.Context, _ bool) error {
		s.signoutNow(ctx, session, End{By: withConnection})
		return nil
	})
}

func (s *Socket) signoutNow(ctx context.Context, session *session, why End) {
	for _, sub := range session.all() {
		s.leaveNow(ctx, sub, why)
	}
}

// userChangedLocked tells the watchers of a user that it has come online, or,
// when it has stayed away for a while, that it is offline.
func (c *Channel) userChangedLocked(d presence.Diff) {
	c.roster.Apply(d)
	if _, gone := d.Removed(); gone {
		c.goneLocked()
		return
	}
	if c.offline.IsZero() {
		c.appendLocked(entry{kind: entryFrame, frame: c.onlineFrameLocked()})
	}
	c.offline = time.Time{}
}

// goneLocked has the watchers told that the user is offline, if it does not come back
// before.
func (c *Channel) goneLocked() {
	c.offline = time.Now().Add(offlineAfter)
	c.later.add(c)
}

// onlineLocked reports whether the watchers think that the user is online: for
// a while after it has gone, too.
func (c *Channel) onlineLocked() bool { return c.roster.Len() > 0 || !c.offline.IsZero() }

// tellOfflineLocked tells the watchers that the user is offline if it is time.
func (c *Channel) tellOfflineLocked() {
	if !c.offline.IsZero() && !time.Now().Before(c.offline) {
		c.offline = time.Time{}
		c.appendLocked(entry{kind: entryFrame, frame: c.onlineFrameLocked()})
	}
}

// onlineFrameLocked says whether the user of the place is online.
func (c *Channel) onlineFrameLocked() protocol.Frame {
	id := []string{c.place.Channel[len(userPlace):]}
	if c.onlineLocked() {
		return protocol.WatchlistEvents(id, nil).Frame()
	}
	return protocol.WatchlistEvents(nil, id).Frame()
}
