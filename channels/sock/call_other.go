//go:build !linux || race

package sock

import "syscall"

// Write is write(2) of a socket that Go has made non-blocking. The race detector sees
// what it reads.
func Write(fd int, p []byte) (int, error) { return syscall.Write(fd, p) }

// Read is read(2) of a socket that Go has made non-blocking. The race detector sees
// what it writes.
func Read(fd int, p []byte) (int, error) { return syscall.Read(fd, p) }
