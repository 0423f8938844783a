package scenarios

import (
	"context"
	"fmt"
	"time"
)

// note is called by hooks: it keeps what one was told.
func (w *world) note(on, format string, args ...any) {
	w.notes.add(heard{On: on, Event: fmt.Sprintf(format, args...), At: float64(time.Now().UnixMilli())})
}

// noted checks that these are the next notes.
func (w *world) noted(on string, lines ...string) {
	w.t.Helper()
	for _, want := range lines {
		h, ok := w.notes.next(on, deadline)
		if !ok {
			w.t.Fatalf("there is no more note on %s, want %s", on, want)
		}
		if h.String() != want {
			w.t.Fatalf("the note on %s is %s, want %s", on, h, want)
		}
	}
}

// A gate is where a hook waits until the scenario lets it go on, or is over.
type gate struct {
	arrived, opened chan struct{}
	over            <-chan struct{}
}

// gate returns the gate with this name.
func (w *world) gate(name string) *gate {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gates[name] == nil {
		w.gates[name] = &gate{make(chan struct{}, 1), make(chan struct{}), w.t.Context().Done()}
	}
	return w.gates[name]
}

// wait is called by a hook: it returns when the gate is open, or with ctx.
func (g *gate) wait(ctx context.Context) error {
	select {
	case g.arrived <- struct{}{}:
	default: // somebody has
	}
	select {
	case <-g.opened:
		return nil
	case <-g.over:
		return context.Canceled
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reached waits until a hook is at the gate.
func (w *world) reached(g *gate) {
	w.t.Helper()
	select {
	case <-g.arrived:
	case <-time.After(deadline):
		w.t.Fatal("no hook has come to the gate")
	}
}

func (g *gate) open() { close(g.opened) }
