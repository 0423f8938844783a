package scenarios

import (
	"context"
	"fmt"
	"net/http"

	"github.com/coder/websocket"
	"github.com/go-json-experiment/json"

	"hark/authz"
	"hark/conformance/internal/socket"
	"hark/protocol"
)

// dial connects where the next client would, with no client library: for what pusher-js would not send, and for cookies,
// which it does not send in Node.
func (w *world) dial(path string, header http.Header) *socket.Socket {
	w.t.Helper()
	return socket.Dial(w.t, w.host(), w.path(path), header)
}

// dialOnly is dial, but reads nothing.
func (w *world) dialOnly(path string, header http.Header) *socket.Socket {
	w.t.Helper()
	return socket.DialOnly(w.t, w.host(), w.path(path), header)
}

// path is where sockets connect, with something in front.
func (w *world) path(prefix string) string { return fmt.Sprintf("%s/app/k%d", prefix, w.n) }

func unmarshal(text string, to any) error { return json.Unmarshal([]byte(text), to) }

// signed subscribes with a signature of the app's own, and with no grant.
func (w *world) signed(c *socket.Socket, channel string) {
	w.t.Helper()
	auth := authz.Key{Key: "k1", Secret: "s1"}.ChannelAuth(protocol.SocketID(c.ID), channel, "", false)
	c.Send("pusher:subscribe", "", map[string]string{"channel": channel, "auth": auth})
}

// upgradeStatus returns what an upgrade that comes to nothing is answered.
func (w *world) upgradeStatus(header http.Header) int {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), deadline)
	defer cancel()
	conn, r, err := websocket.Dial(ctx, "ws://"+w.host()+"/app/k1?protocol=7", &websocket.DialOptions{HTTPHeader: header})
	if err == nil {
		_ = conn.CloseNow()
		w.t.Fatal("the upgrade succeeded")
	}
	if r == nil {
		w.t.Fatalf("the upgrade was not answered: %v", err)
	}
	return r.StatusCode
}
