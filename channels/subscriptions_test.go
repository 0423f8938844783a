package channels_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"hark/channels"
	"hark/channels/hubtest"
)

// TestManySubscriptions: a socket may be on few or many channels, and what it
// is on is known whichever it is.
func TestManySubscriptions(t *testing.T) {
	for _, n := range []int{1, 2, 8, 9, 40} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := hubtest.Start(t, hubtest.Config())
				c := hubtest.Connect(t, h)
				name := func(i int) string { return fmt.Sprintf("channel-%d", i) }
				for i := range n {
					c.Subscribe(name(i))
				}
				if got := len(c.Take()); got != n {
					t.Fatalf("%d subscriptions were answered with %d messages", n, got)
				}
				for i := range n {
					c.Subscribe(name(i)) // an error each: it has them
				}
				if got := len(c.Take()); got != n {
					t.Errorf("%d subscriptions that were there already gave %d errors", n, got)
				}
				for i := 0; i < n; i += 2 {
					c.Unsubscribe(name(i))
				}
				synctest.Wait()
				for i := range n {
					trigger(t, h, channels.Trigger{Name: "e", Data: "1", Channels: []string{name(i)}})
					if got, want := len(c.Take()), i%2; got != want {
						t.Errorf("channel %d of %d brought %d events, want %d", i, n, got, want)
					}
				}
				c.Hangup()
				synctest.Wait()
				app, _ := h.App(hubtest.AppID)
				if left, err := app.Occupied(t.Context(), ""); err != nil || len(left) > 0 {
					t.Errorf("channels are occupied after the end: %v, %v", left, err)
				}
			})
		})
	}
}
