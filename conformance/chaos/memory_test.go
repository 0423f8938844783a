package chaos

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"hark/channels"
)

// The harness itself, on one node that nothing happens to but that clients come and go.
func TestMemory(t *testing.T) {
	t.Parallel()
	p := newPlay(t, 1)
	p.add(startLocal(t, "memory", channels.NewMemory(), nil, patience))
	for i := range 8 {
		p.enter(fmt.Sprintf("c%d", i), fmt.Sprintf("u%d", i%5), "")
	}
	p.settled()
	p.publish(2, time.Millisecond)
	for i := range 30 {
		all := p.present()
		c := all[p.rnd.IntN(len(all))]
		p.exit(c)
		p.enter(fmt.Sprintf("d%d", i), c.user, "")
		p.settled()
	}
	c := p.calm()
	if c.refused > 0 || c.gaps > 0 || c.deliveries < c.accepted || c.removals == 0 {
		t.Errorf("%v: want nothing refused, no gaps, and everything delivered", c)
	}
}

// A leak is a broker that loses one event.
type leak struct {
	*channels.Memory
	channels.Sink
	left int // events until then
}

func (l *leak) Run(ctx context.Context, s channels.Sink) error {
	l.Sink = s
	return l.Memory.Run(ctx, l)
}

func (l *leak) Deliver(e channels.Envelope) {
	if e.Place.Channel == places[0] && e.Kind == channels.KindEvent {
		if l.left--; l.left == 0 {
			return
		}
	}
	l.Sink.Deliver(e)
}

// One event that is lost among many is found.
func TestHarnessFinds(t *testing.T) {
	t.Parallel()
	p := newPlay(t, 2)
	p.add(startLocal(t, "leak", &leak{Memory: channels.NewMemory(), left: 50}, nil, patience))
	p.enter("c0", "u0", "")
	p.settled()
	for range 100 {
		p.publishOne(places[0], 0)
	}
	p.last(places[0])
	_, wrong := p.compare()
	if len(wrong) != 1 || !strings.HasPrefix(wrong[0], "c0 on events-0 at leak: 0-50 did not come, before 0-51") {
		t.Errorf("found %q, want that 0-50 did not come", wrong)
	}
}

// The same with a process, over websockets and the API, in the middle of which it stops and goes on.
func TestProcess(t *testing.T) {
	t.Parallel()
	p := newPlay(t, 3)
	n := startProcess(t, processConfig{Title: "process"})
	p.add(n)
	for i := range 4 {
		p.enter(fmt.Sprintf("c%d", i), fmt.Sprintf("u%d", i%3), "")
	}
	p.settled()
	p.publish(2, 2*time.Millisecond)
	for i := range 5 {
		n.freeze()
		c := p.present()[0]
		p.exit(c)
		p.enter(fmt.Sprintf("d%d", i), c.user, "")
		n.thaw()
		p.settled()
	}
	p.calm()
}
