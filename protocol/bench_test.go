package protocol_test

import (
	"strings"
	"testing"

	"hark/protocol"
)

// orderPaid is an event of about 200 bytes, a usual size.
var orderPaid = protocol.Event{
	Name:    `App\Events\OrderPaid`,
	Channel: "private-orders.17",
	Data:    `{"id":7,"total":"19.90","currency":"EUR","customer":{"id":42,"name":"Ada Lovelace"},"items":[1,2,3]}`,
}

func BenchmarkFrame(b *testing.B) {
	for _, c := range []struct {
		name string
		data string
	}{
		{"usual", orderPaid.Data},
		{"10kB JSON", "[" + strings.Repeat(`{"id":7,"name":"Ada"},`, 460) + "0]"},
		{"10kB text", strings.Repeat("x", 10240)},
	} {
		b.Run(c.name, func(b *testing.B) {
			e := orderPaid
			e.Data = c.data
			b.SetBytes(int64(len(c.data)))
			b.ReportAllocs()
			for b.Loop() {
				e.Frame()
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, c := range []struct{ name, message string }{
		{"ping", `{"event":"pusher:ping","data":{}}`},
		{"subscribe", `{"event":"pusher:subscribe","data":{"auth":"","channel":"orders"}}`},
		{"client event", `{"event":"client-typing","channel":"presence-room","data":{"on":true,"draft":"Dear Ada,"}}`},
		{"white space", `{"event": "client-typing", "channel": "presence-room", "data": {"on": true, "draft": "Dear Ada,"}}`},
		{"not ASCII at the end", `{"event":"client-typing","channel":"presence-room","data":{"on":true,"draft":"Chère Ada,"}}`},
		{"string data", `{"event":"client-typing","channel":"presence-room","data":"{\"on\":true,\"draft\":\"Dear Ada,\"}"}`},
	} {
		b.Run(c.name, func(b *testing.B) {
			in := []byte(c.message)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := protocol.Decode(in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkJoin(b *testing.B) {
	f := orderPaid.Frame()
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			protocol.Join(f)
		}
	})
	b.Run("ten", func(b *testing.B) {
		frames := []protocol.Frame{f, f, f, f, f, f, f, f, f, f}
		b.ReportAllocs()
		for b.Loop() {
			protocol.Join(frames...)
		}
	})
}

func BenchmarkParseTrigger(b *testing.B) {
	body := []byte(`{"name":"order-paid","channels":["orders"],"data":"{\"id\":7,\"total\":\"19.90\"}","socket_id":"123456.7890123"}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := protocol.ParseTrigger(body, protocol.Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}
