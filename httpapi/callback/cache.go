package callback

import (
	"hash/maphash"
	"sync"
	"time"
)

// maxRemembered is how large an answer may be, in bytes, to be remembered.
const maxRemembered = 8 << 10

// A cache remembers answers that were a yes, for as long as they allow it.
type cache[V any] struct {
	longest time.Duration
	most    int
	epochs  *epochs

	mu      sync.Mutex
	entries map[digest]entry[V] // guarded by mu
}

// An entry is one answer.
type entry[V any] struct {
	value V
	user  string    // whom it is about
	asked epoch     // when it was asked for
	at    time.Time // when it came
	until time.Time
}

func newCache[V any](c Config, e *epochs) *cache[V] {
	return &cache[V]{longest: c.MaxCache, most: c.CacheEntries, epochs: e, entries: make(map[digest]entry[V])}
}

// get returns an answer, and how old it is.
func (c *cache[V]) get(key digest) (V, time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	now := time.Now()
	if ok && now.Before(e.until) && !c.epochs.ended(e.user, e.asked) {
		return e.value, now.Sub(e.at), true
	}
	delete(c.entries, key)
	var none V
	return none, 0, false
}

// put remembers an answer about a user for a time. Where there is no room another one is forgotten, whichever.
func (c *cache[V]) put(key digest, v V, user string, asked epoch, ttl time.Duration) {
	ttl = min(ttl, c.longest)
	if ttl <= 0 || c.epochs.ended(user, asked) {
		return
	}
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.entries[key]; !ok && len(c.entries) >= c.most {
		for other := range c.entries {
			delete(c.entries, other)
			break
		}
	}
	c.entries[key] = entry[V]{v, user, asked, now, now.Add(ttl)}
}

// An epoch is a moment between two invalidations.
type epoch uint64

// epochs know which users were invalidated when. They keep that for users together whose ids have the same hash, so that
// their size is bounded; now and then somebody's answers are forgotten with somebody else's.
type epochs struct {
	seed maphash.Seed

	mu sync.Mutex
	// Guarded by mu.
	now   epoch
	all   epoch // when all were invalidated
	users [1024]epoch
}

func newEpochs() *epochs { return &epochs{seed: maphash.MakeSeed()} }

// current returns the epoch that it is.
func (e *epochs) current() epoch {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.now
}

// of returns the epoch in which what is known about a user began.
func (e *epochs) of(user string) epoch {
	e.mu.Lock()
	defer e.mu.Unlock()
	return max(e.all, *e.userLocked(user))
}

// ended reports whether a user was invalidated since then.
func (e *epochs) ended(user string, since epoch) bool { return e.of(user) > since }

// end invalidates a user; "": all.
func (e *epochs) end(user string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.now++
	if user == "" {
		e.all = e.now
	} else {
		*e.userLocked(user) = e.now
	}
}

func (e *epochs) userLocked(user string) *epoch {
	return &e.users[maphash.String(e.seed, user)%uint64(len(e.users))]
}
