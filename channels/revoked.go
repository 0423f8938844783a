package channels

import "hark/authz"

// revokedSince reports whether the identity's permission to be on the channel, or
// for "" to be signed in, was taken back from the socket later than at a moment of
// the app. At moment 0 nothing had been taken back yet: that is how old a
// signature may be that comes without a grant.
func (s *Socket) revokedSince(channel string, id authz.Identity, moment uint64) bool {
	return false
}
