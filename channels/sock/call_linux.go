//go:build linux && !386 && !race

package sock

import (
	"syscall"
	"unsafe"
)

// long is how many bytes may take the kernel longer than a few microseconds.
const long = 16 << 10

// Write is write(2) of a socket that Go has made non-blocking.
func Write(fd int, p []byte) (int, error) {
	if len(p) > long {
		return syscall.Write(fd, p)
	}
	return call(syscall.SYS_SENDTO, fd, p, syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL)
}

// Read is read(2) of a socket that Go has made non-blocking. However long p is, it reads
// no more than the kernel copies in a few microseconds.
func Read(fd int, p []byte) (int, error) {
	return call(syscall.SYS_RECVFROM, fd, p[:min(len(p), long)], syscall.MSG_DONTWAIT)
}

// Peek is Read that leaves the bytes where they are.
func Peek(fd int, p []byte) (int, error) {
	return call(syscall.SYS_RECVFROM, fd, p, syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
}

func call(number uintptr, fd int, p []byte, flags uintptr) (int, error) {
	n, _, errno := syscall.RawSyscall6(number, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), flags, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
