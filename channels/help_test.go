package channels_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"hark/channels"
	"hark/channels/hubtest"
)

// A few subscribers are served by whoever publishes, or hands over what the broker
// tells: here they have the event when Trigger returns, with either broker.
func TestFewAreServedAtOnce(t *testing.T) {
	for _, tt := range []struct {
		name   string
		broker func() channels.Broker
	}{
		{"by a publisher", func() channels.Broker { return channels.NewMemory() }},
		{"by the sink", func() channels.Broker {
			m := channels.NewMemory()
			return struct { // not Local
				channels.Broker
				channels.Questions
			}{m, m}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { servedAtOnce(t, tt.broker()) })
		})
	}
}

func servedAtOnce(t *testing.T, b channels.Broker) {
	config := hubtest.Config()
	config.Flushers, config.Broker = 1, b
	h := hubtest.Start(t, config)
	c := &gatherConn{t: t}
	s := h.Connect(c, channels.ConnectRequest{Key: hubtest.Key, Protocol: "7", HasProtocol: true})
	defer s.End()
	s.Receive([]byte(`{"event":"pusher:subscribe","data":{"channel":"x"}}`))
	synctest.Wait()
	c.writes = nil
	for i := range 3 {
		trigger(t, h, channels.Trigger{Name: "e", Channels: []string{"x"}})
		if len(c.writes) != i+1 {
			t.Fatalf("%d events had been written when Trigger returned, want %d", len(c.writes), i+1)
		}
	}
}

// Whoever serves, and whatever leaves together, the order is that of publishing,
// and nothing stays behind.
func TestHelpersAndFlusherKeepOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := hubtest.Config()
		config.Apps[0].Limits.ClientEvents = -1
		h := hubtest.Start(t, config)
		var others []*hubtest.Client
		for range 5 {
			c := hubtest.Connect(t, h)
			c.Join("presence-x", string(c.ID()))
			others = append(others, c)
		}
		sender := others[0]
		for _, c := range others {
			c.Take()
		}
		var want []string
		for round := range 50 {
			for i := range round % 4 {
				sender.Socket().ReceiveMore(fmt.Appendf(nil, `{"event":"client-e","channel":"presence-x","data":"%d.%d"}`, round, i))
				want = append(want, fmt.Sprintf("%d.%d", round, i))
			}
			trigger(t, h, channels.Trigger{Name: "e", Data: fmt.Sprint(round), Channels: []string{"presence-x"}, Except: sender.ID(), More: round%3 == 0})
			want = append(want, fmt.Sprint(round))
		}
		for _, c := range others[1:] {
			got := c.Take()
			if len(got) != len(want) {
				t.Fatalf("%d events came, want %d", len(got), len(want))
			}
			for i, text := range got {
				if !strings.Contains(text, `"data":"`+want[i]+`"`) {
					t.Fatalf("event %d is %s, want %s", i, text, want[i])
				}
			}
		}
	})
}
