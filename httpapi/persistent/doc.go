// Package persistent serves connections that backends keep, for less than net/http does.
//
// Whoever triggers one event after the other keeps its connection (RFC 9112 §9.3). While
// net/http answers a request it has a goroutine read on, to notice that nobody waits for
// the answer any more; to start and end that wakes a second thread of a server that has
// little else to do. So from its second request on such a connection is taken over:
//
//	Connections.ServeHTTP     the first request is net/http's
//	└─ conn.serve             all later ones, on the goroutine of the second
//	   ├─ conn.next           read it, by net/http's parser
//	   ├─ conn.exchange       have it handled, and send its answer in one piece
//	   └─ conn.giveBack       or let net/http have it, and the connection with it
//
// What is served here is a plain POST with a Content-Length. net/http gets everything
// else, with each byte that has been read, and so says what is wrong with what it does
// not understand. Clients cannot tell the difference.
package persistent
