//go:build linux

package main

import (
	"cmp"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hark/cmd/hark/internal/bench"
)

func floorAddress() string { return cmp.Or(os.Getenv("HARK_LISTEN"), "127.0.0.1:6001") }

func addSpan(flags *pflag.FlagSet, s *bench.Span, what string) {
	flags.DurationVar(&s.Duration, "duration", 5*time.Second, "how long to measure, after a fifth of it to warm up")
	flags.IntVar(&s.Events, "events", 0, "measure over this number of "+what+" instead, after a fifth of it (default: --duration)")
}

func addSize(flags *pflag.FlagSet, size *int) {
	flags.IntVar(size, "size", 128, "bytes of an event's data")
}

func benchFanout() *cobra.Command {
	var s bench.Fanout
	cmd := scenarioCommand("fanout", "CPU time of deliveries, with so many events under way",
		`Publishes an event when all subscribers have another, so that --outstanding events are under way all the time, and counts
deliveries per second of the server's CPU time. One event at a time shows what a delivery costs, several what the server
makes of a backlog.`, &s)
	flags := cmd.Flags()
	addSpan(flags, &s.Span, "events")
	addSize(flags, &s.Size)
	flags.IntVar(&s.Conns, "conns", 1000, "subscribers, spread evenly over the channels")
	flags.IntVar(&s.Channels, "channels", 1, "channels")
	flags.IntVar(&s.Outstanding, "outstanding", 1, "events under way, on all channels together")
	flags.BoolVar(&s.PerChannel, "per-channel", false, "--outstanding counts for each channel")
	flags.IntVar(&s.Publishers, "publishers", 0, "connections for triggers (default: two for each event under way, at most 64)")
	return cmd
}

func benchTrigger() *cobra.Command {
	var s bench.Trigger
	cmd := scenarioCommand("trigger", "CPU time of requests that publish",
		`Triggers events on a channel without subscribers by signed requests, over connections that stay open, one request under way
on each, and counts requests per second of the server's CPU time.`, &s)
	flags := cmd.Flags()
	addSpan(flags, &s.Span, "requests")
	addSize(flags, &s.Size)
	flags.IntVar(&s.Conns, "conns", 32, "connections")
	return cmd
}
