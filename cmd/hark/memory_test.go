package main

import (
	"bytes"
	"errors"
	"log/slog"
	"math"
	"os"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

func TestTuneMemory(t *testing.T) {
	const container = 1 << 30
	provider := memlimit.Limit(container)
	unlimited := func() (uint64, error) { return 0, memlimit.ErrNoLimit }
	unknown := func() (uint64, error) { return 0, errors.New("no cgroup") }
	// The runtime read the environment when it started: this is what is left alone.
	const startPercent, startLimit = 123, 456 << 20
	for _, tt := range []struct {
		name      string
		env       map[string]string
		container memlimit.Provider
		percent   int
		limit     int64
		logged    string
	}{
		{"a container", nil, provider, 200, container * 9 / 10, "gogc=200 limit=966367641"},
		{"no limit", nil, unlimited, 200, math.MaxInt64, "gogc=200 limit=none"},
		{"no cgroups", nil, unknown, 200, startLimit, "is not known"},
		{"GOGC", map[string]string{"GOGC": "50"}, provider, startPercent, container * 9 / 10, "gogc=50 "},
		{"GOGC is off", map[string]string{"GOGC": "off"}, provider, startPercent, container * 9 / 10, "gogc=off "},
		{"GOMEMLIMIT", map[string]string{"GOMEMLIMIT": "456MiB"}, provider, 200, startLimit, "limit=478150656"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, name := range []string{"GOGC", "GOMEMLIMIT", "AUTOMEMLIMIT"} {
				t.Setenv(name, tt.env[name]) // restores it
				if _, given := tt.env[name]; !given {
					os.Unsetenv(name)
				}
			}
			percent, limit := debug.SetGCPercent(startPercent), debug.SetMemoryLimit(startLimit)
			var log bytes.Buffer
			tuneMemory(slog.New(slog.NewTextHandler(&log, nil)), tt.container)
			gotPercent, gotLimit := debug.SetGCPercent(percent), debug.SetMemoryLimit(limit)
			if gotPercent != tt.percent || gotLimit != tt.limit {
				t.Errorf("GOGC %d and limit %d, want %d and %d", gotPercent, gotLimit, tt.percent, tt.limit)
			}
			if !strings.Contains(log.String(), tt.logged) {
				t.Errorf("logged %q, want %q in it", log.String(), tt.logged)
			}
		})
	}
}
