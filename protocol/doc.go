// Package protocol is the Pusher Channels wire and nothing else.
package protocol
