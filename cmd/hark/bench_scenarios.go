//go:build linux

package main

import (
	"cmp"
	"os"
	"time"

	"github.com/spf13/cobra"

	"hark/cmd/hark/internal/bench"
)

func floorAddress() string { return cmp.Or(os.Getenv("HARK_LISTEN"), "127.0.0.1:6001") }

// What several scenarios have is a part of theirs, with flags of its own. The defaults are what differs.

func addSpan(cmd *cobra.Command, s *bench.Span, what string) {
	flags := cmd.Flags()
	flags.DurationVar(&s.Duration, "duration", 5*time.Second, "how long to measure, after a fifth of it to warm up")
	flags.IntVar(&s.Events, "events", 0, "measure over this number of "+what+" instead, after a fifth of it (default: --duration)")
}

func addPace(cmd *cobra.Command, p *bench.Pace, rate float64, where string) {
	flags := cmd.Flags()
	flags.DurationVar(&p.Duration, "duration", 5*time.Second, "how long to measure, each phase if there are two; a fifth of it before to warm up")
	flags.Float64Var(&p.Rate, "rate", rate, "events a second, "+where)
	flags.IntVar(&p.Publishers, "publishers", 16, "connections for triggers")
}

func addAudience(cmd *cobra.Command, a *bench.Audience, conns, channels int, who string) {
	flags := cmd.Flags()
	flags.IntVar(&a.Conns, "conns", conns, who)
	flags.IntVar(&a.Channels, "channels", channels, "channels")
}

func addHandshakes(cmd *cobra.Command, h *bench.Handshakes, what string) {
	flags := cmd.Flags()
	flags.IntVar(&h.Channels, "channels", 100, "channels that the subscriptions are spread over")
	flags.IntVar(&h.AtOnce, "at-once", 100, what+" under way at one time")
	flags.DurationVar(&h.Settle, "settle", 3*time.Second, "how long to wait before memory is read")
}

func addSize(cmd *cobra.Command, size *int) {
	cmd.Flags().IntVar(size, "size", 128, "bytes of an event's data")
}

func benchFanout() *cobra.Command {
	var s bench.Fanout
	cmd := scenarioCommand("fanout", "CPU time of deliveries, with so many events under way",
		`Publishes an event when all subscribers have another, so that --outstanding events are under way all the time, and counts
deliveries per second of the server's CPU time. One event at a time shows what a delivery costs, several what the server
makes of a backlog.`, &s)
	addSpan(cmd, &s.Span, "events")
	addAudience(cmd, &s.Audience, 1000, 1, "subscribers, spread evenly over the channels")
	addSize(cmd, &s.Size)
	flags := cmd.Flags()
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
	addSpan(cmd, &s.Span, "requests")
	addSize(cmd, &s.Size)
	flags := cmd.Flags()
	flags.IntVar(&s.Conns, "conns", 32, "connections")
	flags.BoolVar(&s.Close, "close", false, "one request on each connection (default: they stay open, if the server lets them)")
	return cmd
}

func benchLatency() *cobra.Command {
	var s bench.Latency
	cmd := scenarioCommand("latency", "How late events are at a fixed rate",
		`Publishes --rate events a second, whatever becomes of them, and measures how late each delivery is: from the time at which
the event was due to be published, so that waiting behind others counts. "carried" is the share of the deliveries due that
came in that time; well below 1, the server does not carry the rate, and how late events are depends on --duration.`, &s)
	addPace(cmd, &s.Pace, 60, "on all channels together")
	addAudience(cmd, &s.Audience, 1000, 1, "subscribers, spread evenly over the channels")
	addSize(cmd, &s.Size)
	cmd.Flags().Float64Var(&s.BaseRate, "base-rate", 0, "measure at this rate first, in events a second, and compare (default: do not)")
	return cmd
}

func benchClientEvents() *cobra.Command {
	var s bench.ClientEvents
	cmd := scenarioCommand("client-events", "CPU time of client events",
		`Lets one member of each private channel send client events to the others. A message is one that is sent and that all others
have; the next is sent then. Client events have to be on in the app, and not limited; a server that is started here is told so.`, &s)
	addSpan(cmd, &s.Span, "events")
	addAudience(cmd, &s.Audience, 200, 100, "sockets, spread evenly over the channels, the senders included")
	addSize(cmd, &s.Size)
	cmd.Flags().IntVar(&s.Outstanding, "outstanding", 1, "events under way, on all channels together")
	return cmd
}

func benchPresence() *cobra.Command {
	var s bench.Presence
	cmd := scenarioCommand("presence", "CPU time of joining and leaving a presence channel",
		`Lets a user join and leave each channel over and over. The next step is taken when every member has been told of the last.
Pusher allows 100 members on a channel, and so do other servers unless they are told otherwise.`, &s)
	addSpan(cmd, &s.Span, "joins and leaves")
	addAudience(cmd, &s.Audience, 90, 1, "members who stay and are told, spread evenly over the channels")
	return cmd
}

func benchConnect() *cobra.Command {
	var s bench.Connect
	cmd := scenarioCommand("connect", "CPU time and memory of idle connections",
		`Opens connections that stay idle, and measures what each takes: CPU time to open it, memory while it is there. The first tenth
of them is not counted, so that what a server takes once is not part of it.`, &s)
	addHandshakes(cmd, &s.Handshakes, "handshakes")
	flags := cmd.Flags()
	flags.IntVar(&s.Conns, "conns", 5000, "connections; each needs a file in the server and in this process (ulimit -n)")
	flags.IntVar(&s.Subscriptions, "subscriptions", 1, "of each connection, 0 or 1")
	return cmd
}

func benchChurn() *cobra.Command {
	var s bench.Churn
	cmd := scenarioCommand("churn", "CPU time, and memory left behind, of connections that come and go",
		`Connects, subscribes and closes, over and over, and measures what such a cycle takes and how much memory it leaves behind.`, &s)
	addHandshakes(cmd, &s.Handshakes, "cycles")
	flags := cmd.Flags()
	flags.IntVar(&s.Cycles, "cycles", 20000, "cycles to measure")
	flags.IntVar(&s.Warmup, "warmup", 5000, "cycles before that")
	return cmd
}

func benchStorm() *cobra.Command {
	var s bench.Storm
	cmd := scenarioCommand("storm", "What others notice when everybody connects again",
		`Publishes at a fixed rate on a channel, and measures how late the events are while nothing else happens, and then while a
crowd on another channel loses its connections and opens new ones, over and over.`, &s)
	addPace(cmd, &s.Pace, 100, "on the channel that is measured")
	addSize(cmd, &s.Size)
	flags := cmd.Flags()
	flags.IntVar(&s.Crowd, "crowd", 5000, "connections that are lost and opened again")
	flags.IntVar(&s.AtOnce, "at-once", 1000, "how many of them at one time")
	flags.IntVar(&s.PerSecond, "per-second", 0, "how many of them in a second, at most (default: as many as the server takes)")
	flags.BoolVar(&s.Stay, "stay", false, "they stay connected, and only unsubscribe and subscribe again")
	flags.IntVar(&s.Conns, "conns", 20, "subscribers of the channel that is measured")
	return cmd
}

func benchSlow() *cobra.Command {
	var s bench.Slow
	cmd := scenarioCommand("slow", "What others notice of subscribers that do not read",
		`Publishes at a fixed rate on a channel, and measures how late the events are while all subscribers read, and then while some
have stopped to. "stalled_open" is how many of these the server had not closed at the end; it should be 0.`, &s)
	addPace(cmd, &s.Pace, 100, "on the channel")
	flags := cmd.Flags()
	flags.IntVar(&s.Size, "size", 8192, "bytes of an event's data; enough of them have to pile up for a server to notice")
	flags.IntVar(&s.Conns, "conns", 200, "subscribers that read")
	flags.IntVar(&s.Stalled, "stalled", 0, "subscribers that stop reading (default: one for each hundred of --conns, at least one)")
	return cmd
}
