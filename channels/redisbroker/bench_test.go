package redisbroker_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"hark/channels"
	"hark/channels/redisbroker"
	"hark/channels/redisbroker/redistest"
)

// A stopwatch is a Sink that says when something has arrived.
type stopwatch struct {
	up      chan struct{}
	arrived chan string
	n       atomic.Int64
}

func (s *stopwatch) Deliver(e channels.Envelope) {
	s.n.Add(1)
	if s.arrived != nil && e.Kind == channels.KindEvent {
		s.arrived <- e.Name
	}
}
func (s *stopwatch) Answer(context.Context, string) (string, error) { return "here", nil }
func (s *stopwatch) Gap(channels.Place, channels.Snapshot)          {}
func (s *stopwatch) Correct(channels.Place, channels.Snapshot)      {}
func (s *stopwatch) State(err error) {
	if err == nil {
		close(s.up)
	}
}

func benchNode(b *testing.B, addr, own string, arrived chan string) (*redisbroker.Broker, *stopwatch) {
	b.Helper()
	broker, err := redisbroker.New(redisbroker.Config{Redis: redis.UniversalOptions{Addrs: []string{addr}}, Prefix: own})
	if err != nil {
		b.Fatal(err)
	}
	s := &stopwatch{up: make(chan struct{}), arrived: arrived}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = broker.Run(ctx, s) }()
	b.Cleanup(func() { cancel(); <-done })
	<-s.up
	return broker, s
}

// BenchmarkPublish has many publish at once, on a hundred places that another node holds.
func BenchmarkPublish(b *testing.B) {
	s := redistest.Start(b, redistest.Options{})
	own := prefix()
	a, _ := benchNode(b, s.Addr(), own, nil)
	other, told := benchNode(b, s.Addr(), own, nil)
	for i := range 100 {
		if _, err := other.Enter(b.Context(), place(fmt.Sprint("c", i)), user("1.1", "")); err != nil {
			b.Fatal(err)
		}
	}
	data := strings.Repeat("x", 200)
	var next atomic.Int64
	b.SetParallelism(64)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			p := place(fmt.Sprint("c", next.Add(1)%100))
			if _, err := a.Publish(context.Background(), channels.Envelope{Place: p, Name: "e", Data: data}); err != nil {
				b.Error(err)
			}
		}
	})
	b.StopTimer()
	b.ReportMetric(float64(told.n.Load())/float64(b.N), "delivered/op")
}

// BenchmarkDelivery is the time from a publish on one node to its delivery on another.
func BenchmarkDelivery(b *testing.B) {
	s := redistest.Start(b, redistest.Options{})
	own := prefix()
	a, _ := benchNode(b, s.Addr(), own, nil)
	arrived := make(chan string, 1)
	other, _ := benchNode(b, s.Addr(), own, arrived)
	if _, err := other.Enter(b.Context(), place("c"), user("1.1", "")); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := a.Publish(context.Background(), channels.Envelope{Place: place("c"), Name: "e", Data: "{}"}); err != nil {
			b.Fatal(err)
		}
		<-arrived
	}
}

// BenchmarkEnter has a user come and go on a place where others are.
func BenchmarkEnter(b *testing.B) {
	s := redistest.Start(b, redistest.Options{})
	a, _ := benchNode(b, s.Addr(), prefix(), nil)
	var next atomic.Int64
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		n := next.Add(1)
		o, p := user(fmt.Sprint("1.", n), fmt.Sprint("u", n)), place(fmt.Sprint("presence-", n%20))
		for pb.Next() {
			if _, err := a.Enter(context.Background(), p, o); err != nil {
				b.Error(err)
			}
			if err := a.Leave(context.Background(), p, o); err != nil {
				b.Error(err)
			}
		}
	})
}
