//go:build !linux

package main

import (
	"errors"

	"github.com/spf13/cobra"
)

func benchCommand() *cobra.Command {
	return &cobra.Command{
		Use:                "bench SCENARIO",
		Short:              "Measure a server (on Linux)",
		DisableFlagParsing: true,
		RunE: func(*cobra.Command, []string) error {
			return errors.New("hark bench runs on Linux only: it counts on epoll and /proc; run it there, in a container for instance")
		},
	}
}
