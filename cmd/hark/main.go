package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() { os.Exit(run()) }

// run executes the command line and returns the exit code.
func run() int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go endOnSignal(signals, cancel) // lasts as long as the process
	err := root().ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "hark: "+err.Error())
	}
	return exitCode(err)
}

// endOnSignal ends the command in order at the first signal and the process at the second. It does not leave that one to
// the system, which lets the first process of a container live on.
func endOnSignal(signals <-chan os.Signal, end func()) {
	<-signals
	end()
	<-signals
	os.Exit(exitFailed)
}

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:           "hark",
		Short:         "A channels server that speaks the Pusher protocol, and tools to work with one",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.ArbitraryArgs, // else cobra's error for an unknown command is like any other
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
	}
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError(fmt.Errorf("%w (see %s --help)", err, cmd.CommandPath()))
	})
	cmd.AddCommand(
		serveCommand(),
		triggerCommand(),
		subscribeCommand(),
		channelsCommand(),
		usersCommand(),
		connectionsCommand(),
		policyCommand(),
		healthCommand(),
		conformanceCommand(),
		benchCommand(),
		versionCommand(),
	)
	return cmd
}
