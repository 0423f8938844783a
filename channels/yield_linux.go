package channels

import "syscall"

// yield offers the processor to whoever waits for it, in this process or another one. A
// proxy, or whatever else on this machine reads what is sent, could else begin only when
// the kernel interrupts the flushers, some milliseconds later. It is called once in a pass,
// and not under pressure, so that a neighbour that never sleeps gains little by it. The
// call is raw, so that Go starts no other thread meanwhile.
func yield() { syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0) }
