// Package authz answers two questions: who is this, and may they? It knows nothing of sockets. Requests, names and
// values go in; an identity, a grant or a documented no comes out. The one thing in it that speaks HTTP is the [Endpoint],
// which pusher-js asks before it subscribes or signs in.
//
// # Who is this
//
// An [Authenticator] looks at the HTTP request that opens a connection, or that asks the auth endpoint, and returns an
// [Identity]: an id that is unique within the app, and what policies may want to know beside it, a tenant, roles,
// attributes. The zero Identity is a guest, which is no error. An application brings its own Authenticator, or takes one
// that is ready (hark/authz/jwt).
//
// # May they
//
// Public channels are open. Of the others each has a [Policy], a function that is asked for a [Decision]: allow, deny, or
// no opinion. A [Registry] holds the policies by patterns of names ([Pattern]), and several may be for one channel:
//
//	policies := authz.NewRegistry()
//	policies.Handle("private-user={id}", authz.Owner("id"))
//	policies.Handle("private-doc.{type}.{name...}", authz.SignedIn())
//	policies.Handle("private-doc.salary.{name...}", authz.RoleIn("hr"))
//
// Somebody gets onto a channel if one of its policies allows it and none denies it. [Registry] says it in full, and
// [Registry.Explain] for one case. Names are made of an application's own values with [hark/protocol.EscapeSegment], so
// that a document called "a.b" does not become another one's channel.
//
// # Three kinds of no
//
// Whatever cannot say yes says one of these, and callers tell them apart with errors.Is:
//
//	ErrUnauthenticated   the credentials are wrong: who are you?            401, close 4009
//	ErrDenied            known, and not allowed; or there is no such thing  403
//	ErrUnavailable       nobody could be asked: try again                   503
//
// Policies and authenticators are the application's code. They are called on a goroutine of their own and get
// [HookTimeout]; an error, a panic and silence are all ErrUnavailable ([Calls]). None is ever a yes.
//
// # Grants and signatures
//
// A yes is a [Grant]: who joined, what others see of them, for how long. It is kept on the server under the socket and
// the channel ([Keeper]) and never sent. What is sent is what any Pusher client knows, the signature "this socket may
// have this channel", made with a secret of the app:
//
//	client                    Endpoint                                socket
//	  | POST socket_id, channel  |                                      |
//	  |------------------------->| Authenticate, Decide, Keep           |
//	  |   {"auth":"key:d34db33f"}| Key.ChannelAuth                      |
//	  |<-------------------------|                                      |
//	  | pusher:subscribe with that auth                                 |
//	  |---------------------------------------------------------------->| VerifyChannel, then the grant
//
// An application may just as well sign for itself, with any of Pusher's libraries: then there is no grant, and the
// signature is all that counts.
//
// Every signature is HMAC-SHA256(secret, text) in lower-case hex. Which text, is said in one file, signature.go:
//
//	private, encrypted   socket_id:channel                    ChannelString, checked by Verifier.VerifyChannel
//	presence             socket_id:channel:channel_data       the same; so is any channel with a channel_data
//	user                 socket_id::user::user_data           UserString, checked by Verifier.VerifyUser
//	REST request         METHOD\npath\nsorted parameters      RESTString, checked by Verifier.VerifyREST
//	webhook              the raw body                         SignWebhook, VerifyWebhook
//
// An app may have several live [Keys], so that a secret can be replaced without a gap: each of them may sign channels,
// users and REST requests. Webhooks are signed with the oldest. A [Verifier] is made of them once and checks everything
// from then on. The data on encrypted channels is between the backend and its clients; of it there is only what an auth
// endpoint hands out, the [SharedSecret] of a channel.
//
// # What holds
//
//   - Closed by default: no policy, no key, an empty secret, a text that cannot be read, all mean no.
//   - The order in which policies are registered changes nothing.
//   - Signatures cover exact bytes. channel_data and user_data are signed as they were received and never parsed or
//     encoded again; REST parameters are signed decoded, as the official verifier does. They are compared in constant
//     time.
//   - The error of a Verifier is meant for the client, in the words of the official server: it shows the text that should
//     have been signed and the signature that came, never a secret. The error of a Registry is for the log: it says which
//     policy said no, which no client is told. A [Secret] does not print itself either.
//   - Everything may be called concurrently, once it is set up. Nothing keeps or modifies its arguments.
//
// Pusher: https://pusher.com/docs/channels/library_auth_reference/auth-signatures/ (channels, users),
// https://pusher.com/docs/channels/library_auth_reference/rest-api/#authentication (REST) and
// https://pusher.com/docs/channels/server_api/webhooks/#authentication.
package authz
