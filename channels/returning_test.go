package channels_test

import (
	"context"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hark/channels"
	"hark/channels/hubtest"
)

// A clerk is a broker that writes down who has left, and who of them is to come back.
type clerk struct {
	*channels.Memory

	mu   sync.Mutex
	left map[string]bool // by socket and channel: is it Returning? Guarded by mu
}

func (b *clerk) Leave(ctx context.Context, p channels.Place, occupants ...channels.Occupant) error {
	b.mu.Lock()
	for _, o := range occupants {
		b.left[string(o.Socket)+" "+p.Channel] = o.Returning
	}
	b.mu.Unlock()
	return b.Memory.Leave(ctx, p, occupants...)
}

// A hub that ends tells its broker who was sent away and will come back to another node; who leaves by himself does not,
// though the hub is ending.
func TestReturning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := &clerk{Memory: channels.NewMemory(), left: make(map[string]bool)}
		config := hubtest.Config()
		config.Broker, config.Drain = broker, 10*time.Second
		h, err := channels.New(config)
		if err != nil {
			t.Fatal(err)
		}
		stop := runUntil(t, h)
		want := make(map[string]bool)
		expect := func(c *hubtest.Client, channel string, returning bool) { want[string(c.ID())+" "+channel] = returning }
		join := func() *hubtest.Client {
			c := hubtest.Connect(t, h)
			c.Join("presence-x", string(c.ID()))
			expect(c, "presence-x", true)
			return c
		}
		early := join()
		early.Hangup()
		expect(early, "presence-x", false)
		for range 10 { // the first lot
			join()
		}
		time.Sleep(time.Second)
		for range 8 {
			join()
		}
		ada, bob := join(), join()
		ada.Signin(`{"id":"ada"}`)
		expect(ada, "#user-ada", true)
		bob.Signin(`{"id":"bob"}`)
		expect(bob, "#user-bob", false)
		synctest.Wait()
		ended := stop()
		time.Sleep(time.Second)
		ada.Unsubscribe("presence-x")
		expect(ada, "presence-x", false)
		bob.Hangup()
		expect(bob, "presence-x", false)
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		if !maps.Equal(broker.left, want) {
			t.Errorf("Returning is %v, want %v", broker.left, want)
		}
	})
}
