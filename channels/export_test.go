package channels

// Held returns how many channels this node has.
func (h *Hub) Held() int {
	n := 0
	for i := range h.channels.shards {
		shard := &h.channels.shards[i]
		shard.mu.RLock()
		n += len(shard.channels)
		shard.mu.RUnlock()
	}
	return n
}

// Revoke ends the socket's subscription on a channel, or the pending one.
func (s *Socket) Revoke(channel string) {
	if sub := s.anyOn(channel); sub != nil {
		s.revoke(sub, End{By: Revoked})
	}
}

// Recheck makes the policies be asked again about the socket's subscription.
func (s *Socket) Recheck(channel string) {
	if sub := s.anyOn(channel); sub != nil {
		s.recheck(sub)
	}
}

func (s *Socket) anyOn(channel string) *Subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sub := s.subs.find(channel); sub != nil {
		return sub
	}
	if a := s.auth.Load(); a != nil {
		return a.pending[channel]
	}
	return nil
}
