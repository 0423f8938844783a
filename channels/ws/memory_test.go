//go:build !race && linux

package ws_test

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"hark/channels/hubtest"
	"hark/channels/ws"
)

// TestMemoryAndLeaksOfMany: what 10 000 silent clients with a subscription each
// cost the server, in bytes and in goroutines, and that nothing is left of them
// once they have all gone at once. It guards against what coder, net/http or Go
// may change, too.
func TestMemoryAndLeaksOfMany(t *testing.T) {
	const clients = 10000
	for _, test := range []struct {
		name       string
		parkAfter  time.Duration
		bytes      int // at most, each
		goroutines int // each
	}{
		{"parked", 0, 5 << 10, 0},
		{"a goroutine each", -1, 10 << 10, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := hubtest.Config()
			c.ActivityTimeout = time.Hour // the clients say nothing
			h := ws.New(hubtest.Start(t, c))
			h.ParkAfter = test.parkAfter
			ln, _ := listenTCP(t)
			serve(t, ln, h)
			debug.FreeOSMemory()
			files, goroutines, resident := openFiles(t), runtime.NumGoroutine(), residentBytes(t)

			crowd := newCrowd(t, ln.Addr().String(), clients)
			awaitGoroutines(t, goroutines+test.goroutines*clients+clients/100) // net/http's end a moment later
			afterwards := residentBytes(t)
			debug.FreeOSMemory()
			each := (residentBytes(t) - resident) / clients
			t.Logf("%d bytes each; before a garbage collection %d", each, (afterwards-resident)/clients)
			if each > test.bytes {
				t.Errorf("an idle connection takes %d bytes, want at most %d", each, test.bytes)
			}

			crowd.say() // wakes them all
			crowd.leave()
			awaitGoroutines(t, goroutines+5) // the poller; net/http's
			await(t, func() string {
				entered, known := ws.Parking(h)
				if n := openFiles(t); n > files+2 || entered+known > 0 {
					return fmt.Sprintf("%d files were open, %d are now; %d connections may be parked, the poller knows %d", files, n, entered, known)
				}
				return ""
			})
		})
	}
}

// residentBytes is how much memory of this process is resident.
func residentBytes(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatalf("this test reads its memory in /proc: %v", err)
	}
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	var kib int
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		t.Fatalf("/proc/self/status has no VmRSS: %v", err)
	}
	return kib << 10
}
