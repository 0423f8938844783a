// Package bench measures a server that speaks the Pusher protocol, from outside and on Linux: what a delivery, a connection or
// a request costs it in CPU time and memory, how late events arrive, and whether all of them arrive once and in order.
//
// A Target is the server, started here or found running; it may be several nodes, of which one takes requests and the others
// have the sockets. A Scenario loads it in one way and returns Figures. Compare runs one
// scenario against several servers in turn; a Check holds a figure against a number; a Report is what all runs had.
//
// The client costs less than the server that it measures: one thread with one epoll set serves all websockets and all
// requests, reads into one buffer, and parses of an event no more than the few bytes that say which it is.
//
//	loop.run        wait for sockets that are ready        loop_linux.go
//	loop.read       into the one buffer                    loop_linux.go
//	socket.take     cut into frames                        socket.go, frames.go
//	stamps.find     which event is it?                     stamp.go
//	ledger.receive  is it the one that had to come next?   ledger.go
//	                is it the last delivery of the event?  the scenario publishes the next
//
// What is checked: each subscriber gets each event once. All subscribers of a channel get them in one order, and events that
// one publisher sent, one after the other's answer, come in the order of sending. Lost, duplicated and reordered deliveries
// are counted, and make a run a failure.
//
// The floor server (ServeFloor) does the least that the same client can be used with. What it needs for an event is what the
// kernel takes for the writes.
package bench
