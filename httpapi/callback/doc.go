// Package callback lets an application answer, over HTTP, what a program that embeds Hark answers with Go functions: who
// is this, may they be on this channel, what becomes of this client event, what does a new subscriber see first.
//
// Every question is a POST of one JSON object to the one URL that is configured:
//
//	X-Pusher-Key: k1
//	X-Pusher-Signature: hex(HMAC-SHA256(secret, body))     as of Pusher's webhooks: stock SDKs verify it
//	Hark-Callback: authorize                               the kind
//	Authorization, Cookie, Accept-Language                 as the client sent them, if they are on Config.Headers
//	X-Forwarded-For: 198.51.100.7                          the client's address
//	Traceparent                                            as the client sent it
//
//	{"time_ms":1790000000123,"id":"…","app":"1","kind":"authorize","socket_id":"123.456",
//	 "user":{"id":"7","tenant":"acme","roles":["editor"],"attrs":{}},"channel":"private-orders.7",
//	 "pattern":"private-orders.{id}","params":{"id":"7"},"cause":"join"}
//
// A guest is "user":null. With time_ms and id an application can refuse what is sent to it a second time. The kinds, with
// what else they send, and their answers of status 200:
//
//	authenticate    for ("upgrade" or "auth"), path    {"user":{"id":"7","tenant":"acme","info":{},"roles":[],"attrs":{}},
//	                                                    "expires_at":1790000900,"cache":30}; "user":null is a guest
//	authorize       channel, pattern, params, cause    {"allow":true,"info":{},"ttl":900,"cache":30}; null: no opinion
//	authorize_many  channels: [{channel, pattern,      {"decisions":{"private-a":{"allow":true},…}}; missing: no
//	                params},…], cause
//	client_event    channel, pattern, params,          {"verdict":"pass"}, "drop", {"verdict":"replace","event":…,"data":…},
//	                event, data                         {"verdict":"reject","code":4301,"message":…},
//	                                                    {"verdict":"route","deliveries":[{"channel","event","data","except"}]}
//	message         event, data                        {"events":[{"name":…,"data":…}]}, for the sender
//	subscribed      channel, pattern, params           {"events":[…]}, for this subscriber
//
// 401 means that the credentials are wrong ([authz.ErrUnauthenticated]), 403 and 404 no ([authz.ErrDenied]; a 404 to
// authenticate is none). Everything else, an answer that cannot be read too, means that the application could not be
// asked: [authz.ErrUnavailable], which is never yes. What is not known in an answer is ignored.
//
// What holds, for each [Client], which is one URL of one app:
//   - Questions of one socket that arrive within Config.Gather, as after a reconnect, are one authorize_many. Equal
//     questions that are under way are asked once. A caller who leaves takes nothing away from the others.
//   - A yes is remembered for as long as the answer says with "cache", at most a minute, for questions that look the same
//     to the application but for the socket, the time and the trace: an answer that depends on the socket must not have
//     "cache". A no is never remembered, nor an answer that was asked for before [Client.Invalidate]. A live
//     subscription that is looked at again (authz.Recheck) is always asked about.
//   - Of each kind only Config.Concurrency calls are under way and Config.Queue wait, which counts against their timeout.
//     One more is not made.
//   - An application that fails is left alone, kind by kind: after 5 failures in a row, or more than 10 among 20, nothing
//     is asked but one probe after a second, then after 2, then every 4 s at most. Meanwhile answers are immediate: ErrUnavailable.
//     authorize and authorize_many are one question in two forms, and share this and the bound on calls.
//   - The URL is only ever the one of the configuration. No redirect is followed, no proxy is taken from the environment,
//     certificates are verified, answers are bounded.
package callback
