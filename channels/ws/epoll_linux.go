package ws

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"time"
)

// An epoll tells which of the files it watches can be read. It is itself a file
// that Go's own poller watches, so whoever waits keeps no thread.
type epoll struct {
	fd   int
	file *os.File
	raw  syscall.RawConn

	// Owned by wait.
	try    func(fd uintptr) bool // e.tryWait, bound once
	events [eventBatch]syscall.EpollEvent
	n      int
	err    error
}

func newEpoll() (*epoll, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := syscall.SetNonblock(fd, true); err != nil { // else os gives it no poller
		return nil, errors.Join(os.NewSyscallError("fcntl", err), syscall.Close(fd))
	}
	file := os.NewFile(uintptr(fd), "epoll")
	raw, err := file.SyscallConn()
	if err == nil {
		err = file.SetReadDeadline(time.Time{})
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	e := &epoll{fd: fd, file: file, raw: raw}
	e.try = e.tryWait
	return e, nil
}

// close ends wait.
func (e *epoll) close() { e.file.Close() }

// wait puts the numbers of files that can be read, or have ended, into numbers,
// and returns how many. Each is told once, until it is watched again. numbers
// has room for eventBatch.
func (e *epoll) wait(numbers []uint64) (int, error) {
	if err := e.raw.Read(e.try); err != nil {
		return 0, err
	}
	for i, event := range e.events[:e.n] {
		numbers[i] = uint64(uint32(event.Fd)) | uint64(uint32(event.Pad))<<32
	}
	return e.n, e.err
}

// tryWait is wait's system call. It answers false when there is nothing yet.
func (e *epoll) tryWait(fd uintptr) bool {
	e.n, e.err = syscall.EpollWait(int(fd), e.events[:], 0)
	if errors.Is(e.err, syscall.EINTR) {
		e.n, e.err = 0, nil
	}
	e.n = max(e.n, 0)
	return e.n > 0 || e.err != nil
}

// watch makes wait tell number once conn can be read; again: conn has been
// watched before. A conn that is closed is forgotten. It may be called
// concurrently.
func (e *epoll) watch(conn syscall.RawConn, number uint64, again bool) error {
	w := watches.Get().(*watch)
	defer watches.Put(w)
	w.epoll, w.op = e.fd, syscall.EPOLL_CTL_ADD
	if again {
		w.op = syscall.EPOLL_CTL_MOD
	}
	w.event = syscall.EpollEvent{
		Events: syscall.EPOLLIN | syscall.EPOLLRDHUP | syscall.EPOLLONESHOT,
		Fd:     int32(number),
		Pad:    int32(number >> 32),
	}
	// Inside of Control the descriptor cannot become another file's.
	if err := conn.Control(w.control); err != nil {
		return err
	}
	return os.NewSyscallError("epoll_ctl", w.err)
}

// A watch is one call of epoll_ctl, kept so that it allocates nothing.
type watch struct {
	epoll, op int
	event     syscall.EpollEvent
	err       error
	control   func(fd uintptr)
}

var watches = sync.Pool{New: func() any {
	w := new(watch)
	w.control = func(fd uintptr) { w.err = syscall.EpollCtl(w.epoll, w.op, int(fd), &w.event) }
	return w
}}
