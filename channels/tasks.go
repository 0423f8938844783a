package channels

import "sync"

// tasks are goroutines that come and go with connections, and that a hub waits
// for when it ends.
type tasks struct {
	mu   sync.Mutex
	idle sync.Cond
	// Guarded by mu.
	n     int
	ended bool
}

func (t *tasks) start(f func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return false
	}
	t.n++
	go func() {
		defer t.done()
		f()
	}()
	return true
}

func (t *tasks) done() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n--
	if t.n == 0 {
		t.idle.Broadcast()
	}
}

// wait returns when no task runs, and lets none start from then on.
func (t *tasks) wait() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.n > 0 {
		t.idle.Wait()
	}
	t.ended = true
}
