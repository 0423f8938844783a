//go:build !linux || race

package ws

import "syscall"

// writeNow and readNow are write(2) and read(2) of a socket, which Go has made
// non-blocking. The race detector sees what they read and write.
func writeNow(fd int, p []byte) (int, error) { return syscall.Write(fd, p) }
func readNow(fd int, p []byte) (int, error)  { return syscall.Read(fd, p) }
