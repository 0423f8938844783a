package redistest

import "syscall"

// withParent has the kernel end a server whose test was killed and could clean up
// nothing.
func withParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
