// Package channels is the heart of Hark: who is connected, who is on which
// channel, and how what is published gets to them.
//
// # The way of a frame
//
// A client event, from the socket that sends it to the sockets that get it:
//
//	transport            reads a message            Socket.Receive
//	Socket.handle        what is it?                receive.go
//	Socket.clientEvent   may it be sent?            receive.go
//	Hub.publish          is there room?             hub.go
//	Broker.Publish       which place in the order?  memory.go
//	sink.Deliver         who here holds the place?  sink.go
//	Channel.deliver      encode once, append        channel.go
//	feed.appendLocked    one list a flusher         feed.go
//	flusher.serve        whose turn is it?          flusher.go
//	feed.begin           join frames to a batch     feed.go
//	feed.step            for every subscriber       feed.go
//	flusher.send         now, or with other places  flusher.go
//	Conn.Send            one write                  the transport
//
// Where few are subscribed, whoever publishes, joins or leaves does the flusher's
// part itself, after the locks of the above are released (flusher.help): to wake
// a goroutine would cost more.
//
// A trigger by REST enters at App.Trigger and takes the same way from
// Hub.publish on. A subscription takes it as an entry of the same lists
// (Socket.enter, Channel.join), so that subscription_succeeded, a cached event,
// and every event after it, leave in the order in which they happened.
//
// A user who is signed in, or watched, is a place too (user.go): being online,
// going, and being thrown out are told in the broker's order like events.
//
// # What holds
//
//   - On one channel all subscribers get events, and the comings and goings of
//     members, in one order: that of the Broker. There is no order between
//     channels.
//   - subscription_succeeded is the first that a socket hears of a channel. What
//     is published after it is neither missing nor there twice.
//   - A publish that was accepted reaches every subscriber whose connection is
//     alive and keeps up. What a full list could not take is told to the channel
//     as hark:gap, and counted.
//   - A client that reads too slowly is closed with 4100; it costs nobody else
//     anything but its share of a pass.
//   - An app's id is part of every key. Apps share nothing.
//
// # Who waits for whom
//
// Hub.Run owns the flushers (one a CPU), a sweeper for each, what tells counts
// and absences when it is time, and the broker's Run; it returns when they have
// ended, and with them the readers, drains and lanes that connections started
// through Hub.Go.
//
// Locks, in the order in which they are taken. Conn is called under flusher.turn
// and no other, Broker and Questions under none, Counters under Channel.mu:
//
//	Socket.doing           something that a socket asked for is being done at once
//	flusher.turn           whoever holds it sends to the flusher's sockets
//	lanes.mu, tasks.mu     what a socket waits for; a lane starts a task
//	memoryShard.mu         to find, make and forget a place
//	memoryPlace.mu         Broker.Publish, Enter, Leave; the in-memory broker calls
//	                       Sink.Deliver under it
//	registryShard.mu       to find, hold and forget a channel
//	socketPart.mu          briefly, nothing is taken under it
//	Socket.mu              briefly, nothing is taken under it
//	Channel.mu             the publish lock
//	flusher.mu, later.mu   briefly, the lists of channels with something to do
//
// # Regrets
//
// The in-memory broker keeps a roster beside the one that a node keeps of the
// places it holds. They are the same on a single node.
//
// The bound of an entry list is for events. Joins, leaves, members and counts
// are appended whatever its size: each answers something that one socket did,
// and none can be left out.
package channels
