package ws

import (
	"hark/channels"
	"hark/protocol"
)

// sendAll is send for each of batches in order. As many of the first as fit
// into a chunk leave with one write: copying them costs less than a system call
// for each.
func (o *outbox) sendAll(batches []protocol.Batch) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, err := o.gatherLocked(batches)
	if err != nil {
		return err
	}
	for _, b := range batches {
		wire := b.Wire()
		if n >= len(wire) {
			n -= len(wire) // out already
			continue
		}
		if err := o.sendLocked(wire, n); err != nil {
			return err
		}
		n = 0
	}
	return nil
}

// gatherLocked writes what it can of the first batches, joined, and returns how
// many bytes are out. The caller must hold mu.
func (o *outbox) gatherLocked(batches []protocol.Batch) (int, error) {
	if o.phase != open || o.raw == nil || o.draining {
		return 0, nil
	}
	buf := chunks.Get().(*[chunkSize]byte)
	defer chunks.Put(buf)
	n := 0
	for _, b := range batches {
		if n+len(b.Wire()) > len(buf) {
			break
		}
		n += copy(buf[n:], b.Wire())
	}
	if n == 0 {
		return 0, nil
	}
	n, err := o.tryLocked(buf[:n])
	if err != nil {
		o.endLocked(true)
		return 0, channels.ErrClosed
	}
	return n, nil
}
