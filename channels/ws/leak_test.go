package ws_test

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"hark/channels/ws"
	"hark/protocol"
)

// TestMain fails when a goroutine is left after the tests. The ends of net/http
// come a moment after them; a fuzzing process keeps some of its own.
func TestMain(m *testing.M) {
	if arg := os.Getenv(crowdEnv); arg != "" {
		if err := runCrowd(arg); err != nil {
			fmt.Fprintln(os.Stderr, "a crowd:", err)
			os.Exit(1)
		}
		return
	}
	before := runtime.NumGoroutine()
	code := m.Run()
	fuzzing := flag.Lookup("test.fuzz").Value.String() != "" || flag.Lookup("test.fuzzworker").Value.String() == "true"
	left := func() bool { return code == 0 && !fuzzing && runtime.NumGoroutine() > before }
	for end := time.Now().Add(10 * time.Second); left() && time.Now().Before(end); {
		runtime.Gosched()
	}
	if left() {
		fmt.Fprintln(os.Stderr, "goroutines are left:")
		pprof.Lookup("goroutine").WriteTo(os.Stderr, 2)
		code = 1
	}
	os.Exit(code)
}

// TestNoLeaks opens connections and ends them in every way there is. Nothing of
// them stays: no goroutine, no file.
func TestNoLeaks(t *testing.T) {
	endings := []func(k *socket, c *client){
		func(k *socket, c *client) { c.Drop() },
		func(k *socket, c *client) { c.Close() },
		func(k *socket, c *client) { c.say(fin(opClose, "\x03\xe8")); c.want(opClose, "\x03\xe8"); c.end() },
		func(k *socket, c *client) {
			k.Close(protocol.CloseReconnect, "")
			c.wantClosed(protocol.CloseReconnect)
		},
		func(k *socket, c *client) { c.say(fin(opBinary, "x")); c.wantClosed(protocol.CloseUnsupported) },
		func(k *socket, c *client) { c.say([]byte{0x80 | opText}); c.Drop() },
		func(k *socket, c *client) { // while a drain runs
			k.Send(protocol.Join(protocol.Event{Name: "e", Data: strings.Repeat("x", 100000)}.Frame()))
			c.Drop()
		},
	}
	const rounds = 40
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			var open, goroutines int
			s := serveTCP(t)
			s.ParkAfter = mode.parkAfter
			k, c := s.connect() // whatever is made once has been made
			c.Drop()
			<-k.ended
			s.wait()
			open, goroutines = openFiles(t), runtime.NumGoroutine()
			for range rounds {
				for _, end := range endings {
					k, c := s.connect()
					end(k, c)
					c.Close()
					<-k.ended
				}
			}
			s.wait()
			if n := openFiles(t); n > open {
				t.Errorf("%d files were open, %d are now", open, n)
			}
			// net/http's goroutines end a moment after the handler. A leak of one
			// ending would be a whole round of them.
			awaitGoroutines(t, goroutines+rounds/2)
			if entered, known := ws.Parking(s.Handler); entered != 0 || known != 0 {
				t.Errorf("%d connections are still registered for parking, %d known to the poller", entered, known)
			}
		})
	}
}

// openFiles is how many files this process has open.
func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatalf("this test counts open files in /proc: %v", err)
	}
	return len(list)
}

// TestGoroutinesOfIdle: a connection that does nothing has its reader and no
// other goroutine, and where it is parked it has none.
func TestGoroutinesOfIdle(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			s := serveTCP(t)
			s.ParkAfter = mode.parkAfter
			parks := mode.parkAfter >= 0 && runtime.GOOS == "linux"
			s.connect()
			const n = 50
			before := runtime.NumGoroutine()
			for range n {
				k, c := s.connect()
				k.Send(text(1))
				c.want(opText, string(payload(text(1))))
				c.say(fin(opText, "hello"))
				<-k.messages
				if parks {
					awaitParked(k)
				}
			}
			most := n + n/2 // a few of net/http may still be ending
			if parks {
				most = n / 2
			}
			awaitGoroutines(t, before+most)
		})
	}
}

// awaitGoroutines returns when there are no more than most.
func awaitGoroutines(t *testing.T, most int) {
	t.Helper()
	await(t, func() string {
		if n := runtime.NumGoroutine(); n > most {
			return fmt.Sprintf("there are %d goroutines, want at most %d", n, most)
		}
		return ""
	})
}

// await returns when nothing is wrong any more. After 20 s it fails.
func await(t *testing.T, wrong func() string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); wrong() != ""; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal(wrong())
		}
	}
}
