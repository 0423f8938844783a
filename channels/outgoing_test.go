package channels_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"hark/channels"
	"hark/channels/hubtest"
	"hark/protocol"
)

// A gatherConn notes how many frames came with each call, and the last of its
// calls.
type gatherConn struct {
	writes []int
	closed bool
	t      *testing.T
}

func (c *gatherConn) Send(b protocol.Batch) error { return c.SendAll([]protocol.Batch{b}) }

func (c *gatherConn) SendAll(batches []protocol.Batch) error {
	if c.closed {
		c.t.Error("something is sent after a close")
	}
	n := 0
	for _, b := range batches {
		n += b.Len()
	}
	c.writes = append(c.writes, n)
	return nil
}

func (c *gatherConn) Close(protocol.CloseCode, string) { c.closed = true }

// What waits for a socket on several places leaves with one write.
func TestGather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := hubtest.Config()
		config.Flushers = 1
		h := hubtest.Start(t, config)
		gate := newGate(h, t)
		c := &gatherConn{t: t}
		s := h.Connect(c, channels.ConnectRequest{Key: hubtest.Key, Protocol: "7", HasProtocol: true})
		defer s.End()
		names := []string{"a", "b", "c", "d"}
		for _, name := range names {
			s.Receive([]byte(`{"event":"pusher:subscribe","data":{"channel":"` + name + `"}}`))
			synctest.Wait()
		}
		c.writes = nil
		open := gate.close()
		for range 3 {
			trigger(t, h, channels.Trigger{Name: "e", Channels: names})
		}
		open()
		synctest.Wait()
		if !slices.Equal(c.writes, []int{12}) {
			t.Errorf("12 events on four places came in writes of %d, want one", c.writes)
		}
		trigger(t, h, channels.Trigger{Name: "e", Channels: []string{"a"}})
		synctest.Wait()
		if !slices.Equal(c.writes, []int{12, 1}) {
			t.Errorf("the writes had %d events, want 12 and 1", c.writes)
		}
	})
}

// A user who is terminated first hears what was published before.
func TestGatherBeforeTerminate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := hubtest.Config()
		config.Flushers = 1
		h := hubtest.Start(t, config)
		gate := newGate(h, t)
		c := hubtest.Connect(t, h)
		c.Signin(`{"id":"ada"}`)
		c.Subscribe("a")
		c.Take()
		open := gate.close()
		trigger(t, h, channels.Trigger{Name: "e", Data: "1", Channels: []string{"a"}})
		app, _ := h.App(hubtest.AppID)
		if err := app.Terminate(t.Context(), "ada"); err != nil {
			t.Fatal(err)
		}
		open()
		c.Expect(event("e", "a", "1"))
		if code, _ := c.Closed(); code != protocol.CloseUnauthorized {
			t.Errorf("closed with %d, want %d", code, protocol.CloseUnauthorized)
		}
	})
}
