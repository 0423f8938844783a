// Package ws serves websockets: it turns each connection into a
// channels.Conn and brings what the client sends to its channels.Socket.
//
// github.com/coder/websocket does the handshake, and reads what has not come in one
// frame and one piece: a text, a ping or a pong that has is read here. Whatever else a
// peer may send or not, and its close, is coder's. It never writes a message. What goes out
// is framed once for all subscribers by package protocol, and one path brings
// it to the wire, the outbox of each connection:
//
//	Conn.Send   shared batches  -.
//	Conn.Close  a close frame    +-> outbox -> the kernel, without blocking
//	wire.Write  coder's control -'         `-> drain, a goroutine while the kernel takes no more
//	            frames
//
// The HTTP handler returns as soon as the socket is connected. A connection
// that has nothing to read is then parked: it owns no goroutine, no timer, no
// context and no buffer, and takes about 4.5 KiB of memory with one
// subscription, 1.5 of them coder's. One goroutine, the poller, waits for all
// of them:
//
//	parked -> something came -> a goroutine: intake -> (ws.Reader) -> Socket.Receive
//	   ^                                        |
//	   '---- nothing more, or silent for Handler.ParkAfter
//
// Where that cannot be (no Linux, TLS in this process, net.Pipe) a connection
// has a goroutine that reads, and takes 3.5 KiB more. The tests run both ways.
//
// Guarantees, for each connection:
//
//   - Frames leave whole and in the order of the calls. Control frames go
//     between messages, never into one.
//   - Nothing follows a Close frame. It carries the code and reason of whoever
//     closed first, and goes out even when it had to wait in line.
//   - No call blocks on the peer. What it does not read waits by reference, up
//     to Handler.Outbox bytes; over that it is closed with 4100.
//   - A connection that is being closed ends within 2 s, whether the peer reads
//     or not. One whose peer takes less than 16 KiB in 10 s of what waits ends
//     too.
//   - What has come in part is kept, however long the rest takes, and holds up
//     nobody else.
//   - The Socket's End is called once, when nothing more will be received.
//
// Pusher: https://pusher.com/docs/channels/library_auth_reference/pusher-websockets-protocol/
// RFC 6455: https://www.rfc-editor.org/rfc/rfc6455
package ws
