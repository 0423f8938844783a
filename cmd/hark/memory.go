package main

import (
	"log/slog"
	"math"
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// gcPercent is GOGC for a server: what it keeps is small beside the garbage that a storm of connections leaves, and half
// as many collections are worth that much memory.
const gcPercent = 200

// limitRatio is the part of a container's memory that the Go runtime may use. The rest is for the kernel's socket buffers,
// which count as well, and for what the collector does not see in time.
const limitRatio = 0.9

// tuneMemory sets how the runtime collects garbage, to what suits a server in a container of this limit, and logs it. What
// the operator says by GOGC, GOMEMLIMIT or AUTOMEMLIMIT stays.
func tuneMemory(log *slog.Logger, container memlimit.Provider) {
	gogc := slog.Int("gogc", gcPercent)
	if given := os.Getenv("GOGC"); given != "" {
		gogc = slog.String("gogc", given)
	} else {
		debug.SetGCPercent(gcPercent)
	}
	bytes, err := memlimit.Set(memlimit.WithRatio(limitRatio), memlimit.WithProvider(container))
	limit := slog.Int64("limit", bytes)
	if bytes == math.MaxInt64 {
		limit = slog.String("limit", "none")
	}
	log.Info("memory", gogc, limit)
	if err != nil {
		log.Info("the memory limit of the container is not known", "error", err)
	}
}
