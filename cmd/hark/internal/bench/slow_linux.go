package bench

import (
	"errors"
	"fmt"
)

// Slow lets some subscribers stop reading, and measures what the others notice of it.
type Slow struct {
	Pace
	Conns   int // subscribers that read
	Stalled int // subscribers that stop to; 0: one for each hundred of Conns
}

// Headline implements Scenario.
func (w *Slow) Headline() string { return "p99_ratio" }

// Validate implements Scenario.
func (w *Slow) Validate() error {
	return errors.Join(w.Pace.validate(), atLeast("conns", w.Conns, 1), atLeast("stalled", w.Stalled, 0))
}

// smallBuffer is the receive buffer of those who stall, in bytes: the kernel shall not read for them.
const smallBuffer = 4 << 10

func (w *Slow) run(s *session) error {
	crowd, err := s.gather("bench-", Audience{w.Conns, 1})
	if err != nil {
		return err
	}
	stalled := w.Stalled
	if stalled == 0 {
		stalled = max(1, w.Conns/100)
	}
	asleep := &sleepers{client: s.client, channel: s.ledger.channels[0].name}
	if err := asleep.connectAll(stalled); err != nil {
		return err
	}
	paced, err := s.pace(w.Pace)
	if err != nil {
		return err
	}
	quiet, err := paced.baseline()
	if err != nil {
		return err
	}
	asleep.pause(true)
	disturbed, err := paced.measure(s.after(w.Duration))
	if err != nil {
		return err
	}
	asleep.pause(false)
	err = s.loop.run(s.ctx, s.patience, func() bool { return asleep.ended == stalled })
	if err != nil && !errors.Is(err, errStalled) {
		return err
	}
	if err := crowd.finish(); err != nil {
		return err
	}
	s.figures.add("stalled_open", "", float64(stalled-asleep.ended))
	s.compareLateness("quiet_", quiet, "stalled_", disturbed)
	return nil
}

// Sleepers subscribe, and do not count what they receive.
type sleepers struct {
	*client
	channel string
	sockets []*socket
	ready   int
	ended   int
}

func (w *sleepers) connectAll(n int) error {
	for i := range n {
		s, err := w.connect(w, i, smallBuffer)
		if err != nil {
			return err
		}
		w.sockets = append(w.sockets, s)
	}
	return w.await("connecting", func() bool { return w.ready == n })
}

func (w *sleepers) pause(pause bool) {
	for _, s := range w.sockets {
		if s.line.fd >= 0 {
			s.line.pause(pause)
		}
	}
}

func (w *sleepers) established(s *socket) { s.subscribe(w.channel, "") }

func (w *sleepers) subscribed(*socket) {
	w.ready++
	w.loop.moved = w.loop.now
}

func (w *sleepers) event(*socket, stamp, []byte)  { w.loop.moved = w.loop.now }
func (w *sleepers) other(*socket, string, []byte) {}

func (w *sleepers) gone(s *socket, err error) {
	if w.ready < len(w.sockets) {
		w.loop.fail(fmt.Errorf("a client's connection: %w", err))
	}
	w.ended++
}
