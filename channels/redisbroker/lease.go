package redisbroker

import (
	"context"
	"sync"
	"time"
)

// A lease is until when this node may hand over what it hears. One that was paused for
// longer reads first what has been taken back meanwhile.
type lease struct {
	mu     sync.Mutex
	until  time.Time     // guarded by mu
	turned chan struct{} // closed when it has become longer; guarded by mu
}

// holds reports whether what is heard may be handed over.
func (l *lease) holds() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Now().Before(l.until)
}

// await waits until the lease holds. It returns false if ctx ended.
func (l *lease) await(ctx context.Context) bool {
	for {
		l.mu.Lock()
		holds, turned := time.Now().Before(l.until), l.turned
		l.mu.Unlock()
		if holds {
			return true
		}
		select {
		case <-turned:
		case <-ctx.Done():
			return false
		}
	}
}

func (l *lease) extend(until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.until = until
	close(l.turned)
	l.turned = make(chan struct{})
}
