package ws_test

import (
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"hark/channels/hubtest"
	"hark/channels/ws"
	"hark/protocol"
)

// BenchmarkSend is one frame of 256 bytes to one client over loopback, beside
// the same bytes written by net.Conn, which is the floor. The client reads every
// 64 frames at once, in the same goroutine, so that there always is room.
func BenchmarkSend(b *testing.B) {
	frame := protocol.Join(protocol.Event{Name: "order-paid", Channel: "orders", Data: strings.Repeat("x", 200)}.Frame())
	run := func(name string, sender func(net.Conn) func() error) {
		b.Run(name, func(b *testing.B) {
			server, client := loopback(b)
			send := sender(server)
			buf := make([]byte, 64*len(frame.Wire()))
			sent := 0
			b.ReportAllocs()
			for b.Loop() {
				if err := send(); err != nil {
					b.Fatal(err)
				}
				if sent++; sent%64 == 0 {
					io.ReadFull(client, buf)
				}
			}
		})
	}
	run("floor", func(conn net.Conn) func() error {
		return func() error {
			_, err := conn.Write(frame.Wire())
			return err
		}
	})
	run("outbox", func(conn net.Conn) func() error {
		c := ws.NewConn(conn)
		return func() error { return c.Send(frame) }
	})
}

// BenchmarkEcho is a pusher:ping from each of 200 clients in turn, and its
// answer, with a goroutine for each connection and with parking side by side:
// as it is, and with clients that are parked after each message. CPU is that of
// the server alone.
func BenchmarkEcho(b *testing.B) {
	const clients = 200
	for _, mode := range []struct {
		name string
		park time.Duration
	}{{"goroutines", -1}, {"parking", 0}, {"always-parked", 1}} {
		b.Run(mode.name, func(b *testing.B) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			c := hubtest.Config()
			c.Drain = -1
			h := ws.New(hubtest.Start(b, c))
			h.ParkAfter = mode.park
			serve(b, ln, h)
			crowd := newCrowd(b, ln.Addr().String(), clients)
			crowd.say()
			before := cpuTime(b)
			for b.Loop() {
				crowd.say()
			}
			b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N*clients), "cpu-ns/echo")
		})
	}
}

// cpuTime is what this process has used.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// loopback returns the two ends of a TCP connection.
func loopback(b *testing.B) (server, client net.Conn) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	if client, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		b.Fatal(err)
	}
	if server, err = ln.Accept(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { server.Close(); client.Close() })
	return server, client
}
