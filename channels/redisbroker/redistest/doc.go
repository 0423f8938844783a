// Package redistest gives tests a Redis of their own, and bad networks in front of
// it: real redis-server processes on free loopback ports, alone, in a cluster, with
// replicas and Sentinels, by TLS, and a proxy that delays, loses and cuts what goes
// through it.
//
// Everything ends with the test and is waited for. Nothing sleeps and hopes: a
// server has started when it answers PING, and is polled for that until a deadline.
// Methods that take no context fail the test when they cannot do what they say, so
// they are called from its own goroutine.
package redistest
