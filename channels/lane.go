package channels

import (
	"context"
	"sync"
	"time"
)

const (
	// lanesAtOnce is how many channels of one socket may wait for something at
	// the same time.
	lanesAtOnce = 8
	// lanesWaiting is how much more of one socket may wait its turn. Beyond it
	// the socket is read no further.
	lanesWaiting = 64

	// retryFirst and retryMost are the pauses between attempts while the broker
	// cannot be reached.
	retryFirst = 50 * time.Millisecond
	retryMost  = time.Second
)

// A task is one thing that a client asked for on a channel. An error means
// that the broker could not be asked, or, with wait false, that it would have
// to wait: it is run again.
type task func(ctx context.Context, wait bool) error

// do runs t after what was asked for on the channel before: at once if nothing
// has to be waited for, else in the channel's lane. It is for what the client
// asks, on the goroutine that reads the socket, and waits when too much of that
// waits already.
func (s *Socket) do(channel string, t task) {
	if l := s.atOnce(channel, t); l != nil {
		l.await()
		l.add(channel, t)
	}
}

// impose is do for what somebody else asks of the socket. It does not wait: the
// caller has a bound of its own, such as one task a subscription.
func (s *Socket) impose(channel string, t task) {
	if l := s.atOnce(channel, t); l != nil {
		l.add(channel, t)
	}
}

// atOnce runs t if it can be done at once, or returns the lanes in which it has to
// wait. While it runs, nothing else of the socket is done at once.
func (s *Socket) atOnce(channel string, t task) *lanes {
	s.doing.Lock()
	defer s.doing.Unlock()
	if s.hub.local && (s.lanes == nil || !s.lanes.busy(channel)) && t(context.Background(), false) == nil {
		return nil
	}
	if s.lanes == nil {
		s.lanes = newLanes(s)
	}
	return s.lanes
}

// lanes are what waits of one socket: for each channel a queue, in the order
// in which the client asked. Channels do not wait for each other.
type lanes struct {
	socket *Socket

	mu   sync.Mutex
	room sync.Cond // waiting has become less
	// Guarded by mu.
	queues  map[string]*lane // those with a task waiting or running
	ready   []*lane          // those with a task waiting and none running
	waiting int              // tasks
	running int              // goroutines
}

// A lane is the queue of one channel.
type lane struct {
	channel string
	tasks   []task
}

func newLanes(s *Socket) *lanes {
	l := &lanes{socket: s, queues: make(map[string]*lane)}
	l.room.L = &l.mu
	return l
}

// busy reports whether something is queued or under way on the channel.
func (l *lanes) busy(channel string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.queues[channel] != nil
}

// await waits while too much is queued already.
func (l *lanes) await() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting < lanesWaiting {
		return
	}
	l.socket.held.Store(true)
	for l.waiting >= lanesWaiting && l.running > 0 {
		l.room.Wait()
	}
	l.socket.Alive()
	l.socket.held.Store(false)
}

// add queues t.
func (l *lanes) add(channel string, t task) {
	l.mu.Lock()
	defer l.mu.Unlock()
	q := l.queues[channel]
	if q == nil {
		q = &lane{channel: channel}
		l.queues[channel] = q
		l.ready = append(l.ready, q)
	}
	q.tasks = append(q.tasks, t)
	l.waiting++
	if l.running < lanesAtOnce && len(l.ready) > 0 && l.socket.hub.Go(l.run) {
		l.running++
	}
}

// run works off lanes until none is ready.
func (l *lanes) run() {
	for {
		q, t := l.next()
		if q == nil {
			return
		}
		l.socket.attempt(t)
		l.done(q)
	}
}

func (l *lanes) next() (*lane, task) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.ready) == 0 {
		l.running--
		return nil, nil
	}
	q := l.ready[0]
	l.ready = l.ready[1:]
	t := q.tasks[0]
	q.tasks = q.tasks[1:]
	l.waiting--
	l.room.Signal()
	return q, t
}

func (l *lanes) done(q *lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(q.tasks) > 0 {
		l.ready = append(l.ready, q)
		return
	}
	delete(l.queues, q.channel)
}

// attempt runs t until it could be done, the connection has ended, or the hub
// ends.
func (s *Socket) attempt(t task) {
	for pause := retryFirst; ; pause = min(2*pause, retryMost) {
		ctx, cancel := s.hub.brokerContext(context.Background())
		err := t(ctx, true)
		cancel()
		if err == nil || s.gone.Load() {
			return
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-s.hub.ending:
			timer.Stop()
			return
		}
	}
}
