package channels_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hark/channels"
	"hark/channels/hubtest"
	"hark/protocol"
)

// A pacedConn takes a millisecond for each batch, and notes when each came and
// how many frames it had. It is written to by one flusher only.
type pacedConn struct {
	came   []time.Duration
	frames []int
}

const eachSend = time.Millisecond

func (c *pacedConn) Send(b protocol.Batch) error {
	c.came = append(c.came, now())
	c.frames = append(c.frames, b.Len())
	time.Sleep(eachSend)
	return nil
}

func (c *pacedConn) Close(protocol.CloseCode, string) {}

// now is the time in a bubble since it began.
func now() time.Duration {
	return time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))
}

// Events that come while a pass is under way are sent in the next, which begins
// Config.Pacing passes after the beginning of the last; not later than 20 ms
// after its end, and at once if they fill a batch. Where nothing presses nothing
// waits.
func TestPacing(t *testing.T) {
	for _, test := range []struct {
		name    string
		pacing  float64
		sockets int // a pass takes as many milliseconds
		size    int // of the event that comes during the pass
		want    int // milliseconds from one pass to the next
	}{
		{"by default", 0, 10, 10, 20},
		{"further apart", 2.5, 10, 10, 25},
		{"off", 1, 10, 10, 10},
		{"bounded", 2, 30, 10, 50},
		{"a full batch", 2, 10, 64 << 10, 10},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				config := hubtest.Config()
				config.Flushers, config.Pacing = 1, test.pacing
				h := hubtest.Start(t, config)
				conns := make([]*pacedConn, test.sockets)
				for i := range conns {
					conns[i] = new(pacedConn)
					s := h.Connect(conns[i], channels.ConnectRequest{Key: hubtest.Key, Protocol: "7", HasProtocol: true})
					s.Receive([]byte(`{"event":"pusher:subscribe","data":{"channel":"x"}}`))
					defer s.End()
				}
				time.Sleep(time.Second)
				start := now()
				send := func(size int) {
					trigger(t, h, channels.Trigger{Name: "e", Data: strings.Repeat("d", size), Channels: []string{"x"}})
				}
				send(10) // served at once
				time.Sleep(eachSend / 2)
				send(test.size) // served after a rest
				time.Sleep(time.Second)
				send(10) // and at once again
				time.Sleep(time.Second)
				synctest.Wait()

				first := conns[0].came[len(conns[0].came)-3:]
				for i, want := range []time.Duration{0, time.Duration(test.want) * time.Millisecond, time.Second + eachSend/2} {
					if got := first[i] - start; got != want {
						t.Errorf("event %d came after %v, want %v", i, got, want)
					}
				}
			})
		})
	}
}

// Under pressure a place is served in few large batches, and a place beside it
// where nothing presses does not wait for the end of its rest.
func TestPacingIsPerPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := hubtest.Config()
		config.Flushers = 1
		h := hubtest.Start(t, config)
		connect := func(channel string) *pacedConn {
			c := new(pacedConn)
			s := h.Connect(c, channels.ConnectRequest{Key: hubtest.Key, Protocol: "7", HasProtocol: true})
			s.Receive(fmt.Appendf(nil, `{"event":"pusher:subscribe","data":{"channel":%q}}`, channel))
			t.Cleanup(s.End)
			return c
		}
		var busy []*pacedConn
		for range 10 {
			busy = append(busy, connect("busy"))
		}
		calm := connect("calm")
		time.Sleep(time.Second)
		synctest.Wait()
		begin := len(busy[0].came)
		trigger(t, h, channels.Trigger{Name: "e", Channels: []string{"busy"}})
		time.Sleep(eachSend / 2)
		for range 20 {
			trigger(t, h, channels.Trigger{Name: "e", Channels: []string{"busy"}})
		}
		time.Sleep(12 * eachSend) // busy rests
		published := now()
		trigger(t, h, channels.Trigger{Name: "e", Channels: []string{"calm"}})
		synctest.Wait()
		if came := calm.came[len(calm.came)-1]; came != published {
			t.Errorf("an event on a calm place came %v late", came-published)
		}
		time.Sleep(20 * eachSend)
		// What comes when all has been sent, but only just, finds the place still
		// resting, and what follows close behind joins it.
		for range 5 {
			trigger(t, h, channels.Trigger{Name: "e", Channels: []string{"busy"}})
			time.Sleep(eachSend)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := busy[0].frames[begin:]; !slices.Equal(got, []int{1, 20, 5}) {
			t.Errorf("events came in batches of %d, want 1, 20 and 5", got)
		}
	})
}

// Where several places are served in one round, the duration of their passes
// includes the writes, which come at its end.
func TestPacingOfSeveral(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := hubtest.Config()
		config.Flushers = 1
		h := hubtest.Start(t, config)
		gate := newGate(h, t)
		var conns []*pacedConn
		for i := range 20 {
			c := new(pacedConn)
			s := h.Connect(c, channels.ConnectRequest{Key: hubtest.Key, Protocol: "7", HasProtocol: true})
			s.Receive(fmt.Appendf(nil, `{"event":"pusher:subscribe","data":{"channel":"%d"}}`, i%2))
			t.Cleanup(s.End)
			conns = append(conns, c)
		}
		time.Sleep(time.Second)
		open := gate.close()
		both := channels.Trigger{Name: "e", Channels: []string{"0", "1"}, More: true}
		trigger(t, h, both)
		open()
		start := now()
		time.Sleep(eachSend / 2)
		trigger(t, h, both)
		time.Sleep(time.Second)
		synctest.Wait()
		came := conns[0].came
		if got, want := came[len(came)-1]-start, 40*time.Millisecond; got != want {
			t.Errorf("the second round of 20 sends of 1 ms began after %v, want %v", got, want)
		}
	})
}
