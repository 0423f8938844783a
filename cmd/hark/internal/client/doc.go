// Package client talks to a Pusher-compatible server as a backend does, with signed REST requests (Client), and as a
// browser does, over a websocket (Listen). It is what the commands of hark use; any server that speaks the protocol will do.
//
// A client stays connected as the official ones do:
//
//	connect                no answer at the first time: ConnectError
//	<- connection_established
//	-> subscribe ...       signed here, since the secret is at hand
//	<- subscription_succeeded, events
//	-> ping                after activity_timeout of silence; no answer in 30 s: connect again
//	closed with 4200-4299  connect again at once
//	closed with 4001-4099, 4300-  the end: ServerError
//	closed otherwise       connect again after a pause
//
// Errors carry the server's own text, for people to read.
package client
