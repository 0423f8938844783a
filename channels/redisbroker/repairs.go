package redisbroker

import (
	"sync"
	"time"
)

// repairs are the places whose state is to be taken anew when the other nodes have
// told Redis theirs, and that have to tell Redis then who came and went.
type repairs struct {
	mu sync.Mutex
	at map[*place]time.Time // guarded by mu
}

func (r *repairs) add(p *place, in time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at == nil {
		r.at = make(map[*place]time.Time)
	}
	if _, there := r.at[p]; !there {
		r.at[p] = time.Now().Add(in)
	}
}

// due has those taken whose time it is.
func (r *repairs) due() {
	var due []*place
	r.mu.Lock()
	for p, at := range r.at {
		if !time.Now().Before(at) {
			due = append(due, p)
			delete(r.at, p)
		}
	}
	r.mu.Unlock()
	for _, p := range due {
		if !p.isGone() {
			p.resume()
			p.delivery.refresh()
		}
	}
}
