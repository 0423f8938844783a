package bench

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// rawRead is read(2) of a socket that does not block. As an ordinary system call it would keep a thread of the Go runtime
// awake that looks for calls which take long: up to a tenth of a processor, on the machine that is measured.
func rawRead(fd int, p []byte) (int, error) { return raw(unix.SYS_READ, fd, p) }

// rawWrite is write(2), likewise.
func rawWrite(fd int, p []byte) (int, error) { return raw(unix.SYS_WRITE, fd, p) }

func raw(call uintptr, fd int, p []byte) (int, error) {
	n, _, errno := unix.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
