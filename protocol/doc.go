// Package protocol is the Pusher Channels wire and nothing else: what clients, the server and backends say to each other,
// as values with encoders and parsers. It has no I/O, no goroutine and no clock.
//
// # The conversation with a client
//
// Each line is one websocket text frame of one JSON object: C is the client, S the server, S* the server to the others on
// the channel. What stands after the event's name is its channel, then its data.
//
// A client connects to /app/KEY?protocol=7&client=js&version=8.6.0 ([CheckVersion]).
//
//	S   pusher:connection_established  {"socket_id":"123.456","activity_timeout":50}   first of all, at once
//
// Or it is refused: after the upgrade, so that it can read why, with an error and a close frame ([CloseCode], [CutReason]).
//
//	S   pusher:error                   {"code":4001,"message":"App key X not in this cluster. …"}
//	S   close frame                    4001 with the same text
//
// It subscribes to a public channel. Names tell the kinds apart ([KindOf]).
//
//	C   pusher:subscribe               {"channel":"orders","auth":""}
//	S   pusher_internal:subscription_succeeded  orders  {}
//	S   order-paid                     orders  whatever the backend published, to all subscribers
//
// It subscribes to a private channel, with a signature that its backend made for this socket and this channel.
//
//	C   pusher:subscribe               {"channel":"private-a","auth":"KEY:signature"}
//	S   pusher_internal:subscription_succeeded  private-a  {}
//
// Or that is refused ([Rejection]); the connection stays open.
//
//	S   pusher:error                   {"code":null,"message":"Invalid signature: …"}
//	S   pusher:subscription_error      private-a  {"type":"AuthError","error":"Invalid signature: …","status":401}
//
// It subscribes to a presence channel: the signature covers who the user is, too ([ParseMember]).
//
//	C   pusher:subscribe               {"channel":"presence-room","auth":"KEY:signature","channel_data":"{\"user_id\":\"42\"}"}
//	S   pusher_internal:subscription_succeeded  presence-room  {"presence":{"count":2,"ids":["42","7"],"hash":{"42":{},"7":{}}}}
//	S*  pusher_internal:member_added   presence-room  {"user_id":"42","user_info":{}}   with the user's first socket only
//	S*  pusher_internal:member_removed presence-room  {"user_id":"42"}                  when the last one has left
//
// On private and presence channels it may send events to the others, if the app allows it.
//
//	C   client-typing                  presence-room  {"on":true}
//	S*  client-typing                  presence-room  {"on":true}   and user_id 42, which the server knows, not the client
//	S   pusher:error                   {"code":4301,"message":"…"}  to the sender instead, when it sends too many
//
// A cache channel tells the last event to those who come later; one of these follows the success.
//
//	S   order-paid                     cache-orders  the event that is kept
//	S   pusher:cache_miss              cache-orders  {}   there is none
//
// It leaves a channel. There is no answer.
//
//	C   pusher:unsubscribe             {"channel":"orders"}
//
// Whoever hears nothing for a while asks. Every frame counts as heard, those of the websocket's own pings too.
//
//	C   pusher:ping                    {}
//	S   pusher:pong                    {}
//	S   pusher:ping                    {}
//	C   pusher:pong                    {}
//	S   close frame                    4201 if that does not come
//
// What the server does not understand is answered, and closes nothing.
//
//	C   hello
//	S   pusher:error                   {"code":null,"message":"Received invalid JSON"}
//
// The data of whatever the server sends is a JSON string that holds such JSON, with the exception of pusher:error, where it
// is an object: Swift clients drop an event whose data is no string. A client may send either ([Decode]).
//
// # The conversation with a backend
//
// HTTP requests to /apps/ID/…, signed; refusals are plain text ([RESTError]).
//
//	POST events        {"name":"order-paid","channels":["orders"],"data":"{\"id\":7}"}   200 {}   ParseTrigger
//	POST batch_events  {"batch":[{"name":"e","channel":"a","data":"1"}]}                 200 {}   ParseBatch
//	GET channels                200 {"channels":{"orders":{}}}                    ChannelsResponse
//	GET channels/NAME           200 {"occupied":true,"subscription_count":3}      ChannelState
//	GET channels/NAME/users     200 {"users":[{"id":"42"}]}                       UsersResponse
//
// And what the server tells the backend: POST {"time_ms":…,"events":[…]} ([WebhookBody]).
//
// # From values to bytes
//
//	bytes of a client -> Decode -> Message -> ParseSubscribe, ParseUnsubscribe or a client event
//	Event -> Frame, encoded once and shared by all subscribers -> Batch, what one write takes
//
// # Guarantees
//
// Data is passed on byte for byte: never parsed, never encoded again, since signatures and encryption cover exact bytes.
// What is sent is valid UTF-8 and valid JSON whatever the values hold. Parsers take any input without a panic, hold no
// reference to it, refuse names that occur twice in an object, and bound by [Limits] what they keep.
// All functions and values may be used concurrently, as nothing here changes once it is made.
//
// # Sources
//
// https://pusher.com/docs/channels/library_auth_reference/pusher-websockets-protocol/
// and https://pusher.com/docs/channels/library_auth_reference/rest-api/, and where they are silent or wrong the source of
// the official clients and SDKs. Texts marked as official are what the official server was seen to send.
package protocol
