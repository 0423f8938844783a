package channels

import "slices"

// lowest keeps of many keys the lowest behind a cursor, each with a value, in memory
// for twice as many as are wanted.
type lowest[V any] struct {
	after string
	limit int
	// bound is the highest key that is still wanted, once there were more than limit.
	bound  string
	more   bool
	keys   []string // of values, in no order
	values map[string]V
}

func newLowest[V any](after string, limit int) *lowest[V] {
	return &lowest[V]{after: after, limit: limit, values: make(map[string]V)}
}

// wants reports whether a key is among the lowest so far. One that is not will not be.
func (l *lowest[V]) wants(key string) bool { return key > l.after && (!l.more || key <= l.bound) }

// set gives a key that is wanted a value.
func (l *lowest[V]) set(key string, v V) {
	if _, there := l.values[key]; !there {
		l.keys = append(l.keys, key)
	}
	l.values[key] = v
	if len(l.keys) > 2*l.limit {
		l.cut()
	}
}

// cut lets go of what is more than limit, and returns the keys that are left, in order.
func (l *lowest[V]) cut() []string {
	slices.Sort(l.keys)
	if len(l.keys) <= l.limit {
		return l.keys
	}
	for _, key := range l.keys[l.limit:] {
		delete(l.values, key)
	}
	l.keys = l.keys[:l.limit]
	l.bound, l.more = l.keys[l.limit-1], true
	return l.keys
}
