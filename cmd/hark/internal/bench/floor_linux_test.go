package bench

import (
	"context"
	"net"
	"testing"

	"github.com/coder/websocket"
)

// TestFloorEnds has a websocket open when the server ends.
func TestFloorEnds(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- ServeFloor(ctx, l) }()
	conn, _, err := websocket.Dial(t.Context(), "ws://"+l.Addr().String()+"/app/key", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	if _, text, err := conn.Read(t.Context()); err != nil || eventName(text) != eventEstablished {
		t.Fatalf("%s, %v; want %s", text, err, eventEstablished)
	}
	cancel()
	if _, text, err := conn.Read(t.Context()); err == nil {
		t.Errorf("%s, want the end of the connection", text)
	}
	if err := <-served; err != nil {
		t.Errorf("ServeFloor: %v", err)
	}
}
