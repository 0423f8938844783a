package channels

import "time"

const (
	// retryFirst and retryMost are about how long something rests between two
	// attempts at it.
	retryFirst = 50 * time.Millisecond
	retryMost  = time.Second
	// retryTogether is how long the watch over what rests pauses at least: what is due
	// by then is tried together.
	retryTogether = 10 * time.Millisecond
)

// restLocked puts a lane aside whose first task could not be done.
func (l *lanes) restLocked(q *lane) {
	q.pause = min(max(2*q.pause, retryFirst), retryMost)
	q.due = time.Now().Add(jittered(q.pause))
	l.resting = append(l.resting, q)
	if !l.watching {
		l.watching = l.socket.hub.Go(l.watch)
		return
	}
	l.signal()
}

// signal tells watch that something is due sooner than it thinks.
func (l *lanes) signal() {
	select {
	case l.sooner <- struct{}{}:
	default:
	}
}

// hurry ends the rest of a channel.
func (l *lanes) hurry(channel string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if q := l.queues[channel]; q != nil {
		q.due = time.Time{}
		l.signal()
	}
}

// watch makes what rests ready again when its time is over, until nothing rests any
// more. When the hub ends nothing is tried again.
func (l *lanes) watch() {
	for {
		pause, more := l.wake()
		if !more {
			return
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-l.sooner:
		case <-l.socket.hub.ending:
		}
		timer.Stop()
	}
}

// wake makes what is due ready, and returns how long the others rest; false:
// nothing rests.
func (l *lanes) wake() (pause time.Duration, more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, ended := time.Now(), l.socket.hub.ends()
	pause = retryMost
	still := l.resting[:0]
	for _, q := range l.resting {
		left := q.due.Sub(now)
		switch {
		case ended:
			l.nextLocked(q)
		case left > 0:
			pause = min(pause, left)
			still = append(still, q)
			continue
		default:
			l.ready = append(l.ready, q)
		}
		l.startLocked()
	}
	clear(l.resting[len(still):])
	l.resting = still
	l.watching = len(still) > 0
	return max(pause, retryTogether), l.watching
}
