package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	readBuffer = 256 << 10              // bytes
	readyAtOne = 1024                   // sockets that one wait returns
	wakeUp     = 100 * time.Millisecond // how often a waiting loop looks whether it should go on
)

// A loop is the sockets of one thread, and its clock. It is used by one goroutine.
type loop struct {
	epoll, timer int
	began        time.Time
	now          time.Duration // of what is being handled, since the loop began
	moved        time.Duration // when something that was waited for last happened
	lines        []*line       // by file descriptor
	dialed       int
	reads        int // that brought something
	ready        []unix.EpollEvent
	buffer       []byte
	wake         time.Duration // when to call tick; 0: not at all
	tick         func()
	failed       error // why it cannot go on
}

func newLoop() (*loop, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make an epoll set: %w", err)
	}
	timer, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make a timer: %w", err), unix.Close(epoll))
	}
	l := &loop{
		epoll:  epoll,
		timer:  timer,
		began:  time.Now(),
		ready:  make([]unix.EpollEvent, readyAtOne),
		buffer: make([]byte, readBuffer),
		tick:   func() {},
	}
	if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, timer, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(timer)}); err != nil {
		l.close()
		return nil, fmt.Errorf("watch a timer: %w", err)
	}
	return l, nil
}

// close closes all lines, without a word to their users.
func (l *loop) close() {
	for _, line := range l.lines {
		if line != nil {
			line.close()
		}
	}
	_, _ = unix.Close(l.timer), unix.Close(l.epoll)
}

// fail makes run return err, if it is the first.
func (l *loop) fail(err error) {
	if l.failed == nil {
		l.failed = err
	}
}

// errStalled says that nothing more came.
var errStalled = errors.New("the server does not go on")

// run serves the lines until done says so. It returns errStalled when nothing was waited for successfully for the time of patience.
func (l *loop) run(ctx context.Context, patience time.Duration, done func() bool) error {
	l.now = time.Since(l.began)
	l.moved = l.now
	for l.failed == nil && !done() {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := unix.EpollWait(l.epoll, l.ready, int(wakeUp/time.Millisecond))
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("wait for sockets: %w", err)
		}
		l.now = time.Since(l.began)
		l.fire()
		for i := range max(n, 0) {
			l.serve(&l.ready[i])
			l.fire() // what is due does not wait until all that is ready has been read
		}
		if l.now-l.moved > patience {
			return errStalled
		}
	}
	return l.failed
}

// forever is the patience of who waits for time to pass.
const forever = time.Duration(math.MaxInt64)

// runUntil is run to a point in time.
func (l *loop) runUntil(ctx context.Context, end time.Duration) error {
	return l.run(ctx, forever, func() bool { return l.now >= end })
}

// fire calls tick when it is time.
func (l *loop) fire() {
	if l.wake != 0 && l.now >= l.wake {
		l.wake = 0
		l.tick()
	}
}

// wakeAt lets tick be called at a time of the loop's clock, or soon if it is over.
func (l *loop) wakeAt(at time.Duration) {
	l.wake = max(at, 1)
	in := max(at-time.Since(l.began), 1) // 0 would switch it off
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(in))}
	if err := unix.TimerfdSettime(l.timer, 0, &spec, nil); err != nil {
		l.fail(fmt.Errorf("set a timer: %w", err))
	}
}

func (l *loop) serve(e *unix.EpollEvent) {
	if int(e.Fd) == l.timer {
		var expired [8]byte
		_, _ = unix.Read(l.timer, expired[:]) // fails if it was set again meanwhile
		return
	}
	line := l.lines[e.Fd]
	if line == nil || line.number != e.Pad {
		return // closed by what was handled before in this round
	}
	if line.connecting || e.Events&unix.EPOLLOUT != 0 {
		line.flush()
	}
	if line.fd >= 0 && !line.paused && !line.connecting && e.Events&^unix.EPOLLOUT != 0 {
		l.read(line)
	}
}

// read reads once: what is left makes the line ready again.
func (l *loop) read(c *line) {
	kept := copy(l.buffer, c.rest)
	if kept == len(l.buffer) {
		l.buffer = append(l.buffer, make([]byte, len(l.buffer))...)
	}
	n, err := rawRead(c.fd, l.buffer[kept:])
	switch {
	case errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR):
		return
	case err != nil:
		c.end(os.NewSyscallError("read", err))
		return
	case n == 0:
		c.end(io.EOF)
		return
	}
	l.now = time.Since(l.began)
	l.reads++
	b := l.buffer[:kept+n]
	used, err := c.user.take(b)
	if err != nil {
		c.end(err)
		return
	}
	c.rest = append(c.rest[:0], b[used:]...)
}
