// Package credentials reads what names an app and proves that one may use it, in the forms in which people already have
// it: a PUSHER_URL, or a group of environment variables as the official SDKs, Laravel and other servers name them.
//
// The server takes the first of these for its app (ForServer):
//
//	HARK_APP_ID, HARK_APP_KEY, HARK_APP_SECRET
//	PUSHER_URL
//	PUSHER_APP_ID, …KEY, …SECRET
//	REVERB_APP_ID, …
//	SOKETI_DEFAULT_APP_ID, …
//	SOCKUDO_DEFAULT_APP_ID, …
//
// A client needs to know where the server is as well (ForClient):
//
//	HARK_URL
//	PUSHER_URL
//	PUSHER_APP_ID, …KEY, …SECRET with PUSHER_HOST, PUSHER_PORT, PUSHER_SCHEME
//	REVERB_APP_ID, …KEY, …SECRET with REVERB_HOST, REVERB_PORT, REVERB_SCHEME, REVERB_SERVER_PATH
//
// A variable that is empty counts as not set. A group of which only a part is set is an error: the next one would be a
// different app than the one that was meant. No error has a secret in it.
package credentials
