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
)

// A task is one thing that a client asked for on a channel. An error means
// that the broker, or the application, could not be asked, or, with wait false,
// that it would have to wait: it is run again.
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

// hurry makes what rests on a channel be tried again at once: it has become
// needless.
func (s *Socket) hurry(channel string) {
	s.doing.Lock()
	l := s.lanes
	s.doing.Unlock()
	if l != nil {
		l.hurry(channel)
	}
}

// lanes are what waits of one socket: for each channel a queue, in the order
// in which the client asked. Channels do not wait for each other. What could not
// be done rests, and holds up its channel alone: one goroutine watches over all
// that rests of the socket.
type lanes struct {
	socket *Socket
	sooner chan struct{} // of capacity 1, never closed: something rests for less long

	mu   sync.Mutex
	room sync.Cond // waiting has become less
	// Guarded by mu.
	queues   map[string]*lane // those with a task waiting, running or resting
	ready    []*lane          // those whose first task may run
	resting  []*lane          // those whose first task could not be done
	watching bool             // there is a goroutine that watches over resting
	waiting  int              // tasks that were not tried yet
	running  int              // goroutines
	last     func()           // to be done once there are no queues; nil: nothing
}

// A lane is the queue of one channel.
type lane struct {
	channel string
	tasks   []task        // the first may be under way
	pause   time.Duration // before the next attempt at the first; 0: there was none
	due     time.Time     // when that is
}

func newLanes(s *Socket) *lanes {
	l := &lanes{socket: s, sooner: make(chan struct{}, 1), queues: make(map[string]*lane)}
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
	for l.waiting >= lanesWaiting && (l.running > 0 || l.watching) {
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
	l.startLocked()
}

// startLocked starts a goroutine if there is one to spare and something for it.
func (l *lanes) startLocked() {
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
		l.done(q, l.socket.attempt(t))
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
	if q.pause == 0 {
		l.waiting--
		l.room.Signal()
	}
	return q, q.tasks[0]
}

// done notes what has become of a lane's first task.
func (l *lanes) done(q *lane, done bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !done && !l.socket.hub.ends() {
		l.restLocked(q)
		return
	}
	l.nextLocked(q)
}

// nextLocked ends a lane's first task.
func (l *lanes) nextLocked(q *lane) {
	q.tasks, q.pause = q.tasks[1:], 0
	if len(q.tasks) > 0 {
		l.ready = append(l.ready, q)
		return
	}
	delete(l.queues, q.channel)
	if l.last != nil && len(l.queues) == 0 {
		l.last()
		l.last = nil
	}
}

// finally does f, which waits for nothing, once nothing that the socket has asked
// for is queued or under way.
func (s *Socket) finally(f func()) {
	s.doing.Lock()
	l := s.lanes
	s.doing.Unlock()
	if l == nil {
		f()
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queues) == 0 {
		f()
	} else {
		l.last = f
	}
}

// attempt runs t. It reports whether that was the last time.
func (s *Socket) attempt(t task) bool {
	ctx, cancel := s.hub.brokerContext(context.Background())
	defer cancel()
	return t(ctx, true) == nil || s.gone.Load()
}
