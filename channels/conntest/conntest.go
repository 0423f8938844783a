// Package conntest is the contract of channels.Conn as tests. Every transport
// runs it over the connections it makes:
//
//	conntest.Run(t, connect)           // over the network
//	conntest.RunInBubbles(t, connect)  // over net.Pipe, with time of its own
//
// A case makes its connections through connect, sends on the Conn, and looks at
// what the Peer gets. Peers read only when they are told to, so that a case can
// fill the Conn's outbox. The Conn may use up to 64 MiB of buffers, the
// kernel's included, before it calls a peer slow, and must hold 1 MiB.
package conntest

import (
	"testing"
	"testing/synctest"

	"hark/channels"
	"hark/protocol"
)

// A Peer is the client at the other end of a Conn.
type Peer interface {
	// Next reads the text of the next message. Once the connection has ended it
	// returns a *Closed if it was told a code, or any other error if not. It
	// fails the test when the transport's own rules are broken, and when
	// anything follows a close.
	Next() ([]byte, error)
	// Drop ends the connection without a word, now.
	Drop()
}

// Closed is the error of a Peer whose connection was closed with a code.
type Closed struct {
	Code   protocol.CloseCode
	Reason string
}

// Error returns the code and the reason.
func (c *Closed) Error() string { return "closed with " + c.Code.String() + ": " + c.Reason }

// Connect makes a connection, which ends with the test.
type Connect func(t *testing.T) (channels.Conn, Peer)

// A contract is one thing that every Conn does.
type contract struct {
	name string
	test func(t *testing.T, connect Connect)
	// timed says that the case lets time pass, and so needs a bubble.
	timed bool
}

var contracts = []contract{
	{name: "messages arrive whole and in order", test: inOrder},
	{name: "what had to wait arrives whole and in order", test: inOrderAfterWaiting},
	{name: "a pause of the reader changes nothing", test: inOrderWithPauses},
	{name: "an empty batch is nothing", test: emptyBatch},
	{name: "a batch is shared and not written to", test: sharedBatch},
	{name: "pings go between messages", test: pingsBetween},
	{name: "gathered batches arrive whole and in order", test: gathered},
	{name: "gathered batches pass no bound", test: gatheredSlow},
	{name: "a reader that stops is closed with 4100", test: slowReader},
	{name: "a batch over the bound is sent when nothing waits", test: largeBatch},
	{name: "a close comes after what was accepted", test: closeAfterQueue},
	{name: "only the first close counts", test: closeTwice},
	{name: "nothing is taken after a close", test: sendAfterClose},
	{name: "a long reason is cut", test: longReason},
	{name: "senders and closers may run at once", test: concurrent},
	{name: "a peer that is gone is an ErrClosed", test: peerGone},
	{name: "a slow reader that stays away is cut off", test: slowReaderStaysAway, timed: true},
	{name: "a close that is not read ends too", test: closeUnread, timed: true},
}

// Run runs the cases that need no time, each as a subtest.
func Run(t *testing.T, connect Connect) {
	for _, c := range contracts {
		if !c.timed {
			t.Run(c.name, func(t *testing.T) { c.test(t, connect) })
		}
	}
}

// RunInBubbles runs all cases, each as a subtest in a synctest bubble. There a
// call that blocks on a peer fails by itself.
func RunInBubbles(t *testing.T, connect Connect) {
	for _, c := range contracts {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.test(t, connect) })
		})
	}
}
