package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hark/cmd/hark/internal/client"
)

type subscribeFlags struct {
	target   *target
	format   *format
	presence string
	event    string
	count    int
	timeout  time.Duration
	raw      bool
}

func subscribeCommand() *cobra.Command {
	var f subscribeFlags
	cmd := &cobra.Command{
		Use:     "subscribe CHANNEL...",
		Aliases: []string{"sub"},
		Short:   "Print what arrives on channels",
		Long: `Subscribe to channels and print their events, one a line, until interrupted. Private and presence channels are signed
with the app's secret. The connection is kept up as the official clients do.

With --count it ends after so many events, and with exit code 5 if there were fewer within --timeout.`,
		Example: `  hark subscribe chat
  hark subscribe presence-lobby --presence 'ann={"name":"Ann"}'
  hark subscribe orders --event 'order.*' --count 1 --timeout 5s -o json`,
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	f.target, f.format = addTarget(cmd), addFormat(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.presence, "presence", "", "`USER` or USER={\"name\":\"...\"}: who to be on presence channels")
	flags.StringVar(&f.event, "event", anyEvent, "print only events with a name like this `GLOB`, with * for anything")
	flags.IntVar(&f.count, "count", 0, "end after this many events; the protocol's own count only if --event names them (0: never)")
	flags.DurationVar(&f.timeout, "timeout", 0, "end after this time (0: never)")
	flags.BoolVar(&f.raw, "raw", false, "print every message as it came, those of the protocol too")
	return cmd
}

// errEnough ends a subscription that has seen what it was to see.
var errEnough = errors.New("enough")

func (f *subscribeFlags) run(cmd *cobra.Command, channels []string) error {
	who, err := member(f.presence)
	if err != nil {
		return err
	}
	for _, channel := range channels {
		if strings.HasPrefix(channel, "presence-") && who == nil {
			return usagef("%s is a presence channel: say who you are with --presence USER", channel)
		}
	}
	u, err := f.target.resolve()
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	if f.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.timeout)
		defer cancel()
	}
	p := &eventPrinter{flags: f, out: cmd.OutOrStdout(), talk: cmd.ErrOrStderr()}
	l := client.Listener{URL: u, Channels: channels, Who: who, Handle: p.handle, Note: p.note}
	switch err := l.Listen(ctx); {
	case errors.Is(err, errEnough):
		return nil
	case err != nil:
		return err
	case !p.connected && f.timeout > 0:
		return &client.ConnectError{Address: u.WebSocket(), Err: fmt.Errorf("no connection within %v", f.timeout)}
	case p.printed < f.count:
		return codeError{exitCheck, fmt.Errorf("%d of %d events came", p.printed, f.count)}
	}
	return nil
}

// member reads USER or USER={...}; nil if there is neither.
func member(s string) (*client.Member, error) {
	if s == "" {
		return nil, nil
	}
	id, info, found := strings.Cut(s, "={")
	if !found {
		if strings.Contains(s, "=") {
			return nil, usagef("--presence: want USER or USER={\"name\":\"...\"}, not %q", s)
		}
		return &client.Member{UserID: s}, nil
	}
	if info = "{" + info; !isObject(info) {
		return nil, usagef("--presence: %s is not a JSON object", info)
	}
	return &client.Member{UserID: id, UserInfo: []byte(info)}, nil
}

// anyEvent is the --event that takes all.
const anyEvent = "*"
