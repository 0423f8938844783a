//go:build !linux || 386 || race

package sock

import "syscall"

// Write is write(2) of a socket that Go has made non-blocking. The race detector sees
// what it reads.
func Write(fd int, p []byte) (int, error) { return syscall.Write(fd, p) }

// Read is read(2) of a socket that Go has made non-blocking. The race detector sees
// what it writes.
func Read(fd int, p []byte) (int, error) { return syscall.Read(fd, p) }

// Peek is Read that leaves the bytes where they are.
func Peek(fd int, p []byte) (int, error) {
	n, _, err := syscall.Recvfrom(fd, p, syscall.MSG_PEEK)
	return n, err
}
