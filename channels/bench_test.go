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
// of one user, and of one channel, which is looked for on each.
func BenchmarkConnections(b *testing.B) {
	h := hubtest.Start(b, hubtest.Config())
	var frames atomic.Int64
	var sockets []*channels.Socket
	for range 100_000 {
		s := h.Connect(sinkConn{&frames}, channels.ConnectRequest{Key: hubtest.Key, Protocol: "7", HasProtocol: true})
		s.Receive([]byte(`{"event":"pusher:subscribe","data":{"channel":"x"}}`))
		sockets = append(sockets, s)
	}
	app, _ := h.App(hubtest.AppID)
	for name, to := range map[string]channels.Selector{
		"all": channels.Everyone(), "user": channels.Users("7"), "channel": channels.On("y"),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := app.Connections(b.Context(), to, channels.Page{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	for _, s := range sockets {
		s.End()
	}
}
