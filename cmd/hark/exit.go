package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"hark/cmd/hark/internal/client"
)

// What a process ends with. Scripts rely on these.
const (
	exitOK           = 0
	exitFailed       = 1
	exitUsage        = 2 // called or configured wrongly
	exitConnect      = 3 // no server to talk to
	exitUnauthorized = 4 // the server does not know the app or the key
	exitCheck        = 5 // what was expected did not happen, or somebody is not allowed what was asked about
)

// A codeError ends the process with a code of its own.
type codeError struct {
	code int
	error
}

func (e codeError) Unwrap() error { return e.error }

func usageError(err error) error { return codeError{exitUsage, err} }

func usagef(format string, args ...any) error { return usageError(fmt.Errorf(format, args...)) }

// exitCode says what the process ends with after err.
func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	if e, ok := errors.AsType[codeError](err); ok {
		return e.code
	}
	if _, ok := errors.AsType[*client.ConnectError](err); ok {
		return exitConnect
	}
	if e, ok := errors.AsType[*client.ServerError](err); ok && e.Unauthorized() {
		return exitUnauthorized
	}
	return exitFailed
}

// args makes a usage error of what a cobra check says.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usagef("%w; usage: %s", err, cmd.UseLine())
		}
		return nil
	}
}

func unknownCommand(cmd *cobra.Command, name string) error {
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(name); len(near) > 0 {
		return usagef("unknown command %q; did you mean %s?", name, strings.Join(near, " or "))
	}
	return usagef("unknown command %q; %s --help lists them", name, cmd.CommandPath())
}
