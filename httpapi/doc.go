// Package httpapi is everything of Hark that speaks HTTP. It is the only package
// that imports gin.
//
//	POST /apps/{id}/events                   trigger one event on 1 to 100 channels
//	POST /apps/{id}/batch_events             trigger 1 to 10 events
//	GET  /apps/{id}/channels                 the occupied channels
//	GET  /apps/{id}/channels/{name}          one channel
//	GET  /apps/{id}/channels/{name}/users    the users on a presence channel
//	POST /apps/{id}/users/{user}/terminate_connections
//	                                         close what has signed in as a user (the
//	                                         others of a user: hark/terminate)
//	POST /users/{user}/terminate_connections the same, as the Python SDK asks
//
// What Hark adds, for all that clients of an app have connected to any node,
// whatever they are subscribed to:
//
//	POST /apps/{id}/hark/broadcast       {"to","name","data","except_socket"}
//	                                     an event without a channel: pusher.bind
//	POST /apps/{id}/hark/revoke          {"to","channels","reason"}
//	                                     end subscriptions, and what was granted
//	POST /apps/{id}/hark/recheck         {"to","channels"}
//	                                     ask the policies again
//	POST /apps/{id}/hark/reauthenticate  {"to","spread_ms"}
//	                                     close with 4200: clients come back at once
//	POST /apps/{id}/hark/terminate       {"to","reason"}
//	                                     close with 4009: clients stay away
//	POST /apps/{id}/hark/invalidate      {"user"} or {"everyone":true}
//	                                     forget answers that were remembered
//	GET  /apps/{id}/hark/connections     who is connected, to which node, on which channels
//	GET  /apps/{id}/hark/users           each user once, with the number of connections
//
// "to" is a channels.Selector, such as {"users":["7"]}, {"roles":["admin"]} or
// {"everyone":true}; one that is missing, empty or not understood is 400. "channels"
// is a name, or a pattern as authz.ParsePattern reads it. They are signed and
// answered like the others, so the generic calls of the PHP and Node SDKs reach
// them: $pusher->post('/hark/broadcast', …), pusher.post({path, body}). An event of
// /events and /batch_events may have a field "only", of the form of "to": then only
// those of its subscribers get it.
//
// The two lists take user, role and channel (a name, or a pattern), all of which must
// hold, limit (100; up to 1000) and cursor, which is the "next" of the page before; a page
// without "next" is the last. Their answers are those of [channels.App.Connections] and
// Users:
//
//	{"connections":[{"node","socket_id","user","channels","subscriptions","since"}],"next"}
//	{"users":[{"user","connections"}],"next"}
//
// "user" is an identity, {"id","tenant","info","roles",…}, and is not there for a guest.
// Where nodes did not answer in time, 2 s for all of it, the status is 503, and the same
// JSON has what the others said, and the names of these in "silent". Two pages of an app
// are asked for at a time on a node: one more is 503 at once, with a text.
//
// Deprecated are
//
//	POST /apps/{id}/channels/{name}/events   trigger; the body is the data (202)
//	GET  /apps/{id}/channels/{name}/stats    one channel
//
// All these are signed, as the SDKs of Pusher sign them, with any live key of the
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
// event (TestAllocations). net/http's work is less on connections that backends keep,
// if the server has them served by hark/httpapi/persistent, as hark serve does; IsTrigger
// tells it which requests.
//
// Pusher: https://pusher.com/docs/channels/library_auth_reference/rest-api/
package httpapi
