// Package config says how a server is to be started: from a file, the environment and flags to one checked Config.
//
//	Default       what holds when nobody says anything
//	binder        the file: strict, every mistake with its line and column
//	readEnvironment  the environment: HARK_*, and the names under which others have a port or a first app
//	Options       flags
//	check         the rules that hold wherever a value came from
//
// Each step overrides the one before it. Mistakes are collected and told together, each with the place it was made at:
//
//	hark.yaml:3:1: unknown key "lisen" (did you mean "listen"?)
//	HARK_DRAIN: want a duration like 30s, not "soon"
//
// A secret in the file, or a public key, may be written as ${VAR}, which any other text may be too, or as file:///path. No
// message and no log line has a secret in it.
//
// Who may be on which channel is part of the file, too: policies are rules or applications that are asked. They are
// compiled while the file is checked, so that a server with a mistake in one does not start.
package config
