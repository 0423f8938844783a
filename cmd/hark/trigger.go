package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hark/cmd/hark/internal/client"
	"hark/protocol"
)

type triggerFlags struct {
	target         *target
	format         *format
	channels       []string // --channel, --event and --message are what the Pusher CLI has
	event, message string
	socketID, info string
}

func triggerCommand() *cobra.Command {
	var f triggerFlags
	cmd := &cobra.Command{
		Use:   "trigger CHANNEL[,CHANNEL] EVENT [DATA|-]",
		Short: "Publish an event",
		Long: `Publish an event on one or more channels.

DATA is JSON or any other text, and is passed on exactly as it is; - reads it from standard input, up to the last newline.
Without it the data is {}.`,
		Example: `  hark trigger chat message '{"text":"hi"}'
  hark trigger chat,presence-lobby order.created - --info subscription_count,user_count < order.json`,
		Args: cobra.ArbitraryArgs, // which of them are needed depends on the flags
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	f.target, f.format = addTarget(cmd), addFormat(cmd)
	flags := cmd.Flags()
	flags.StringArrayVar(&f.channels, "channel", nil, "`CHANNEL`, in place of the argument; a comma is part of the name; may be given again")
	flags.StringVar(&f.event, "event", "", "`EVENT`, in place of the argument")
	flags.StringVar(&f.message, "message", "", "`DATA`, in place of the argument")
	flags.StringVar(&f.socketID, "socket-id", "", "`ID` of the socket that does not get the event")
	flags.StringVar(&f.info, "info", "", "what to tell about the channels: `subscription_count,user_count`")
	return cmd
}

func (f *triggerFlags) run(cmd *cobra.Command, args []string) error {
	t, err := f.trigger(cmd, args)
	if err != nil {
		return err
	}
	u, err := f.target.resolve()
	if err != nil {
		return err
	}
	c := client.Client{URL: u}
	began := time.Now()
	answer, err := c.Trigger(cmd.Context(), t)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "triggered %s on %s in %v\n", printable(t.Name),
		printable(strings.Join(t.Channels, ", ")), time.Since(began).Round(100*time.Microsecond))
	switch {
	case *f.format == formatJSON:
		return printJSON(cmd.OutOrStdout(), answer)
	case f.info != "":
		return printChannels(cmd.OutOrStdout(), answer.Channels)
	}
	return nil
}

// trigger puts the event together. What a flag gives is no argument.
func (f *triggerFlags) trigger(cmd *cobra.Command, args []string) (client.Trigger, error) {
	next := func() (value string) {
		if len(args) > 0 {
			value, args = args[0], args[1:]
		}
		return value
	}
	channels := f.channels
	if len(channels) == 0 {
		channels = strings.Split(next(), ",")
	}
	event := cmp.Or(f.event, next())
	data, given := f.message, cmd.Flags().Changed("message")
	if !given {
		given = len(args) > 0
		data = next()
	}
	switch {
	case channels[0] == "" || event == "":
		return client.Trigger{}, usagef("a channel and an event are needed; usage: %s", cmd.UseLine())
	case len(args) > 0:
		return client.Trigger{}, usagef("%q is one argument too many; put quotes around the data", args[0])
	case !given:
		data = "{}"
	case data == "-":
		text, err := io.ReadAll(cmd.InOrStdin())
		if err != nil {
			return client.Trigger{}, fmt.Errorf("read standard input: %w", err)
		}
		data = strings.TrimSuffix(string(text), "\n")
	}
	return client.Trigger{
		Name:     event,
		Data:     data,
		Channels: channels,
		SocketID: f.socketID,
		Info:     f.info,
	}, nil
}

// printChannels prints what is known about channels, by name.
func printChannels(w io.Writer, channels map[string]protocol.ChannelState) error {
	rows := [][]string{{"CHANNEL", "SUBSCRIPTIONS", "USERS"}}
	for _, name := range slices.Sorted(maps.Keys(channels)) {
		state := channels[name]
		rows = append(rows, []string{name, count(state.SubscriptionCount), count(state.UserCount)})
	}
	return printTable(w, rows)
}
