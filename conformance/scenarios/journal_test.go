package scenarios

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// A journal keeps what happened to a client, in order. It may be used concurrently.
type journal struct {
	mu      sync.Mutex
	entries []heard       // guarded by mu
	grown   chan struct{} // closed when there is another entry; replaced under mu
	read    map[string]int
}

func newJournal() *journal {
	return &journal{grown: make(chan struct{}), read: make(map[string]int)}
}

func (j *journal) add(h heard) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, h)
	close(j.grown)
	j.grown = make(chan struct{})
}

// next returns the next entry about on that was not read yet, or reports that there is none within the time.
func (j *journal) next(on string, within time.Duration) (heard, bool) {
	timeout := time.After(within)
	for {
		h, found, grown := j.tryNext(on)
		if found {
			return h, true
		}
		select {
		case <-grown:
		case <-timeout:
			return heard{}, false
		}
	}
}

func (j *journal) tryNext(on string) (heard, bool, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for i := j.read[on]; i < len(j.entries); i++ {
		if j.entries[i].On == on {
			j.read[on] = i + 1
			return j.entries[i], true, nil
		}
	}
	j.read[on] = len(j.entries)
	return heard{}, false, j.grown
}

// all returns what there is about on, read or not; "": about everything.
func (j *journal) all(on string) []heard {
	j.mu.Lock()
	defer j.mu.Unlock()
	var found []heard
	for _, h := range j.entries {
		if on == "" || h.On == on {
			found = append(found, h)
		}
	}
	return found
}

// String returns a line for each entry.
func (j *journal) String() string {
	var b strings.Builder
	for _, h := range j.all("") {
		at := time.UnixMilli(int64(h.At))
		fmt.Fprintf(&b, "%s  %s: %s\n", at.Format("05.000"), h.On, h)
	}
	return b.String()
}

// The journal is what every scenario leans on.
func TestJournal(t *testing.T) {
	j := newJournal()
	go func() {
		for _, h := range []heard{{On: "b", Event: "1"}, {On: "a", Event: "2"}, {On: "b", Event: "3"}} {
			j.add(h)
		}
	}()
	var got []string
	for _, on := range []string{"a", "b", "b"} {
		h, _ := j.next(on, time.Minute)
		got = append(got, h.Event)
	}
	if text := strings.Join(got, " "); text != "2 1 3" {
		t.Errorf("got %s, want 2 1 3", text)
	}
	if h, ok := j.next("b", 0); ok {
		t.Errorf("%v was read twice", h)
	}
	if n := len(j.all("b")); n != 2 {
		t.Errorf("%d entries about b, want 2", n)
	}
}
