// Package redisbroker is the Broker of many nodes: what happens on a place has one
// order for all of them, which a Redis keeps. That is a single Redis, one behind
// Sentinels, or a Redis Cluster.
//
// # The way of an event
//
//	Broker.Publish      encode, once                          broker.go, envelope.go
//	pipe                one round trip, with what else waits  pipe.go
//	publish.lua         the next position, the stream, the cached event, SPUBLISH: one step
//	line                the connection that subscribes        line.go
//	delivery            is it the next? else read the stream  delivery.go
//	Sink.Deliver        on every node that holds the place, the publisher's too
//
// Enter and Leave wait in their place's queue. One call at a time tells Redis what has
// become of all that waited (place.go, sync.go): how many sockets this node has there,
// and which users came or went. sync.lua counts, announces who came first and who went
// last, notes it for webhooks, and returns the state: one step, too. The first of a node
// on a place waits until the place is subscribed to, so that nothing is missed between
// the state and what follows it.
//
// # Keys
//
// Places are spread over partitions. A partition is a hash tag, {p0}, {p7}, …, so that
// all keys of a place are in one slot; in a Redis Cluster it is also a connection. Keys
// begin with Config.Prefix and the tag; APP is an app's id, with %, : and space escaped.
//
//	p:APP:CHANNEL      hash         e epoch, s sequence, m ms of the last entry, b bytes and
//	                                o oldest of the stream, t sockets, k whether that is told,
//	                                w nodes that keep it, r how often it was repaired, cn cd cu
//	                                the cached event and its end
//	s:APP:CHANNEL      stream       what happened; ids are ms-sequence
//	c:APP:CHANNEL      pub/sub      what happens (sharded)
//	n:APP:CHANNEL      hash         node -> version of its last telling : its sockets; a k
//	                                behind them if it keeps the place
//	u:APP:CHANNEL      hash         user -> on how many nodes
//	m:APP:CHANNEL      hash         user -> user_info
//	r:APP:CHANNEL      sorted set   users, in the order in which they came
//	o:NODE:APP:CHANNEL set          a node's users there
//	h:NODE             set          a node's places
//	occ:APP            sorted set   the channels with a socket, by name
//	leases             sorted set   node -> until when it lives
//	dead, fenced       sorted set   nodes that are swept, or will be, and whose lease was ended
//	about              hash         who this Redis is, until when it is being told anew, and
//	                                in one partition how many there are
//	line               pub/sub      nothing is said: a connection begins with it (sharded)
//	notes              stream       for webhooks: app channel event user epoch seq
//	d:ID               string       where a publish was put whose answer was lost; 60 s
//	g:APP:SOCKET:CHANNEL string     a grant for a socket of another node; 60 s
//
// The tag {c} has the commands to all nodes: s their stream, c their pub/sub channel,
// apps each app's last number, about the last of all. Their numbers are Redis's clock
// in microseconds, so that they increase whatever is lost. Questions to all nodes are
// said there, too, and nothing is kept of them; a:ID is the list of what nodes answer,
// for as long as the asker waits and a second more.
//
// A place that nobody is on is kept for Config.History, so that positions go on if
// somebody comes back, or until its cached event ends. Streams are trimmed by that age
// and by Config.HistoryBytes, not by count, and end that age and 5 to 10 s after their last entry.
//
// Notes are channel_occupied, channel_vacated, member_added and member_removed, in the
// order of the partition, each in the step that made it so.
//
// # What holds
//
//   - What Publish has accepted is delivered on each node that holds the place, in
//     order, without holes and once; or the place's subscribers are told of a gap, and
//     Counters counts it.
//   - A call whose answer was lost is made again, and has an effect once: a publish by
//     its id, a telling of who is there because it says what is and not what to do. A
//     publish is looked for in the stream: if Config.HistoryBytes of others have followed
//     it before it is made again, it may be there twice.
//   - A publish, a telling and an answer that reach Redis after their time, because Redis
//     or the network stood still, do nothing. Grants, beats, the steps of a sweep and, in a
//     Redis Cluster, commands to all nodes have no such time: late ones are carried out.
//     go-redis repeats nothing by itself.
//   - A user is announced at 0→1 and 1→0 over all nodes. Members and counts are those of
//     all nodes, or an error.
//   - A question is answered by every node that has a lease when it is asked, in seven
//     eighths of Config.Timeout, or those that are silent are named; where it is Redis
//     that does not answer, it is ErrUnavailable. A node takes its first lease when it
//     hears questions. It answers 64 at a time, with up to 1 MiB each: all that 16 nodes
//     ask.
//   - No queue is without a bound: calls (Config.Queue), the Enters and Leaves that wait
//     on a place (each is a caller's, who waits: as many as there are sockets, and there is
//     no other bound), what waits while a place is put in order (what is more is read from
//     the stream), tellings and catchings-up at a time. Sink.Deliver is called on the
//     goroutine that receives: when that is slow
//     Redis buffers, up to its client-output-buffer-limit, and then the connection is
//     made anew and caught up.
//   - A node is sent what happens on the places that it holds, and the commands.
//
// # When something fails
//
// A connection breaks, or is silent: it is made anew, and each place on it caught up
// from its stream. A stream that does not reach back far enough is a gap. One that Redis
// has closed while nothing was under way on it is not used again.
//
// Redis is away: Publish and Enter are ErrUnavailable, at once when that is known and
// within Config.Timeout before. Leave is applied here and told later. Nothing is
// delivered once this node's lease has run out by its own clock, until the commands
// that it has missed are read.
//
// A node dies: when its lease has run out by Redis's clock a node that has seen Redis
// up for one whole lease, in which neither stood still, ends it for good (fence.lua),
// then takes its sockets off its places in small steps that any node can continue
// (sweep.lua). Each lease has a name of its own: what a node says under one that was
// ended is refused. A node that was paused, or cut off, finds that out, takes a new
// lease and tells all that it has: its users went, and come again.
//
// A node ends in good order: it sends its clients to other nodes. Their connections are
// counted no more, but it keeps their users and places (Occupant.Returning): who comes
// back elsewhere has not been away, for clients, watchlists, counts of users and
// webhooks. A place that has nobody else counts one socket. When all are sent the node
// ends its own leases, and for Config.Handover nobody sweeps it; then whoever finds it
// takes away who has not come back, once. A user who comes back and goes again before
// that is gone then, too; a client that goes by itself is gone at once. A node that is
// killed on the way to its end has died like any other. Where it was the only one, what
// it kept stays in Redis, however long, until another starts. If it has ended in good
// order and Config.Handover is over, that one takes it away before its first clients come
// in (what it can within Config.Beat, the rest soon after), or else when it has seen Redis
// up for a lease.
//
// Redis restarts, or a replica takes over: nodes see that it is another process and
// tell it all that they have. What it still knew is not told to anybody again. What it
// had lost it takes without announcing it, since to the clients nobody has come or
// gone. Subscribers are told of the gap once, where it is. But because Redis may have
// lost more than one node can tell, for one lease it cannot say who is there: questions
// are ErrUnavailable, nobody is swept, and who comes or goes waits, however that shows (a
// member, a count, a channel that is occupied): what a node tells anew is only added. So a join is answered late, or at once where
// nobody is told of it. After the lease all that is told, and the state of the places
// that were repaired is handed over without a gap (Sink.Correct). A Redis that has lost
// everything refuses events for places that it does not know, for as long. A node that
// has just started takes an empty Redis for a new one, until another node has found it
// empty. With its data there is no gap. It keeps them with appendonly; with appendfsync
// everysec, which is the usual, a crash may lose the last seconds.
//
// A replica gets what its master has accepted a moment later, so that a master which fails
// may take the last of it along. A node that has heard that finds the place's history to be
// another one, tells the gap, and goes on from where both are the same. What nobody has
// heard is looked for by the node that published it, as far as that was within the last
// 10 s (accepted.go), before it publishes anything else; what is missing is told as a gap
// in the place's order. It stays unknown if that node has died with the master; and a note
// for webhooks may be lost with it. A master that is cut off goes on accepting until it is
// told of its successor: min-replicas-to-write bounds that. A failover behind Sentinels
// takes as long as their down-after-milliseconds, and about two seconds.
//
// In a Redis Cluster a slot may move, and its master may change. As long as one master
// is away with no replica in its place, all of it counts as away.
//
// # What Redis must be
//
// Version 7.0 or newer: an older one ends Run with an error. appendonly yes, or a
// restart loses what was accepted (subscribers are told); maxmemory-policy noeviction,
// or it may throw away who is present. Where they are not so, or cannot be read, that is
// logged at the start. Partitions is the same on all nodes of a prefix; another number
// ends Run with an error.
//
// With TLS each server's certificate is for the name or address by which it is reached.
//
// An ACL user needs, where the prefix is hark,
//
//	+@read +@write +@connection -@dangerous +eval +evalsha +spublish +ssubscribe +sunsubscribe
//	+time +info +config|get ~hark:* &hark:*
//
// in a Redis Cluster this, too:
//
//	+cluster|slots
//
// and a user of Sentinels, which have users of their own,
//
//	+@connection -@dangerous +sentinel|get-master-addr-by-name +sentinel|sentinels +subscribe
//	&+switch-master &+replica-reconf-done
//
// Grants stand in Redis as they are, with roles and attributes: who may read that Redis
// may read them.
//
// # Locks
//
// In the order in which they are taken: Broker.mu, place.mu, line.mu; delivery.turn,
// then what the Sink takes. delivery.turn and control.turn are held while the Sink is
// called: that makes the order of the broker the order of delivery. Under any of them
// may be taken, last, those of repairs, lease, sweeps, tasks and partition.
//
// # Scale
//
// What one Redis pays, by its own count, on 2 cores of an AMD EPYC that do other things,
// too: Redis 7.0 with appendonly, events of 200 bytes on places that n nodes hold, CPU
// time in µs. go test -run '^$' -bench Scale ./channels/redisbroker does it again.
//
//	                               n = 1    2    3    4   16   about
//	an event, one at a time           28   32   37   42  100   23 + 4.8 n
//	an event, 128 under way           12   12   12   12   16   11 + 0.27 n
//	a user joins and leaves           68   72   75   74        67 + 2 n
//	a socket comes and goes, alone    55
//	a node that does nothing        0.46 ms/s, 5 kB/s received, 230 kB
//
// An event is 500 bytes received and 44 + 302 n sent; of 10 000 channels it costs 3 µs
// more than of 100, of 1000 sockets a node as much as of one, and 1 µs more where older
// ones go. Memory: 875 bytes a place, 250 a user on it, 5 a further socket; 258 an event,
// for 60 to 70 s. All of it is on one thread. What follows is not measured:
//
//   - One Redis, half busy so that few wait, carries 0.5 s / (12 + 1) µs = 38 000 events a
//     second on four nodes. Eight masters that have a core each carry eight times that,
//     a cluster with the default of 32 partitions at most 32 times; a place is on one.
//   - Say 10⁶ connections on 20 nodes, each with a channel of its own and on a presence
//     channel of 50, where each says something every 30 s: 33 000 events a second, for
//     n = 20 (1 - 0.95⁵⁰) = 18.5. That is 33 000 (11 + 1 + 0.27 n) = 0.56 cores on one
//     Redis, and 4 200 (23 + 1 + 4.8 n) = 0.47 on each of eight, where few go together;
//     sent 190 MB/s; memory 10⁶ (875 + 250) + 33 000 · 65 · 258 bytes, 1.7 GB and what nodes add.
//
// Walls, in the order in which they are met on the way there:
//
//  1. Everybody comes back at once: 10⁶ (67 + 2 n + 55) / 2, 80 s of one Redis, 10 of
//     eight masters. Until then triggers wait, and fail after Config.Timeout. Nodes have
//     to be drained more slowly than that.
//  2. A channel that all nodes hold: 10⁶ / (23 + 1 + 4.8 n) events a second one at a time, on
//     100 nodes 2 000. More masters do not move it, fewer and larger nodes do.
//  3. Redis's network: 302 n bytes an event fill 10 Gbit/s with 4 million deliveries to
//     nodes a second. More masters move it, and having who shares a channel on one node.
//
// What a node meets is in README.md. How late events of another node are: make bench-nodes.
package redisbroker
