package channels

import (
	"context"
	"errors"
	"sync"
	"time"

	"hark/authz"
)

const (
	// rechecksAtOnce is about how many subscriptions of an app are asked about at the
	// same time, because of a Recheck. Its policies ask somebody, maybe, and cannot be
	// asked about everybody at once.
	rechecksAtOnce = 64
	// recheckGrace is how long a subscription stays whose policies cannot be asked
	// again, and recheckAgain how far the attempts are apart.
	recheckGrace = time.Minute
	recheckAgain = 5 * time.Second
	// recheckLane begins the names of the lanes in which policies are asked again, so
	// that what the client does on the channel does not wait for them. No channel has
	// such a name.
	recheckLane = "recheck "
)

// Recheck has the app's policies asked again (authz.Recheck) about the subscriptions
// that Revoke would end, and revokes those that they do not allow any more. Where they
// cannot be asked, a subscription stays for a minute, in which they are asked again
// and again. What has been granted and is not redeemed yet is decided anew, too.
//
// It returns when the questions of this node are under way; 64 subscriptions of an
// app are asked about at the same time. In an app without Policies there is nobody
// to ask, which is an error. The others are those of Revoke.
func (a *App) Recheck(ctx context.Context, to Selector, pattern string) error {
	if a.config.Policies == nil {
		return ErrNoPolicies
	}
	return a.command(ctx, Control{Do: doRecheck, To: to, Channels: pattern})
}

// ErrNoPolicies says that an app's backend signs, and that nobody can be asked again.
var ErrNoPolicies = errors.New("channels: the app has no Policies that could be asked again, its backend signs; use Revoke or Reauthenticate")

// recheckOutdated has the policies asked again about a subscription that a Recheck
// was too early to find, and that was decided before it.
func (s *Socket) recheckOutdated(sub *Subscription) {
	if g := sub.granted; g != nil && s.outdatedSince(g.channel, g.identity, g.moment) {
		s.recheck(sub)
	}
}

// rechecks are the subscriptions that policies are to be asked about again.
type rechecks struct {
	mu sync.Mutex
	// Guarded by mu.
	waiting []*Subscription // each once
	asking  int             // goroutines
}

// add lines up subscriptions.
func (r *rechecks) add(h *Hub, subs []*Subscription) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, sub := range subs {
		if g := sub.granted; g != nil && !g.listed {
			g.listed = true
			r.waiting = append(r.waiting, sub)
		}
	}
	for range r.waiting {
		if r.asking == rechecksAtOnce || !h.Go(func() { r.run(h) }) {
			return
		}
		r.asking++
	}
}

// run asks until nobody waits, or the hub ends.
func (r *rechecks) run(h *Hub) {
	for {
		sub := r.next(h)
		if sub == nil {
			return
		}
		asked := sub.socket.recheck(sub)
		if asked == nil {
			continue
		}
		select {
		case <-asked:
		case <-h.ending:
		}
	}
}

// next returns whom to ask about; nil: the goroutine ends.
func (r *rechecks) next(h *Hub) *Subscription {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiting) == 0 || h.ends() {
		r.asking--
		return nil
	}
	sub := r.waiting[0]
	r.waiting[0] = nil
	r.waiting = r.waiting[1:]
	sub.granted.listed = false
	return sub
}

// recheck makes the policies be asked again about a subscription: it ends if they do
// not allow it any more, or cannot be asked for recheckGrace. In apps without
// Policies it does nothing. What it returns is closed when they have been asked,
// unless the hub ends before that; nil: they were not to be asked, or it is waited
// for already.
func (s *Socket) recheck(sub *Subscription) <-chan struct{} {
	if s.app.config.Policies == nil || sub.granted == nil {
		return nil
	}
	s.mu.Lock()
	waits := sub.granted.queued
	sub.granted.queued = true
	s.mu.Unlock()
	if waits {
		return nil
	}
	asked := make(chan struct{})
	s.impose(recheckLane+sub.name(), func(_ context.Context, wait bool) error {
		if !wait {
			return errWouldWait
		}
		defer close(asked)
		s.recheckNow(sub)
		return nil
	})
	return asked
}

// recheckNow is recheck's task.
func (s *Socket) recheckNow(sub *Subscription) {
	g := sub.granted
	q, id := s.begin(sub)
	if q == nil {
		return
	}
	defer s.answered(sub, q)
	var grant authz.Grant
	err := error(authz.ErrUnauthenticated)
	if !id.Expired(time.Now()) {
		grant, err = s.decide(q.ctx, g.channel, id, authz.Recheck)
	}
	if q.ctx.Err() != nil {
		return // it has ended meanwhile
	}
	now := s.hub.now()
	s.mu.Lock()
	patience := false
	switch {
	case err == nil:
		s.scheduleLocked(g, id, now, grant.TTL)
	case !isNo(err):
		if g.failing == 0 {
			g.failing = now
		}
		patience = now-g.failing < int64(recheckGrace)
		if patience {
			g.due = now + int64(recheckAgain)
			s.authLocked().armLocked(g.due)
		}
	}
	s.mu.Unlock()
	if err != nil && !patience {
		s.tellRefused(g.channel, id, err)
		s.revoke(sub, End{By: Revoked, Reason: "not allowed any more"}, "")
	}
}
