package protocol_test

import (
	"fmt"

	"hark/protocol"
)

// One event, encoded once, for every websocket that subscribes to its channel.
func ExampleEvent_Frame() {
	f := protocol.Event{Name: "order-paid", Channel: "orders", Data: `{"id":7}`}.Frame()
	fmt.Printf("% x\n", f.Wire()[:2])
	fmt.Printf("%s\n", f.JSON())
	// Output:
	// 81 3d
	// {"event":"order-paid","channel":"orders","data":"{\"id\":7}"}
}

// Everybody gets the batch, but the socket that sent its second event.
func ExampleBatch_Without() {
	frame := func(data string) protocol.Frame {
		return protocol.Event{Name: "client-x", Channel: "private-a", Data: data}.Frame()
	}
	batch := protocol.Join(frame("1"), frame("2"), frame("3"))
	for text := range batch.Without(1).All() {
		fmt.Printf("%s\n", text)
	}
	// Output:
	// {"event":"client-x","channel":"private-a","data":"1"}
	// {"event":"client-x","channel":"private-a","data":"3"}
}

// A client's message, and what its data asks for.
func ExampleDecode() {
	m, err := protocol.Decode([]byte(`{"event":"pusher:subscribe","data":{"auth":"","channel":"orders"}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := protocol.ParseSubscribe(m.Data)
	fmt.Println(m.Name, s.Channel, protocol.KindOf(s.Channel), err)
	// Output: pusher:subscribe orders public <nil>
}

func ExampleKindOf() {
	for _, channel := range []string{"orders", "private-encrypted-cache-orders", "privateer", "presence-room"} {
		k := protocol.KindOf(channel)
		fmt.Println(channel, k, k.NeedsAuth())
	}
	// Output:
	// orders public false
	// private-encrypted-cache-orders private-encrypted-cache true
	// privateer public false
	// presence-room presence true
}
