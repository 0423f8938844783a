// Package channels is the heart of Hark: who is connected, who is on which
// channel, and how what is published gets to them.
//
// # The way of a frame
//
// A client event, from the socket that sends it to the sockets that get it:
//
//	transport            reads a message            Socket.Receive
//	Socket.handle        what is it?                receive.go
//	Socket.clientEvent   may it be sent?            clientevent.go
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
// a goroutine would cost more. With a broker of many nodes that is the sink, since an
// event may be delivered after Publish has returned, and on other nodes.
//
// A trigger by REST enters at App.Trigger and takes the same way from
// Hub.publish on. A subscription takes it as an entry of the same lists
// (Socket.enter, Channel.join), so that subscription_succeeded, a cached event,
// and every event after it, leave in the order in which they happened.
//
// Where the application has filters on a channel, a client event waits for them in
// the channel's lane (filtering.go), and may become other deliveries (delivery.go),
// some of them not the same for all subscribers. Where it loads initial state, what
// comes after subscription_succeeded is held for the new subscriber, in the
// flusher's turn (hold.go), until that has been loaded (initial.go). What observers
// are told is appended to their queues where it happens (notices.go), and told from
// there (observers.go).
//
// # Who is it, and may they?
//
// Whom a socket speaks for is known from the first of these that says it:
//
//	before the handshake   the app's Authenticator, then the gates    Hub.Ask (ask.go)
//	pusher:signin          a signature, with what was granted         Socket.signin (user.go)
//	a subscription         whom it was granted to, or signed for      Socket.claimed (identity.go)
//
// An app signs for its channels itself, or it has Policies and leaves it to Hark who
// may be where. Then its auth endpoint keeps what it grants (App.Keep), on whichever
// node it was asked (GrantStore), and the subscribe redeems that; without it the policies are asked in the channel's lane
// (delegate.go). What was granted for a time, and identities, end by themselves
// (expiry.go): the sweeper looks at each socket when its first thing is due. What is
// taken back goes the way of an entry too (revoke.go), so that the client is told of
// the end behind what it still gets.
//
// The application's code is called by authz.Calls and authz.Registry only: off the
// goroutines that read and send, with a deadline, and under no lock. What is no
// answer is asked again, before the handshake for Config.HoldUpgrade, about a
// subscribe for as long as the client waits, and about a live subscription for a
// minute.
//
// A user who is signed in, or watched, is a place too (user.go): being online,
// going, and being thrown out are told in the broker's order like events.
//
// # The way of a command
//
// What is asked of an app's connections, whatever channels they are on, goes to all
// nodes as a Control, on a place of its own that every node holds:
//
//	App.Revoke, Broadcast, …   check, compile         control.go
//	Broker.Publish             which place in the order?
//	sink.Deliver               queue, never wait      carryout.go
//	App.runControl             one after the other    carryout.go
//	App.prepare                forget what was remembered, let the moment pass
//	App.pass                   for every connection   carryout.go
//	flusher.broadcast          a slice at a time      crowd.go
//
// The moment of an app is its last command's place in the order. A decision of a
// policy is as old as the moment when it began: what was taken back later, it does
// not give again (revoked.go).
//
// # The way of a question
//
// Who is connected is known to each node of its own connections only, so all are asked
// when somebody wants to know:
//
//	App.Connections, Users     check                         connections.go
//	App.ask                    two of an app, four in all
//	Broker.Ask                 all nodes that live, this one, too
//	sink.Answer                one of an app at a time       enumeration.go
//	App.enumerate              every connection, in copies of their lists
//	lowest                     the first behind the cursor   lowest.go
//	merge                      up to where all have told what they have
//
// # What holds
//
//   - On one channel all subscribers get events, and the comings and goings of
//     members, in one order: that of the Broker. There is no order between
//     channels.
//   - subscription_succeeded is the first that a socket hears of a channel; then
//     the cached event or cache_miss, then its initial state, then what is
//     published, in which nothing is missing and nothing is there twice.
//   - A publish that was accepted reaches every subscriber whose connection is
//     alive and keeps up. What a full list could not take is told to the channel
//     as hark:gap, and counted.
//   - A client that reads too slowly is closed with 4100; it costs nobody else
//     anything but its share of a pass.
//   - No goroutine that reads from or writes to sockets runs the application's code.
//     Whose hook is slow waits for it, nobody else; one that fails, or does not
//     answer in 3 s, has not said yes.
//   - An app's id is part of every key. Apps share nothing.
//   - Nothing is private to whom nobody has said yes. An error, a panic and no answer
//     in time are no yes; and a no that a client is told of is definite.
//   - A list of connections or users is that of all nodes, or an error names those that
//     are missing.
//   - What is triggered on a node after Revoke has returned there does not reach who
//     was revoked, and what had been signed or granted before does not bring it back.
//
// # Who waits for whom
//
// Hub.Run owns the flushers (one a CPU), a sweeper for each, what tells counts
// and absences when it is time, what carries out commands (one an app), what closes
// connections over a time, and the broker's Run; it returns when they have ended, and
// with them the readers, drains, lanes and calls of observers that connections started
// through Hub.Go. A lane in which something could not be done rests: it has no
// goroutine, and one watches over all that rests of a socket. A call of a hook that does
// not return when its time is over is not waited for: it is counted (Hub.HooksStuck),
// and when there are too many no more are made.
//
// Locks, in the order in which they are taken. Conn is called under flusher.turn,
// with a socket's first message under socketPart.mu, and under no other of these, but for
// what a broker of many nodes holds when it calls Sink.Deliver; Broker and Questions under
// none, Counters under Channel.mu:
//
//	Socket.doing           something that a socket asked for is being done at once
//	flusher.turn           whoever holds it sends to the flusher's sockets
//	rechecks.mu            subscriptions to ask the policies about; starts a task
//	revocations.mu         what was taken back; asks who a socket is and where
//	memoryShard.mu         to find, make and forget a place
//	memoryPlace.mu         Broker.Publish, Enter, Leave; the in-memory broker calls
//	                       Sink.Deliver under it
//	registryShard.mu       to find, hold and forget a channel
//	socketPart.mu          to find, add and forget a socket
//	Socket.mu              briefly, nothing is taken under it
//	Channel.mu             the publish lock
//	lanes.mu               what a socket waits for
//	observers.mu           briefly, what observers are to be told
//	tasks.mu               briefly; a lane and an observer start a task
//	flusher.mu, later.mu   briefly, the lists of channels with something to do
//	control.mu             briefly, commands; sink.Deliver takes it
//	closings.mu            briefly, nothing is taken under it
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
