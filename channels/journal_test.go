package channels_test

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"hark/channels"
	"hark/channels/hubtest"
)

// A journal is what hooks write down.
type journal struct {
	t     *testing.T
	mu    sync.Mutex
	lines []string
}

func (j *journal) note(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, fmt.Sprintf(format, args...))
}

// Write makes a journal the output of a logger.
func (j *journal) Write(b []byte) (int, error) {
	j.note("%s", b)
	return len(b), nil
}

// take waits until nothing moves any more and returns what was noted since.
func (j *journal) take() []string {
	synctest.Wait()
	j.mu.Lock()
	defer j.mu.Unlock()
	lines := j.lines
	j.lines = nil
	return lines
}

func (j *journal) expect(want ...string) {
	j.t.Helper()
	if got := j.take(); !slices.Equal(got, want) {
		j.t.Errorf("noted %q, want %q", got, want)
	}
}

// A world is a hub with hooks, what they write down, what is counted and logged.
type world struct {
	*journal
	*channels.Hub
	counted *counted
	log     *journal
}

// newWorld runs a hub on which register has registered hooks. The config may be
// changed by it too, through change.
func newWorld(t *testing.T, register func(*world), change ...func(*channels.Config)) *world {
	t.Helper()
	w := &world{journal: &journal{t: t}, counted: newCounted(), log: &journal{t: t}}
	config := hubtest.Config()
	config.Counters = w.counted
	config.Logger = slog.New(slog.NewTextHandler(w.log, nil))
	for _, f := range change {
		f(&config)
	}
	h, err := channels.New(config)
	if err != nil {
		t.Fatal(err)
	}
	w.Hub = h
	register(w)
	hubtest.Run(t, h)
	return w
}

// dropped returns what was counted for a reason.
func (w *world) dropped(r channels.DropReason) int {
	w.counted.mu.Lock()
	defer w.counted.mu.Unlock()
	return w.counted.dropped[r]
}

// as connects a client that signs in as a user; "": it stays a guest.
func (w *world) as(id string) *hubtest.Client {
	w.t.Helper()
	c := hubtest.Connect(w.t, w.Hub)
	if id != "" {
		c.Signin(fmt.Sprintf(`{"id":%q}`, id))
		c.Take()
	}
	return c
}

// on connects a client and subscribes it.
func (w *world) on(names ...string) *hubtest.Client {
	w.t.Helper()
	c := hubtest.Connect(w.t, w.Hub)
	for _, name := range names {
		c.Subscribe(name)
	}
	c.Take()
	return c
}
