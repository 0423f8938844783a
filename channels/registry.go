package channels

import (
	"hash/maphash"
	"sync"
)

// registryShards is how many locks the names of places are spread over.
const registryShards = 64

// A registry holds the channels of this node by their place.
type registry struct {
	seed   maphash.Seed
	shards [registryShards]registryShard
}

type registryShard struct {
	mu       sync.RWMutex
	channels map[Place]*Channel
}

func newRegistry() *registry {
	r := &registry{seed: maphash.MakeSeed()}
	for i := range r.shards {
		r.shards[i].channels = make(map[Place]*Channel)
	}
	return r
}

func (r *registry) shard(p Place) *registryShard {
	return &r.shards[p.hash(r.seed)%registryShards]
}

// find returns the channel at p, or nil if nobody here is on it.
func (r *registry) find(p Place) *Channel {
	shard := r.shard(p)
	shard.mu.RLock()
	defer shard.mu.RUnlock()
	return shard.channels[p]
}

// hold returns the channel at p, made by make if it is not there, and keeps it
// until release has been called as often.
func (r *registry) hold(p Place, make func(Place) *Channel) *Channel {
	shard := r.shard(p)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	c := shard.channels[p]
	if c == nil {
		c = make(p)
		shard.channels[p] = c
	}
	c.refs++
	c.unheld.Store(false)
	return c
}

// release undoes one hold.
func (r *registry) release(c *Channel) {
	shard := r.shard(c.place)
	shard.mu.Lock()
	c.refs--
	c.unheld.Store(c.refs == 0)
	shard.mu.Unlock()
	r.forget(c)
}

// forget drops a channel that nobody holds and whose lists are empty: whoever
// came back before that must find what is still to be sent, or would hear it
// after what is newer.
func (r *registry) forget(c *Channel) {
	if !c.unheld.Load() {
		return
	}
	shard := r.shard(c.place)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if c.refs == 0 && c.drained() && shard.channels[c.place] == c {
		delete(shard.channels, c.place)
	}
}
