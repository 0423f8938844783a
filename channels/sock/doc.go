// Package sock reads and writes sockets without waking the scheduler's monitor.
//
// Go tells its scheduler before a system call, which then wakes a monitor thread if the
// process was idle: it takes the processor away from calls that last. A call to a
// socket that cannot wait takes a few microseconds, and a server that is idle between
// two events would wake that thread at each. So calls here do not tell the scheduler.
// They are for sockets only, and for no more at a time than the kernel copies at once:
// a longer write goes the usual way, and a read leaves the rest for the next one.
//
// That is so on Linux, but for 386, which Go knows no number of these calls for. Elsewhere,
// and for the race detector, calls are the usual ones.
package sock
