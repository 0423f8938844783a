// Package presence answers "who is here", as plain values without I/O, clocks or goroutines.
//
// A presence channel counts users, not sockets. One user may be there with many sockets (tabs, devices, nodes); the
// others are told that the user came with the first socket and that the user went with the last:
//
//	socket of "42" joins     0 -> 1   Diff: "42" added      pusher_internal:member_added
//	another one joins        1 -> 2   no Diff
//	one of them leaves       2 -> 1   no Diff
//	the last one leaves      1 -> 0   Diff: "42" removed    pusher_internal:member_removed
//
// A [Roster] is used in one of two ways. The authority of a channel calls Join and Leave for every socket and hands on
// the Diffs; there is one authority in a cluster, the broker. Everybody else keeps a copy which begins with the
// authority's members and then follows its Diffs with Apply.
//
// What holds:
//   - Between two Diffs that say a user was added there is exactly one that says the same user was removed.
//   - Len is the number of distinct users; All names each of them once, in the order in which they became present.
//   - The user_info of a user is that of the socket which made the user present, until the user is gone. Pusher does
//     not say which one wins; the first is the one that everybody has already been told.
//   - Apply may see a Diff twice in a row (a broker delivers again after a reconnect) and changes nothing the second
//     time.
//
// Pusher: https://pusher.com/docs/channels/using_channels/presence-channels/ and
// https://pusher.com/docs/channels/library_auth_reference/pusher-websockets-protocol/ (presence channel events).
package presence
