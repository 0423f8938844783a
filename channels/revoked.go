package channels

import (
	"sync"
	"sync/atomic"
	"time"

	"hark/authz"
)

const (
	// revokedFor is how long it is remembered that a permission was taken back, so
	// that a grant which was decided before is not redeemed after: the time that a
	// grant lives, and a margin for deciding it.
	revokedFor = authz.GrantTTL + 15*time.Second
	// maxRevocations and revocationBytes bound what is remembered for an app, by what
	// commands count for (controlBytes). Beyond it, grants that are older than the
	// oldest of it are not redeemed, whoever they are for.
	maxRevocations  = 1024
	revocationBytes = 8 << 20
	// maxRevoked bounds the patterns that are remembered for a socket, as long as it
	// lives. Beyond it, it is closed with 4200: whatever was signed for it dies with
	// its id.
	maxRevoked = 64
)

// revocations are what was taken back in an app of late.
type revocations struct {
	any atomic.Bool // recent is not empty, or floor not 0

	mu sync.RWMutex
	// Guarded by mu.
	recent []*command // by number
	bytes  int64      // of recent
	floor  uint64     // grants of earlier moments are not redeemed
}

// note remembers what cmd takes back.
func (r *revocations) note(cmd *command) {
	cmd.taken = time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pruneLocked(cmd.taken)
	switch {
	case cmd.lost:
		r.floor = cmd.number
		r.recent, r.bytes = nil, 0
	case cmd.Do == doRevoke, cmd.Do == doRecheck, cmd.Do == doReauthenticate, cmd.Do == doTerminate:
		r.recent = append(r.recent, cmd)
		r.bytes += cmd.bytes
	}
	for len(r.recent) > maxRevocations || r.bytes > revocationBytes {
		r.floor = r.recent[0].number
		r.forgetLocked(1)
	}
	r.any.Store(len(r.recent) > 0 || r.floor > 0)
}

// begin says where the app's commands stand when this node begins. What was decided
// before, by other nodes, is decided again: this node does not know what has been
// taken back since.
func (a *App) begin(number uint64) {
	r := &a.revocations
	r.mu.Lock()
	defer r.mu.Unlock()
	r.floor = max(r.floor, number)
	r.any.Store(true)
	a.moment.Store(max(a.moment.Load(), number))
}

func (r *revocations) pruneLocked(now time.Time) {
	n := 0
	for n < len(r.recent) && now.Sub(r.recent[n].taken) >= revokedFor {
		n++
	}
	r.forgetLocked(n)
}

// forgetLocked forgets the oldest n.
func (r *revocations) forgetLocked(n int) {
	for _, cmd := range r.recent[:n] {
		r.bytes -= cmd.bytes
	}
	clear(r.recent[:n])
	r.recent = r.recent[n:]
}

// revokedSince reports whether the permission for the channel that a socket was
// given at a moment, speaking for id, has been taken back since. At moment 0 it is a
// signature, which may be as old as the socket.
//
// For a subscription it is asked after that is among the socket's: then either this
// finds a revocation, or the revocation finds the subscription.
func (s *Socket) revokedSince(channel string, id authz.Identity, moment uint64) bool {
	r := &s.app.revocations
	return r.any.Load() && (s.hasRevoked(channel, id, moment) || r.since(s, id, moment, func(cmd *command) bool { return cmd.revokes(channel) }))
}

// outdatedSince reports whether a decision that began at a moment is to be made
// again. Whatever is revoked is outdated.
func (s *Socket) outdatedSince(channel string, id authz.Identity, moment uint64) bool {
	r := &s.app.revocations
	return r.any.Load() && (s.hasRevoked(channel, id, moment) || r.since(s, id, moment, func(cmd *command) bool { return cmd.outdates(channel) }))
}

// since reports whether there was a command since a moment that is for the socket,
// if it speaks for id, and for what is asked for.
func (r *revocations) since(s *Socket, id authz.Identity, moment uint64, asked func(*command) bool) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if moment == 0 {
		moment = s.born
	} else if moment < r.floor {
		return true
	}
	now := time.Now()
	for _, cmd := range r.recent {
		if cmd.number > moment && now.Sub(cmd.taken) < revokedFor && asked(cmd) && cmd.to.matchesAs(s, id) {
			return true
		}
	}
	return false
}

// overtook closes the socket, which has just come to speak for id, if such
// connections were closed after a moment: that at which it began to be asked who it
// is, or, at 0, that at which it connected. It reports whether it did.
func (s *Socket) overtook(id authz.Identity, moment uint64) bool {
	r := &s.app.revocations
	if !r.any.Load() {
		return false
	}
	if moment == 0 {
		moment = s.born
	}
	r.mu.RLock()
	again, never := moment < r.floor, (*command)(nil)
	for _, cmd := range r.recent {
		if cmd.number <= moment || !cmd.closes() || !cmd.to.matchesAs(s, id) {
			continue
		}
		again = true
		if cmd.Do == doTerminate {
			never = cmd
		}
	}
	r.mu.RUnlock()
	switch {
	case never != nil:
		s.obey(never)
	case again:
		s.reauthenticate()
	}
	return again
}

// closes reports whether cmd closes connections.
func (cmd *command) closes() bool { return cmd.Do == doReauthenticate || cmd.Do == doTerminate }

// revokes reports whether cmd takes permissions for a channel back.
func (cmd *command) revokes(channel string) bool {
	_, ok := cmd.channels.Match(channel)
	return ok && cmd.Do == doRevoke
}

// outdates reports whether decisions about a channel that are older than cmd are to
// be made again.
func (cmd *command) outdates(channel string) bool {
	_, ok := cmd.channels.Match(channel)
	return ok || cmd.closes()
}

// A taking is what a socket remembers of a revocation.
type taking struct {
	channels authz.Pattern
	number   uint64
	of       string // the user whose permissions these were; "": whoever's
}

// hasRevoked reports whether a permission that id had at that moment has been taken
// back from this very socket.
func (s *Socket) hasRevoked(channel string, id authz.Identity, moment uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.revoked == nil {
		return false
	}
	for _, t := range *s.revoked {
		if _, ok := t.channels.Match(channel); ok && t.number > moment && (t.of == "" || t.of == id.ID) {
			return true
		}
	}
	return false
}

// rememberLocked notes what has been taken back from the socket. It returns false
// if that is too much to remember. The caller must hold s.mu.
func (s *Socket) rememberLocked(t *taking) bool {
	if s.revoked == nil {
		s.revoked = new([]*taking)
	}
	for i, old := range *s.revoked {
		if old.channels.String() == t.channels.String() && old.of == t.of {
			(*s.revoked)[i] = t
			return true
		}
	}
	if len(*s.revoked) == maxRevoked {
		return false
	}
	*s.revoked = append(*s.revoked, t)
	return true
}
