// Package httpapi is everything of Hark that speaks HTTP. It is the only package
// that imports gin.
//
//	POST /apps/{id}/events                   trigger one event on 1 to 100 channels
//	POST /apps/{id}/batch_events             trigger 1 to 10 events
//	GET  /apps/{id}/channels                 the occupied channels
//	GET  /apps/{id}/channels/{name}          one channel
//	GET  /apps/{id}/channels/{name}/users    the users on a presence channel
//	POST /apps/{id}/users/{user}/terminate_connections
//	                                         close what is signed in as a user
//	POST /users/{user}/terminate_connections the same, as the Python SDK asks
//
// and, deprecated,
//
//	POST /apps/{id}/channels/{name}/events   trigger; the body is the data (202)
//	GET  /apps/{id}/channels/{name}/stats    one channel
//
// These are signed, as the SDKs of Pusher sign them, with any live key of the
// app; {id} may be one of the app's aliases. Answers are 200 and a JSON object,
// refusals plain text in the words of the official API where they are known:
//
//	400  a parameter is missing or wrong      404  no such app or path
//	401  not signed, or not rightly           405  no such method on this path
//	403  the app is disabled                  413  the data or the body is too large
//	503  what the text names did not get the event; a retry may deliver twice.
//	     Without Retry-After the event is out and only info is missing.
//
// What clients ask before they subscribe or sign in, where Config.Auth has an
// [authz.Endpoint] for their app, which says how it answers:
//
//	POST /pusher/auth                        may this socket subscribe?
//	POST /pusher/user-auth                   who signs in with this socket?
//
// Open to everybody are / /up /live /healthz (alive), /up/{id} (does this app
// exist?), /ready /readyz /accept-traffic (ready to serve; 503 while not), the
// paths that probes written for other servers ask for. Websocket upgrades, at
// any path, are matched before all of this, and so are GETs of other paths that
// end in /app/{key}.
//
// A trigger costs net/http's work and little else: the signature is checked in
// one pass over the query, the body is read into memory that the next request
// reads over, so nothing may keep a part of it, and what is allocated is the
// event (TestAllocations).
//
// Pusher: https://pusher.com/docs/channels/library_auth_reference/rest-api/
package httpapi
