// Package authz answers "who is this, and may they?" for everything that is signed with an app's secret. It knows
// nothing of sockets: texts and values in, yes or a documented no out. The one thing in it that speaks HTTP is the
// [Endpoint], which pusher-js asks before it subscribes or signs in.
//
// Every signature is HMAC-SHA256(secret, string to sign) in lower-case hex. What is signed depends on the use, and every
// string to sign is built in one file, signature.go:
//
//	private, encrypted   socket_id:channel                        ChannelString, checked by Verifier.VerifyChannel
//	presence             socket_id:channel:channel_data           the same; so is any channel with a channel_data
//	user                 socket_id::user::user_data               UserString
//	REST request         METHOD\npath\nsorted parameters          RESTString, checked by Verifier.VerifyREST
//	webhook              the raw body                             SignWebhook, VerifyWebhook
//
// The data on encrypted channels is between the backend and its clients; of it there is only what an auth endpoint hands
// out, the [SharedSecret] of a channel.
//
// An app may have several live keys, so that a secret can be replaced without a gap: each of [Keys] may sign channels
// and REST requests. Webhooks are signed with the oldest. A [Verifier] is made of an app's keys once and checks
// everything from then on: it keeps keyed HMACs ready, and a REST request need not cost it an allocation.
//
// What holds:
//   - Closed by default: no key, an empty secret, a text that cannot be read, all mean no.
//   - Signatures cover exact bytes. channel_data and user_data are signed as they were received and never parsed or
//     encoded again; REST parameters are signed decoded, as the official verifier does.
//   - Signatures are compared in constant time.
//   - An error's text is meant for the client, in the words of the official server. It shows the string that should
//     have been signed and the signature that came, never a secret. A [Secret] does not print itself either.
//   - Every function may be called concurrently. None keeps or modifies its arguments.
//
// Pusher: https://pusher.com/docs/channels/library_auth_reference/auth-signatures/ (channels, users),
// https://pusher.com/docs/channels/library_auth_reference/rest-api/#authentication (REST) and
// https://pusher.com/docs/channels/server_api/webhooks/#authentication.
package authz
