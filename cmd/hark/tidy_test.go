package main

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

func TestWorthTidying(t *testing.T) {
	const mib = 1 << 20
	before := heap{allocated: 1000 * mib}
	for _, tt := range []struct {
		name string
		now  heap
		want bool
	}{
		{"a storm goes on", heap{allocated: 1100 * mib, objects: 200 * mib, live: 80 * mib}, false},
		{"it is over", heap{allocated: 1000*mib + 1000, objects: 200 * mib, live: 80 * mib}, true},
		{"the garbage is collected, and kept", heap{allocated: 1000 * mib, objects: 80 * mib, live: 80 * mib, free: 120 * mib}, true},
		{"it has been tidied", heap{allocated: 1000 * mib, objects: 80 * mib, live: 80 * mib}, false},
		{"a small server", heap{allocated: 1000 * mib, objects: 9 * mib, live: 2 * mib}, false},
		{"a little of much", heap{allocated: 1000 * mib, objects: 1020 * mib, live: 1000 * mib}, false},
		{"less than was in use", heap{allocated: 1000 * mib, objects: 70 * mib, live: 80 * mib}, false},
	} {
		if got := tt.now.worthTidying(before); got != tt.want {
			t.Errorf("%s: %t, want %t", tt.name, got, tt.want)
		}
	}
}

// What is garbage is given back a little later, and tidyMemory ends with its context.
func TestTidyMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { tidyMemory(ctx); close(ended) }()
		synctest.Wait()
		garbage := make([]byte, 64<<20)
		runtime.GC() // it is in use now
		runtime.KeepAlive(garbage)
		time.Sleep(3 * tidyEvery)
		synctest.Wait()
		if h := readHeap(); h.free+h.objects-min(h.objects, h.live) > 32<<20 {
			t.Errorf("garbage was kept: %+v", h)
		}
		cancel()
		<-ended
	})
}
