// Package demo serves a page that shows what a channels server does: who is online across tabs, messages between
// browsers by client events, and the events of a public channel as a backend triggers them.
//
//	GET  /demo/       the page, its style and its scripts, embedded in the binary
//	POST /demo/auth   signs subscriptions to private and presence channels
//
// The browser side stands on hark.js, a client of the Pusher protocol in about eighty lines, so that the page needs nothing from
// elsewhere; real pages use pusher-js.
//
// It is for development only. The auth endpoint takes everybody's word for who they are: whoever reaches it may subscribe to
// every private channel of the app, as any user. hark serve wires it with --dev, where credentials are known and the
// listener is loopback.
//
// What the page shows was sent by others, so nothing of it is ever markup: scripts set textContent, and the
// content security policy (with Trusted Types) refuses the rest.
package demo
