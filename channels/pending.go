package channels

// pendingLocked reports whether the policies are still to be asked about sub.
func (s *Socket) pendingLocked(sub *Subscription) bool {
	a := s.auth.Load()
	return a != nil && a.pending[sub.granted.channel] == sub
}

// dropLocked makes a pending subscription come to nothing. It reports whether
// there was one.
func (s *Socket) dropLocked(channel string) bool {
	a := s.auth.Load()
	if a == nil || a.pending[channel] == nil {
		return false
	}
	if q := a.pending[channel].granted.asking; q != nil {
		q.end()
	}
	delete(a.pending, channel)
	return true
}

// giveUpLocked ends all that is being asked about the socket, which has ended, and
// about its subscriptions.
func (s *Socket) giveUpLocked(subs subscriptions) {
	a := s.auth.Load()
	if a == nil {
		return
	}
	for channel := range a.pending {
		s.dropLocked(channel)
	}
	for sub := range subs.all {
		if g := sub.granted; g != nil && g.asking != nil {
			g.asking.end()
		}
	}
	a.grants = nil
}

// askedForLocked returns how many channels the client has asked for, and whether
// one of them is this.
func (s *Socket) askedForLocked(channel string) (n int, this bool) {
	n, this = s.subs.len(), s.subs.find(channel) != nil
	if a := s.auth.Load(); a != nil {
		n += len(a.pending)
		this = this || a.pending[channel] != nil
	}
	return n, this
}
