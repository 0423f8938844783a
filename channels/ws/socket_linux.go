//go:build linux && !race

package ws

import (
	"syscall"
	"unsafe"
)

// writeNow is write(2) of a socket, without waiting. It does not tell the
// scheduler that it is in a system call: that would wake the scheduler's monitor
// thread, for a call that takes a few microseconds and cannot wait.
func writeNow(fd int, p []byte) (int, error) {
	if len(p) > chunkSize { // that is more than a few microseconds
		return syscall.Write(fd, p)
	}
	return call(syscall.SYS_SENDTO, fd, p, syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL)
}

// readNow is read(2) of a socket, in the same way.
func readNow(fd int, p []byte) (int, error) {
	return call(syscall.SYS_RECVFROM, fd, p, syscall.MSG_DONTWAIT)
}

func call(number uintptr, fd int, p []byte, flags uintptr) (int, error) {
	n, _, errno := syscall.RawSyscall6(number, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), flags, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
