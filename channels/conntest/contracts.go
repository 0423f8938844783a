package conntest

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"hark/channels"
	"hark/protocol"
)

// several is a number of messages that has every size, and fits into the bound
// of an outbox.
var several = 2 * len(sizes)

// sendN sends the messages from..from+n-1 of sender 0, alone or two in a batch.
func sendN(t *testing.T, c channels.Conn, from, n int) {
	t.Helper()
	for seq := from; seq < from+n; {
		frames := []protocol.Frame{message(0, seq)}
		if seq%3 == 0 && seq+1 < from+n {
			frames = append(frames, message(0, seq+1))
		}
		if err := c.Send(protocol.Join(frames...)); err != nil {
			t.Fatalf("Send of message %d: %v", seq, err)
		}
		seq += len(frames)
	}
}

func inOrder(t *testing.T, connect Connect) {
	c, p := connect(t)
	got := received{}
	for seq := range several {
		sendN(t, c, seq, 1)
		got.takeN(t, p, 1)
	}
}

func inOrderAfterWaiting(t *testing.T, connect Connect) {
	c, p := connect(t)
	sendN(t, c, 0, several)
	received{}.takeN(t, p, several)
}

func inOrderWithPauses(t *testing.T, connect Connect) {
	c, p := connect(t)
	got := received{}
	sent := 0
	for round := range several {
		n := 1 + round%7
		sendN(t, c, sent, n)
		sent += n
		got.takeN(t, p, n/2)
		if round%5 == 4 {
			got.takeN(t, p, sent-got[0])
		}
	}
	got.takeN(t, p, sent-got[0])
}

// gatherer returns c as a Gatherer, or nil: to be one is optional.
func gatherer(c channels.Conn) channels.Gatherer {
	g, _ := c.(channels.Gatherer)
	return g
}

// gathered sends several batches at a time between single ones. What the first
// round finds room for the last one does not: the peer has not read yet.
func gathered(t *testing.T, connect Connect) {
	c, p := connect(t)
	g := gatherer(c)
	if g == nil {
		return
	}
	seq := 0
	var batches []protocol.Batch
	for round := range several {
		batches = batches[:0]
		for range round % 9 {
			batches = append(batches, protocol.Join(message(0, seq)))
			seq++
		}
		if err := g.SendAll(batches); err != nil {
			t.Fatalf("SendAll of %d batches: %v", len(batches), err)
		}
		clear(batches)
		sendN(t, c, seq, 1)
		seq++
		if round == several/2 {
			received{}.takeN(t, p, seq)
			seq = 0
		}
	}
	received{}.takeN(t, p, seq)
}

func gatheredSlow(t *testing.T, connect Connect) {
	c, p := connect(t)
	g := gatherer(c)
	if g == nil {
		return
	}
	const size = 1 << 20
	var batches []protocol.Batch
	for seq := range 70 { // more than any buffer may take
		batches = append(batches, protocol.Join(sized(0, seq, size)))
	}
	if err := g.SendAll(batches); !errors.Is(err, channels.ErrSlow) {
		t.Fatalf("SendAll of %d MiB to a peer that does not read: %v, want ErrSlow", len(batches), err)
	}
	if err := g.SendAll(batches); !errors.Is(err, channels.ErrClosed) {
		t.Errorf("SendAll after ErrSlow: %v, want ErrClosed", err)
	}
	received{}.wantClosed(t, p, protocol.CloseOverCapacity)
}

func emptyBatch(t *testing.T, connect Connect) {
	c, p := connect(t)
	if err := c.Send(protocol.Batch{}); err != nil {
		t.Errorf("Send of an empty batch: %v", err)
	}
	sendN(t, c, 0, 1)
	received{}.takeN(t, p, 1)
}

func sharedBatch(t *testing.T, connect Connect) {
	var frames []protocol.Frame
	for seq := range several {
		frames = append(frames, message(0, seq))
	}
	batch := protocol.Join(frames...)
	before := bytes.Clone(batch.Wire())
	for range 3 {
		c, p := connect(t)
		if err := c.Send(batch); err != nil {
			t.Fatalf("Send: %v", err)
		}
		received{}.takeN(t, p, several)
	}
	if !bytes.Equal(batch.Wire(), before) {
		t.Error("a batch has changed while it was sent")
	}
}

func pingsBetween(t *testing.T, connect Connect) {
	c, p := connect(t)
	pinger, ok := c.(channels.Pinger)
	if !ok {
		return // pings of a transport are optional
	}
	for seq := range several {
		sendN(t, c, seq, 1)
		pinger.Ping()
	}
	received{}.takeN(t, p, several)
}

// fill sends until the Conn answers ErrSlow.
func fill(t *testing.T, c channels.Conn) {
	t.Helper()
	const size, most = 16 << 10, 4096
	for seq := range most {
		err := c.Send(protocol.Join(sized(0, seq, size)))
		if err == nil {
			continue
		}
		if !errors.Is(err, channels.ErrSlow) {
			t.Fatalf("Send to a peer that does not read: %v, want ErrSlow", err)
		}
		if seq*size < 1<<20-size {
			t.Errorf("the peer was called slow after %d bytes, which an outbox must hold", seq*size)
		}
		return
	}
	t.Fatalf("%d bytes were taken for a peer that does not read; nothing bounds its outbox", most*size)
}

func slowReader(t *testing.T, connect Connect) {
	c, p := connect(t)
	fill(t, c)
	if err := c.Send(protocol.Join(message(1, 0))); !errors.Is(err, channels.ErrClosed) {
		t.Errorf("Send after ErrSlow: %v, want ErrClosed", err)
	}
	c.Close(protocol.CloseNormal, "too late")
	if closed := (received{}).wantClosed(t, p, protocol.CloseOverCapacity); closed.Reason == "" {
		t.Error("a slow reader is not told why it was closed")
	}
}

func largeBatch(t *testing.T, connect Connect) {
	c, p := connect(t)
	const size = 3 << 20
	if err := c.Send(protocol.Join(sized(0, 0, size))); err != nil {
		t.Fatalf("Send of %d bytes when nothing waits: %v", size, err)
	}
	received{}.takeN(t, p, 1)
}

func closeAfterQueue(t *testing.T, connect Connect) {
	c, p := connect(t)
	sendN(t, c, 0, several)
	c.Close(protocol.CloseReconnect, "The server is restarting")
	got := received{}
	if closed := got.wantClosed(t, p, protocol.CloseReconnect); closed.Reason != "The server is restarting" {
		t.Errorf("the reason was %q", closed.Reason)
	}
	if got[0] != several {
		t.Errorf("%d messages came before the close, want %d", got[0], several)
	}
}

func closeTwice(t *testing.T, connect Connect) {
	c, p := connect(t)
	c.Close(protocol.CloseUnauthorized, "first")
	c.Close(protocol.CloseReconnect, "second")
	if closed := (received{}).wantClosed(t, p, protocol.CloseUnauthorized); closed.Reason != "first" {
		t.Errorf("the reason was %q", closed.Reason)
	}
	c.Close(protocol.CloseReconnect, "third")
}

func sendAfterClose(t *testing.T, connect Connect) {
	c, p := connect(t)
	sendN(t, c, 0, 1)
	c.Close(protocol.CloseReconnect, "")
	if err := c.Send(protocol.Join(message(0, 1))); !errors.Is(err, channels.ErrClosed) {
		t.Errorf("Send after Close: %v, want ErrClosed", err)
	}
	got := received{}
	got.wantClosed(t, p, protocol.CloseReconnect)
	if got[0] != 1 {
		t.Errorf("%d messages came, want the one from before the close", got[0])
	}
	if err := c.Send(protocol.Join(message(0, 1))); !errors.Is(err, channels.ErrClosed) {
		t.Errorf("Send after the end: %v, want ErrClosed", err)
	}
}

func longReason(t *testing.T, connect Connect) {
	c, p := connect(t)
	reason := strings.Repeat("ü", protocol.MaxReason)
	c.Close(protocol.CloseReconnect, reason)
	closed := received{}.wantClosed(t, p, protocol.CloseReconnect)
	if !utf8.ValidString(closed.Reason) || !strings.HasPrefix(reason, closed.Reason) || len(closed.Reason) < protocol.MaxReason-1 {
		t.Errorf("a long reason arrived as %q", closed.Reason)
	}
}

func concurrent(t *testing.T, connect Connect) {
	const senders, each, closers = 8, 60, 3
	c, p := connect(t)
	accepted := make([]int, senders)
	half := make(chan struct{})
	reached := sync.OnceFunc(func() { close(half) })
	var all sync.WaitGroup
	for sender := range senders {
		all.Go(func() {
			for seq := range each {
				if seq == each/2 {
					reached()
				}
				if err := c.Send(protocol.Join(sized(sender, seq, seq*5))); err != nil {
					if !errors.Is(err, channels.ErrClosed) {
						t.Errorf("sender %d: %v, want ErrClosed", sender, err)
					}
					return
				}
				accepted[sender]++
			}
		})
	}
	for range closers {
		all.Go(func() {
			<-half // one has sent half of its messages
			c.Close(protocol.CloseReconnect, "enough")
		})
	}
	got := received{}
	got.wantClosed(t, p, protocol.CloseReconnect)
	all.Wait()
	for sender, n := range accepted {
		if got[sender] != n {
			t.Errorf("%d messages of sender %d came, but %d were accepted", got[sender], sender, n)
		}
	}
}

func peerGone(t *testing.T, connect Connect) {
	c, p := connect(t)
	sendN(t, c, 0, 3)
	p.Drop()
	var err error
	for i := 0; err == nil && i < 1<<20; i++ {
		err = c.Send(protocol.Join(sized(0, i, 100)))
	}
	// What the kernel took before it knew may have filled the outbox.
	if !errors.Is(err, channels.ErrClosed) && !errors.Is(err, channels.ErrSlow) {
		t.Errorf("Send to a peer that is gone: %v, want ErrClosed", err)
	}
	if err := c.Send(protocol.Join(message(0, 0))); !errors.Is(err, channels.ErrClosed) {
		t.Errorf("the next Send: %v, want ErrClosed", err)
	}
	c.Close(protocol.CloseNormal, "")
}

// cutOff is when a connection that was closed has ended at the latest.
const cutOff = 2*time.Second + time.Millisecond

func slowReaderStaysAway(t *testing.T, connect Connect) {
	c, p := connect(t)
	fill(t, c)
	time.Sleep(cutOff)
	if closed, ok := errors.AsType[*Closed](received{}.takeAll(t, p)); ok {
		t.Errorf("a reader that came back too late was told %v", closed)
	}
}

func closeUnread(t *testing.T, connect Connect) {
	c, p := connect(t)
	sendN(t, c, 0, several)
	c.Close(protocol.CloseReconnect, "")
	time.Sleep(cutOff)
	got := received{}
	if closed, ok := errors.AsType[*Closed](got.takeAll(t, p)); ok || got[0] == several {
		t.Errorf("after 2 s %d messages and %v still came", got[0], closed)
	}
}
