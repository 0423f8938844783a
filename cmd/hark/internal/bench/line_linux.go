package bench

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// A line is one TCP connection.
type line struct {
	loop       *loop
	fd         int // -1: closed
	number     int32
	user       user
	rest       []byte // received, but not all of a unit
	out        []byte // to be sent
	connecting bool
	armed      bool // epoll says when it can be written
	paused     bool // it is not read
}

// A user of a line gets what happens there. Bytes are its own during the call only.
type user interface {
	opened()
	take(b []byte) (n int, err error) // n: how many it needs no longer; it gets the rest again, with more
	ended(err error)                  // the line is closed; err is io.EOF or says what failed
}

// dial begins a connection. On loopback it takes one source address after the other, because each has no more than some 28 000 ports.
func (l *loop) dial(to netip.AddrPort, u user, receiveBuffer int) (*line, error) {
	family := unix.AF_INET
	if to.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open a socket: %w (ulimit -n says how many files a process may have)", err)
	}
	c := &line{loop: l, fd: fd, number: int32(l.dialed), user: u, connecting: true}
	l.dialed++
	if err := c.connect(to, receiveBuffer); err != nil {
		return nil, errors.Join(fmt.Errorf("connect to %s: %w", to, err), unix.Close(fd))
	}
	for len(l.lines) <= fd {
		l.lines = append(l.lines, make([]*line, len(l.lines)+64)...)
	}
	l.lines[fd] = c
	return c, nil
}

// perAddress is how many connections in a row have the same source address.
const perAddress = 5000

func (c *line) connect(to netip.AddrPort, receiveBuffer int) error {
	if err := unix.SetsockoptInt(c.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return err
	}
	if receiveBuffer > 0 {
		if err := unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer); err != nil {
			return err
		}
	}
	if to.Addr().Is4() && to.Addr().IsLoopback() {
		from := unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(1 + c.loop.dialed/perAddress%200)}}
		if err := unix.SetsockoptInt(c.fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
			return err
		}
		if err := unix.Bind(c.fd, &from); err != nil {
			return err
		}
	}
	if err := unix.Connect(c.fd, sockaddr(to)); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return err
	}
	return c.watch(unix.EPOLL_CTL_ADD)
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

// watch tells the kernel what to wait for on the line.
func (c *line) watch(operation int) error {
	e := unix.EpollEvent{Fd: int32(c.fd), Pad: c.number}
	if !c.paused {
		e.Events |= unix.EPOLLIN
	}
	c.armed = c.connecting || len(c.out) > 0
	if c.armed {
		e.Events |= unix.EPOLLOUT
	}
	return unix.EpollCtl(c.loop.epoll, operation, c.fd, &e)
}

// pause stops reading, or goes on with it.
func (c *line) pause(pause bool) {
	c.paused = pause
	if err := c.watch(unix.EPOLL_CTL_MOD); err != nil {
		c.loop.fail(fmt.Errorf("watch a socket: %w", err))
	}
}

// write sends b, or keeps what the kernel does not take for later. A closed line loses it.
func (c *line) write(b []byte) {
	if c.fd < 0 {
		return
	}
	waiting := c.connecting || len(c.out) > 0
	c.out = append(c.out, b...)
	if !waiting {
		c.flush()
	}
}

// flush finishes connecting, and sends what there is.
func (c *line) flush() {
	opening := c.connecting
	if opening {
		code, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && code != 0 {
			err = unix.Errno(code)
		}
		if err != nil {
			c.end(fmt.Errorf("connect: %w", err))
			return
		}
		c.connecting = false
	}
	n, err := 0, error(nil)
	if len(c.out) > 0 {
		n, err = rawWrite(c.fd, c.out)
	}
	if err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
		c.end(os.NewSyscallError("write", err))
		return
	}
	c.out = append(c.out[:0], c.out[max(n, 0):]...)
	if c.armed != (len(c.out) > 0) {
		if err := c.watch(unix.EPOLL_CTL_MOD); err != nil {
			c.end(fmt.Errorf("watch a socket: %w", err))
			return
		}
	}
	if opening {
		c.user.opened()
	}
}

// end closes the line and tells its user.
func (c *line) end(err error) {
	c.close()
	c.user.ended(err)
}

func (c *line) close() {
	if c.fd < 0 {
		return
	}
	c.loop.lines[c.fd] = nil
	_ = unix.Close(c.fd) // nothing of it is used any more
	c.fd = -1
}
