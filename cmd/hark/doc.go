// Command hark is a channels server that real clients use unchanged, because it speaks the Pusher protocol, and the tools
// to work with such a server.
//
//	hark serve       run the server; --dev to try it on this machine
//	hark trigger     publish an event
//	hark subscribe   print what arrives on channels
//	hark channels    list the channels that somebody is on
//	hark users       list the users on a presence channel, or of all connections to a Hark
//	hark connections list the connections to a Hark
//	hark policy      explain who may be on which channel
//	hark conformance check whether a server speaks the protocol
//	hark bench       measure a server (Linux)
//	hark health      say whether a server is alive, or ready, by the exit code
//	hark version     say which build this is
//
// All but serve, connections, policy, health and version work with any server that speaks the protocol. They are told which by
// --url PUSHER_URL or by the environment: HARK_URL, PUSHER_URL, PUSHER_APP_ID/KEY/SECRET with PUSHER_HOST/PORT/SCHEME,
// REVERB_* likewise, HARK_APP_ID/KEY/SECRET for the server on this machine.
//
// What a command was asked for goes to standard output, with -o json for programs; what it has to say about it goes to
// standard error. Exit codes: 0 all is well, 1 it failed, 2 it was called or configured wrongly, 3 there is no server to
// talk to, 4 the server does not know the app or the key, 5 what was expected did not happen, or somebody
// is not allowed what was asked about.
//
// This package parses and wires. The configuration of serve is in internal/config, the forms in which an app is named in
// internal/credentials, the client of the other commands in internal/client, that of bench in internal/bench.
package main
