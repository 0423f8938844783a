package bench

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// A Usage is what a process and its descendants have taken so far.
type Usage struct {
	User, System time.Duration // CPU time of all threads, those that have ended included
	Resident     int64         // memory, in bytes
}

// ticks is in what parts of a second /proc counts; the kernel's interface has it fixed.
const ticks = 100

// usageOf reads what a process and its descendants take. A descendant that ends meanwhile does not count.
func usageOf(pid int) (Usage, error) {
	total, parents, err := processes(pid)
	if err != nil {
		return Usage{}, err
	}
	for child := range parents {
		if !descends(child, pid, parents) {
			continue
		}
		u, err := ownUsage(child)
		if err != nil {
			continue
		}
		total.User += u.User
		total.System += u.System
		total.Resident += u.Resident
	}
	return total, nil
}

// processes returns the usage of one and the parents of all others.
func processes(pid int) (Usage, map[int]int, error) {
	own, err := ownUsage(pid)
	if err != nil {
		return Usage{}, nil, fmt.Errorf("the server's process: %w", err)
	}
	names, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return Usage{}, nil, err
	}
	parents := map[int]int{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		if s, err := parseStat(text); err == nil && s.pid != pid {
			parents[s.pid] = s.parent
		}
	}
	return own, parents, nil
}

func descends(pid, from int, parents map[int]int) bool {
	for range len(parents) + 1 {
		parent, known := parents[pid]
		switch {
		case parent == from:
			return true
		case !known:
			return false
		}
		pid = parent
	}
	return false
}

func ownUsage(pid int) (Usage, error) {
	directory := "/proc/" + strconv.Itoa(pid)
	text, err := os.ReadFile(directory + "/stat")
	if err != nil {
		return Usage{}, err
	}
	s, err := parseStat(text)
	if err != nil {
		return Usage{}, err
	}
	status, err := os.ReadFile(directory + "/status")
	if err != nil {
		return Usage{}, err
	}
	resident, err := parseResident(status)
	return Usage{User: s.user, System: s.system, Resident: resident}, err
}

// A stat is what is used of /proc/PID/stat.
type stat struct {
	pid, parent  int
	user, system time.Duration // with those of children that were waited for
}

var errStat = errors.New("/proc/PID/stat is not as proc(5) has it")

// parseStat reads /proc/PID/stat. The name in it may hold spaces and parentheses.
func parseStat(text []byte) (stat, error) {
	pid, _, ok := bytes.Cut(text, []byte(" ("))
	end := bytes.LastIndexByte(text, ')')
	if !ok || end < 0 {
		return stat{}, errStat
	}
	fields := bytes.Fields(text[end+1:])
	const state, parent, user, childSystem = 3, 4, 14, 17 // as proc(5) counts
	if len(fields) <= childSystem-state {
		return stat{}, errStat
	}
	var n [childSystem + 1]int64
	for i := parent; i <= childSystem; i++ {
		var err error
		if n[i], err = strconv.ParseInt(string(fields[i-state]), 10, 64); err != nil && i != 9 { // flags may be unsigned
			return stat{}, errStat
		}
	}
	id, err := strconv.Atoi(string(pid))
	if err != nil {
		return stat{}, errStat
	}
	const tick = time.Second / ticks
	return stat{
		pid:    id,
		parent: int(n[parent]),
		user:   time.Duration(n[user]+n[user+2]) * tick,
		system: time.Duration(n[user+1]+n[user+3]) * tick,
	}, nil
}

// parseResident reads the memory of /proc/PID/status, in bytes; 0 if there is none, as with a process that has ended.
func parseResident(text []byte) (int64, error) {
	for line := range bytes.Lines(text) {
		value, ok := bytes.CutPrefix(line, []byte("VmRSS:"))
		if !ok {
			continue
		}
		fields := bytes.Fields(value)
		if len(fields) != 2 || string(fields[1]) != "kB" {
			return 0, errors.New("/proc/PID/status is not as proc(5) has it")
		}
		n, err := strconv.ParseInt(string(fields[0]), 10, 64)
		return n << 10, err
	}
	return 0, nil
}
