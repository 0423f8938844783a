package channels_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"hark/channels"
	"hark/channels/hubtest"
	"hark/protocol"
)

// A sinkConn takes everything and counts frames.
type sinkConn struct{ frames *atomic.Int64 }

func (c sinkConn) Send(b protocol.Batch) error {
	c.frames.Add(int64(b.Len()))
	return nil
}

func (c sinkConn) Close(protocol.CloseCode, string) {}

// BenchmarkFanOut measures the way from App.Trigger to Conn.Send without a
// network: ns/op is a trigger, delivered to all subscribers.
func BenchmarkFanOut(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("subscribers=%d", n), func(b *testing.B) {
			h := hubtest.Start(b, hubtest.Config())
			var frames atomic.Int64
			var sockets []*channels.Socket
			for range n {
				s := h.Connect(sinkConn{&frames}, channels.ConnectRequest{Key: hubtest.Key, Protocol: "7", HasProtocol: true})
				s.Receive([]byte(`{"event":"pusher:subscribe","data":{"channel":"x"}}`))
				sockets = append(sockets, s)
			}
			app, _ := h.App(hubtest.AppID)
			tr := channels.Trigger{Name: "e", Data: strings.Repeat("d", 128), Channels: []string{"x"}}
			b.ReportAllocs()
			for b.Loop() {
				if err := app.Trigger(b.Context(), tr); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			for _, s := range sockets {
				s.End()
			}
			b.ReportMetric(float64(frames.Load())/float64(b.N)/float64(n), "delivered/subscriber")
		})
	}
}

// BenchmarkConnections asks a node for a page of a hundred thousand connections: of all,
// of one user, and of one channel, which is looked for on each; and of those of another
// app, which are none.
func BenchmarkConnections(b *testing.B) {
	h := hubtest.Start(b, twoApps())
	var frames atomic.Int64
	var sockets []*channels.Socket
	for range 100_000 {
		s := h.Connect(sinkConn{&frames}, channels.ConnectRequest{Key: hubtest.Key, Protocol: "7", HasProtocol: true})
		s.Receive([]byte(`{"event":"pusher:subscribe","data":{"channel":"x"}}`))
		sockets = append(sockets, s)
	}
	for _, bb := range []struct {
		name, app string
		to        channels.Selector
	}{
		{"all", hubtest.AppID, channels.Everyone()},
		{"user", hubtest.AppID, channels.Users("7")},
		{"channel", hubtest.AppID, channels.On("y")},
		{"another app", "2", channels.Everyone()},
	} {
		b.Run(bb.name, func(b *testing.B) {
			app, _ := h.App(bb.app)
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := app.Connections(b.Context(), bb.to, channels.Page{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	for _, s := range sockets {
		s.End()
	}
}
