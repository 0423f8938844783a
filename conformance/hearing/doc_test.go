// Package hearing compares what everybody hears with a model: random apps, tenants, users, channels and policies, played in
// memory and over real sockets.
package hearing
