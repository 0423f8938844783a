package callback

import (
	"context"
	"fmt"
	"sync"

	"hark/authz"
)

// A flight is a question under way, and then its answer. Any number of callers wait for it; none of them carries it.
type flight[V any] struct {
	key    digest
	landed chan struct{} // closed when value and err are there
	value  V
	err    error
}

// wait returns the answer, unless ctx ends before there is one.
func (f *flight[V]) wait(ctx context.Context) (V, error) {
	select {
	case <-f.landed:
		return f.value, f.err
	case <-ctx.Done():
		var none V
		return none, fmt.Errorf("%w: %w", authz.ErrUnavailable, context.Cause(ctx))
	}
}

// land gives a flight its answer.
func (f *flight[V]) land(v V, err error) {
	f.value, f.err = v, err
	close(f.landed)
}

// flights are the questions under way that others may join.
type flights[V any] struct {
	mu    sync.Mutex
	byKey map[digest]*flight[V] // guarded by mu
}

func newFlights[V any]() *flights[V] { return &flights[V]{byKey: make(map[digest]*flight[V])} }

// join returns the flight of an equal question. If there is none it makes one, and the caller sees to it that it lands.
func (s *flights[V]) join(key digest) (f *flight[V], made bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, ok := s.byKey[key]; ok {
		return f, false
	}
	f = newFlight[V](key)
	s.byKey[key] = f
	return f, true
}

// newFlight returns a flight that nobody joins.
func newFlight[V any](key digest) *flight[V] {
	return &flight[V]{key: key, landed: make(chan struct{})}
}

// land gives a flight its answer; nobody joins it any more.
func (s *flights[V]) land(f *flight[V], v V, err error) {
	s.mu.Lock()
	if s.byKey[f.key] == f {
		delete(s.byKey, f.key)
	}
	s.mu.Unlock()
	f.land(v, err)
}
