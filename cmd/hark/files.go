package main

import (
	"fmt"
	"syscall"
)

// raiseFiles raises the number of files that the process may have open to what the system allows, and returns it. Every
// connection takes one. The Go runtime does the same at its start, but not in every version and not on every system.
func raiseFiles() (uint64, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("read the limit of open files: %w", err)
	}
	if limit.Cur < limit.Max {
		wanted := syscall.Rlimit{Cur: limit.Max, Max: limit.Max}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &wanted); err != nil {
			return limit.Cur, fmt.Errorf("raise the limit of open files to %d: %w", limit.Max, err)
		}
		limit.Cur = limit.Max
	}
	return limit.Cur, nil
}
