// Package jwt is an [authz.Authenticator] that reads JSON Web Tokens: the application's backend makes one for a user who
// has signed in, the client brings it along, and nobody has to be asked who that is.
//
//	request -> token (Sources) -> signature, times, issuer, audience -> Identity (Claims)
//
// A request has one token: the first that is found in an Authorization header, a cookie, the path or the query. What
// comes of it:
//
//   - there is no token: a guest, the zero Identity;
//   - the token is good: the Identity that its claims describe, until the token expires;
//   - the token is anything else, expired, for somebody else, not a token: [authz.ErrUnauthenticated]. It does not become
//     a guest, and no other source is tried;
//   - the keys to check it with could not be fetched: [authz.ErrUnavailable].
//
// # Keys
//
// The key is a shared secret, a public key, or a set of public keys at a URL (JWKS), which is fetched while
// [Authenticator.Run] runs: at its start, every 15 minutes, and when a token names a key that is not among them, at most
// every 10 seconds. A server whose issuer is away starts all the same, and keeps the keys that it has.
//
// The algorithm is never the token's choice. It has to be one that is configured, and the key has to be one that is made
// for it, so a public key is never mistaken for a secret; "none" is no algorithm.
//
// # Tokens in URLs
//
// A browser cannot give a websocket a header. Where a cookie will not do either, pusher-js can put the token into the path,
// with wsPath: '/t/' + token and Sources.Path "/t/". A URL ends up in logs, so such a token should live for minutes. A
// cookie, on the other hand, is sent along by the pages of strangers as well: whoever reads one has to check the Origin.
//
// RFC 7519 (tokens), 7515 and 7518 (signatures), 7517 (sets of keys), 8725 (what to watch out for).
package jwt
