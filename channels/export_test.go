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
