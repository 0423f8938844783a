// Package conformance says whether a server speaks the Pusher Channels
// protocol. What that means is written down in transcripts, testdata/*.txt,
// which are read by people and run against servers: each is a rule, where the
// rule comes from, and conversations between clients, a backend and the server.
//
// The package knows nothing of any server. It signs, frames and compares JSON
// itself, so that a mistake that a server and its own library share is found;
// of package protocol it takes the names of events and the shape of the limits.
//
// # Transcripts
//
//	Text on top: what the rule is, and why.
//
//	source: https://pusher.com/docs/…
//
//	== the name of a case
//	app: client_events=off limits.members=2
//	# Why this case is here.
//	connect a
//	a subscribes orders
//	a < {"event":"pusher_internal:subscription_succeeded","channel":"orders","data":"{}"}
//	POST /events {"name":"e","channel":"orders","data":"x"}
//	-> 200 {}
//	a < {"event":"e","channel":"orders","data":"x"}
//
// A case has a server of its own if it has an app line, otherwise it takes the
// one that is tested as it is. What a client hears and the transcript does not
// say fails the case, and so does a connection that ends unannounced: at the
// end of a case every client that is still connected is asked whether it hears
// nothing more.
//
// The steps, where a and b stand for any client:
//
//	connect a [PATH]            connects, and takes connection_established; "connect a to other"
//	                            connects to the app of that name
//	open a PATH                 connects and takes nothing
//	a > TEXT                    sends a text message
//	a < JSON                    the next message is this
//	a subscribes C [as DATA]    sends a pusher:subscribe, signed where the name asks for it
//	a joins C [as DATA]         subscribes, and succeeds
//	a unsubscribes C
//	a signs in as DATA          sends a pusher:signin, signed, with this user_data
//	a becomes DATA              signs in, and succeeds
//	a refused C TYPE STATUS TEXT    the next message refuses a subscribe with this text; the
//	                            subscription_error of channel C that may follow says the same
//	a gets error CODE TEXT      the next message is a pusher:error; CODE may be null
//	a gets ping|pong TEXT       the next frame is that control frame
//	a sends KIND "GO STRING"…   sends a frame: text, binary, ping, pong; text in several fragments;
//	                            or, as wire, bytes as they are
//	a answers no pings          from here on ping frames are to be expected with gets
//	a hears nothing             see below
//	a hears nothing for 50s     and stays silent itself
//	a closed CODE ["REASON"]    the server closes; CODE may be "4006|4007", or dropped for none
//	a closes                    the client closes
//	a drops                     the client is gone without a word
//	crowd 99 joins C [as DATA]  so many more clients join, # in DATA is a number for each; what they
//	                            hear is not looked at
//	crowd 2 drops               so many of them are gone without a word
//	wait 1s                     nobody does anything
//	server ends                 the server begins to shut down; only in a case with an app line
//	GET|POST… PATH [BODY]       a signed request; PATH is below the app, or begins with /apps/.
//	                            Indented lines "name: value" below it replace parameters of the
//	                            query, "-" removes one, "capitals" spells it in such letters,
//	                            "now-600s" is a time, and body: "GO STRING" is the body; unsigned
//	                            in front leaves path and query alone, and the lines below are
//	                            headers; appless leaves the path
//	-> STATUS [JSON or TEXT]    the answer; STATUS may be "401|404"
//
// The settings of an app line are client_events, subscription_count, watchlists
// and disabled (on or off), cache_ttl and authorize_within, alias, keys, and the
// limits by their names: limits.members=2.
//
// Durations are Go's, or activity+30s: activity is the activity_timeout that
// the client was told.
//
// JSON is compared as values; strings, that is data too, byte for byte. A member
// "data as json" says that data is a string which holds JSON equal to this one,
// and {"in any order":[…]} stands for an array whose order nobody promised. In
// what is expected, {any} stands for any text, or alone in its quotes for any
// value; {integer} for digits, or alone in its quotes for a whole number above
// zero. An answer that is no JSON is compared as text, without the newline at
// its end.
//
// In everything that is sent or expected
//
//	{key} {app} {other.key} {other.app} {key2}    name the app and its keys
//	{a.id}                       is a's socket id
//	{auth a C} {auth a C key2}   is the auth that opens channel C to a
//	{capitals a C}               is the same with its signature in capital letters
//	{repeat 3 x#}                is x1x2x3
//	{pad 65536 x}                is as many x as give the text that length in bytes
//
// # How a silence is shown
//
// "a hears nothing" does not wait. On each channel that a is on, the backend
// publishes an event of the suite's own; it has to come, with nothing before it,
// since a channel has one order. (Cache channels are left out: they would keep
// it.) Then a pings and takes the pong, since replies have an order too.
// Target.Settle, where there is one, covers what neither does. Only a rule about
// time is tested by letting it pass.
//
// Nothing orders what two clients send, so a transcript that depends on it takes
// an answer in between.
package conformance
