package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"hark/authz"
	"hark/cmd/hark/internal/config"
	"hark/protocol"
)

func policyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Look at who may be on which channel",
		Args:  cobra.ArbitraryArgs, // else cobra's error for an unknown command is like any other
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
	}
	cmd.AddCommand(policyTestCommand())
	return cmd
}

type policyTestFlags struct {
	format    *format
	file, app string
	as        string
	guest     bool
	ask       bool
}

func policyTestCommand() *cobra.Command {
	var f policyTestFlags
	cmd := &cobra.Command{
		Use:   "test CHANNEL",
		Short: "Explain whether somebody may be on a channel",
		Long: `Explain whether somebody may be on a private or presence channel, policy by policy, and what the auth endpoint would
answer. It reads the configuration; no server is needed. Applications are asked only with --ask, as a server would ask
them, but without the headers of a client.

A channel is open when at least one policy allows and none denies. The exit code is 0 when it is open, 5 when it is not,
and 1 when that cannot be told, because an application would have to be asked or does not answer.`,
		Example: `  hark policy test private-orders.7 --as user:7 -c hark.yaml
  hark policy test private-doc.order.7 --as '{"id":"7","roles":["editor"]}' -o json
  hark policy test presence-lobby --as user:7 --ask
  hark policy test private-news --guest`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	f.format = addFormat(cmd)
	flags := cmd.Flags()
	flags.StringVarP(&f.file, "config", "c", "", "YAML `FILE` with the configuration (default from HARK_CONFIG)")
	flags.StringVar(&f.app, "app", "", "`ID` of the app, where there are several")
	flags.StringVar(&f.as, "as", "", "who it is: user:ID, or JSON with id, tenant, roles, attrs, info, expires_at as `IDENTITY`")
	flags.BoolVar(&f.guest, "guest", false, "it is a guest")
	flags.BoolVar(&f.ask, "ask", false, "ask the applications that policies name")
	return cmd
}

func (f *policyTestFlags) run(cmd *cobra.Command, channel string) error {
	id, err := f.identity()
	if err != nil {
		return err
	}
	app, err := f.chooseApp()
	if err != nil {
		return err
	}
	if err := protocol.CheckChannel(channel, app.Limits.WithDefaults().ChannelName); err != nil {
		return usageError(err)
	}
	x, err := f.explain(cmd.Context(), app, authz.Request{App: app.ID, Channel: channel, Identity: id})
	if err != nil {
		return err
	}
	if *f.format == formatJSON {
		err = printJSON(cmd.OutOrStdout(), x)
	} else {
		err = printTable(cmd.OutOrStdout(), x.rows())
	}
	if err != nil || x.code == exitOK {
		fmt.Fprintln(cmd.ErrOrStderr(), x.sentence())
		return err
	}
	return codeError{x.code, errors.New(x.sentence())}
}

// identity reads who it is about.
func (f *policyTestFlags) identity() (authz.Identity, error) {
	if f.guest == (f.as != "") {
		return authz.Identity{}, usagef(`say who it is: --as user:ID, --as '{"id":…}' or --guest`)
	}
	if f.guest {
		return authz.Identity{}, nil
	}
	var who authz.Identity
	if id, named := strings.CutPrefix(f.as, "user:"); named {
		who.ID = id
	} else if err := json.Unmarshal([]byte(f.as), &who, json.RejectUnknownMembers(true)); err != nil {
		return authz.Identity{}, usagef(`--as: want user:ID or JSON like {"id":"7","roles":["editor"]}: %w`, err)
	}
	if !protocol.CheckUserID(who.ID) {
		return authz.Identity{}, usagef("--as: %q is no user's id; who has none is a --guest", who.ID)
	}
	return who, nil
}

// explain asks the app's policies, and applications too if that is wanted.
func (f *policyTestFlags) explain(ctx context.Context, app config.App, r authz.Request) (explanation, error) {
	if !f.ask {
		return explain(ctx, app, r, doNotAsk, time.Now())
	}
	asked, err := newAskers(app, nil)
	if err != nil {
		return explanation{}, err
	}
	asking, end := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer end()
	running.Go(func() { asked.run(asking) })
	return explain(ctx, app, r, asked.policy, time.Now())
}

// chooseApp loads the configuration and returns the app that is meant.
func (f *policyTestFlags) chooseApp() (config.App, error) {
	c, err := config.Load(config.Options{File: f.file})
	switch {
	case errors.Is(err, config.ErrNoApp):
		return config.App{}, usagef("the configuration has no app; name its file with -c")
	case err != nil:
		return config.App{}, usagef("the configuration has mistakes:\n%w", err)
	}
	var ids []string
	for _, app := range c.Apps {
		if app.ID == f.app || slices.Contains(app.Aliases, f.app) || f.app == "" && len(c.Apps) == 1 {
			if app.Policies == nil {
				return app, usagef("app %s has no policies: whoever signs with its secret decides who may be on its channels", app.ID)
			}
			return app, nil
		}
		ids = append(ids, app.ID)
	}
	return config.App{}, usagef("say with --app which app is meant: %s", strings.Join(ids, ", "))
}
