//go:build !race

package channels_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"hark/channels"
	"hark/channels/hubtest"
)

// A trigger costs a few allocations, however many subscribers there are: none
// of them is for a delivery.
func TestAllocations(t *testing.T) {
	h := hubtest.Start(t, hubtest.Config())
	var frames atomic.Int64
	for range 1000 {
		s := h.Connect(sinkConn{&frames}, channels.ConnectRequest{Key: hubtest.Key, Protocol: "7", HasProtocol: true})
		s.Receive([]byte(`{"event":"pusher:subscribe","data":{"channel":"x"}}`))
		t.Cleanup(s.End)
	}
	app, _ := h.App(hubtest.AppID)
	tr := channels.Trigger{Name: "e", Data: strings.Repeat("d", 128), Channels: []string{"x"}}
	allocs := testing.AllocsPerRun(2000, func() {
		if err := app.Trigger(t.Context(), tr); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 4 {
		t.Errorf("%.1f allocations a trigger with 1000 subscribers, want at most 4", allocs)
	}
}

// Where the application has no say in who connects, to ask it costs nothing.
func TestAskAllocatesNothing(t *testing.T) {
	h := hubtest.Start(t, hubtest.Config())
	r := hubtest.Request("")
	if allocs := testing.AllocsPerRun(100, func() {
		if err := h.Ask(t.Context(), &r); err != nil {
			t.Fatal(err)
		}
	}); allocs > 0 {
		t.Errorf("%.1f allocations, want none", allocs)
	}
}
