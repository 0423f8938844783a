package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// tidyEvery is how often the heap is looked at.
	tidyEvery = time.Second
	// tidyCalm is how many bytes a server allocates between two looks, at most, that has nothing much to do.
	tidyCalm = 1 << 20
	// tidyWorth is how many bytes are worth a collection, at least, and tidyShare which part of what is in use is.
	tidyWorth = 8 << 20
	tidyShare = 8
)

// tidyMemory gives memory back to the system when a storm of connections is over. What the storm leaves is garbage, which
// Go keeps until as much again has been allocated, or for minutes: connections that are silent then would seem to take
// half as much again. It returns when ctx ends.
func tidyMemory(ctx context.Context) {
	ticker := time.NewTicker(tidyEvery)
	defer ticker.Stop()
	before := readHeap()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		now := readHeap()
		if now.worthTidying(before) {
			debug.FreeOSMemory()
			now = readHeap()
		}
		before = now
	}
}

// A heap is what the runtime says of its heap, in bytes.
type heap struct {
	allocated uint64 // since the process began
	objects   uint64 // in use, or garbage
	live      uint64 // in use when it was collected last
	free      uint64 // kept for later
}

func readHeap() heap {
	samples := []metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(samples)
	return heap{samples[0].Value.Uint64(), samples[1].Value.Uint64(), samples[2].Value.Uint64(), samples[3].Value.Uint64()}
}

// worthTidying reports whether it has become calm since before, and a collection may free enough.
func (h heap) worthTidying(before heap) bool {
	kept := h.free
	if h.objects > h.live {
		kept += h.objects - h.live
	}
	return h.allocated-before.allocated < tidyCalm && kept >= max(tidyWorth, h.live/tidyShare)
}
