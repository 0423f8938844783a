package redisbroker_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hark/channels"
	"hark/channels/redisbroker"
	"hark/channels/redisbroker/redistest"
)

// The benchmarks in this file are about Redis: what it counts as used, not how long anything took, so that they can be
// run beside other work. doc.go says what follows from them.

// A meter is what a Redis has used so far, or between two readings.
type meter struct {
	cpu     time.Duration // user and system
	in, out int64         // bytes received and sent
	memory  int64         // bytes that hold data and connections
}

func read(b *testing.B, s *redistest.Server) meter {
	b.Helper()
	text, err := s.Do("INFO")
	if err != nil {
		b.Fatal(err)
	}
	fields := map[string]float64{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			fields[name] = n
		}
	}
	return meter{
		cpu:    time.Duration((fields["used_cpu_user"] + fields["used_cpu_sys"]) * 1e9),
		in:     int64(fields["total_net_input_bytes"]),
		out:    int64(fields["total_net_output_bytes"]),
		memory: int64(fields["used_memory"]),
	}
}

// work measures what Redis uses for f, for each of b.N.
func work(b *testing.B, s *redistest.Server, f func()) {
	b.Helper()
	before := read(b, s)
	b.ResetTimer()
	f()
	b.StopTimer()
	after, n := read(b, s), float64(b.N)
	b.ReportMetric(float64((after.cpu-before.cpu).Nanoseconds())/1e3/n, "redis-µs/op")
	b.ReportMetric(float64(after.in-before.in)/n, "redis-in-B/op")
	b.ReportMetric(float64(after.out-before.out)/n, "redis-out-B/op")
}

// keep measures what b.N of something that f makes take in Redis.
func keep(b *testing.B, s *redistest.Server, f func(i int)) {
	b.Helper()
	before := read(b, s)
	for i := range b.N {
		f(i)
	}
	b.StopTimer()
	b.ReportMetric(float64(read(b, s).memory-before.memory)/float64(b.N), "redis-B/op")
}

// several starts so many nodes on a Redis that keeps a log, as it should.
func several(b *testing.B, n int) (*redistest.Server, []*redisbroker.Broker) {
	b.Helper()
	s, own := redistest.Start(b, redistest.Options{AppendOnly: true}), prefix()
	nodes := make([]*redisbroker.Broker, n)
	for i := range nodes {
		nodes[i], _ = benchNode(b, s.Addr(), own, nil)
	}
	return s, nodes
}

func enter(b *testing.B, n *redisbroker.Broker, at channels.Place, o ...channels.Occupant) {
	b.Helper()
	if _, err := n.Enter(context.Background(), at, o...); err != nil {
		b.Fatal(err)
	}
}

// together has many do f at once.
func together(b *testing.B, f func(i int) error) {
	var next atomic.Int64
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := f(int(next.Add(1))); err != nil {
				b.Error(err)
			}
		}
	})
}

func alone(b *testing.B, f func(i int) error) {
	for i := range b.N {
		if err := f(i); err != nil {
			b.Fatal(err)
		}
	}
}

// A load is what is published on, and how.
type load struct {
	nodes, channels, sockets int // all nodes hold all channels, with so many sockets on each
	how                      func(*testing.B, func(int) error)
}

// BenchmarkScalePublish publishes events of 200 bytes on one of the nodes.
func BenchmarkScalePublish(b *testing.B) {
	for _, nodes := range []int{1, 2, 3, 4, 16} {
		b.Run(fmt.Sprintf("alone/nodes=%d", nodes), load{nodes, 100, 1, alone}.run)
		b.Run(fmt.Sprintf("together/nodes=%d", nodes), load{nodes, 100, 1, together}.run)
	}
	for _, channels := range []int{1, 10_000} {
		b.Run(fmt.Sprintf("together/channels=%d", channels), load{1, channels, 1, together}.run)
	}
	b.Run("together/sockets=1000", load{1, 100, 1000, together}.run)
}

func (l load) run(b *testing.B) {
	s, nodes := several(b, l.nodes)
	for i := range l.channels {
		var crowd []channels.Occupant
		for j := range l.sockets {
			crowd = append(crowd, user(fmt.Sprint("1.", j+1), ""))
		}
		for _, n := range nodes {
			enter(b, n, place(fmt.Sprint("c", i)), crowd...)
		}
	}
	data := strings.Repeat("x", 200)
	work(b, s, func() {
		l.how(b, func(i int) error {
			p := place(fmt.Sprint("c", i%l.channels))
			_, err := nodes[0].Publish(context.Background(), channels.Envelope{Place: p, Name: "e", Data: data})
			return err
		})
	})
}

// BenchmarkScaleJoin has users come to a place that all nodes hold, and go again.
func BenchmarkScaleJoin(b *testing.B) {
	for n := 1; n <= 4; n++ {
		b.Run(fmt.Sprintf("nodes=%d", n), func(b *testing.B) {
			s, nodes := several(b, n)
			for i := range 100 {
				for j, node := range nodes {
					enter(b, node, place(fmt.Sprint("presence-", i)), user(fmt.Sprint("2.", j+1), fmt.Sprint("stays", j)))
				}
			}
			work(b, s, func() {
				together(b, func(i int) error {
					at, who := place(fmt.Sprint("presence-", i%100)), user(fmt.Sprint("1.", i+1), fmt.Sprint("u", i))
					if _, err := nodes[0].Enter(context.Background(), at, who); err != nil {
						return err
					}
					return nodes[0].Leave(context.Background(), at, who)
				})
			})
		})
	}
}

// BenchmarkScaleOccupy has a socket come to a place of its own, and go again.
func BenchmarkScaleOccupy(b *testing.B) {
	s, nodes := several(b, 1)
	work(b, s, func() {
		together(b, func(i int) error {
			at, who := place(fmt.Sprint("c", i)), user("1.1", "")
			if _, err := nodes[0].Enter(context.Background(), at, who); err != nil {
				return err
			}
			return nodes[0].Leave(context.Background(), at, who)
		})
	})
}

// BenchmarkScaleIdle is what nodes take that do nothing, in a tenth of a second.
func BenchmarkScaleIdle(b *testing.B) {
	for _, nodes := range []int{1, 4} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) {
			s, _ := several(b, nodes)
			work(b, s, func() {
				tick := time.NewTicker(100 * time.Millisecond)
				defer tick.Stop()
				for range b.N {
					<-tick.C
				}
			})
		})
	}
}

// BenchmarkScaleMemory is what each of these takes of Redis's memory: a place with a socket, a user on a place, a further
// socket, an event of 200 bytes as long as it is kept, and a node with its connections.
func BenchmarkScaleMemory(b *testing.B) {
	b.Run("place", func(b *testing.B) {
		s, nodes := several(b, 1)
		keep(b, s, func(i int) { enter(b, nodes[0], place(fmt.Sprint("private-orders-", i)), user("1.1", "")) })
	})
	b.Run("user", func(b *testing.B) {
		s, nodes := several(b, 1)
		keep(b, s, func(i int) {
			enter(b, nodes[0], place(fmt.Sprint("presence-", i/100)), user(fmt.Sprint("1.", i+1), fmt.Sprint("user-", i)))
		})
	})
	b.Run("socket", func(b *testing.B) {
		s, nodes := several(b, 1)
		keep(b, s, func(i int) { enter(b, nodes[0], place("c"), user(fmt.Sprint("1.", i+1), "")) })
	})
	b.Run("event", func(b *testing.B) {
		s, nodes := several(b, 1)
		data := strings.Repeat("x", 200)
		keep(b, s, func(i int) {
			at := place(fmt.Sprint("c", i/1000)) // more would be more than is kept
			if i%1000 == 0 {
				enter(b, nodes[0], at, user("1.1", ""))
			}
			if _, err := nodes[0].Publish(context.Background(), channels.Envelope{Place: at, Name: "e", Data: data}); err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("node", func(b *testing.B) {
		s, own := redistest.Start(b, redistest.Options{AppendOnly: true}), prefix()
		benchNode(b, s.Addr(), own, nil)
		keep(b, s, func(int) { benchNode(b, s.Addr(), own, nil) })
	})
}
