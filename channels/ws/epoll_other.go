//go:build !linux

package ws

import (
	"errors"
	"syscall"
)

// An epoll is what Linux has, and other systems do not: there every connection
// has a goroutine that reads.
type epoll struct{}

func newEpoll() (*epoll, error) { return nil, errors.ErrUnsupported }

func (*epoll) close() {}

func (*epoll) wait([]uint64) (int, error) { return 0, errors.ErrUnsupported }

func (*epoll) watch(syscall.RawConn, uint64, bool) error { return errors.ErrUnsupported }
