package main

import (
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"hark/cmd/hark/internal/client"
)

func usersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "users [CHANNEL]",
		Short: "List the users on a presence channel, or of all connections to a Hark",
		Example: `  hark users presence-lobby
  hark users`,
		Args: args(cobra.MaximumNArgs(1)),
	}
	target, format := addTarget(cmd), addFormat(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		u, err := target.resolve()
		if err != nil {
			return err
		}
		c := client.Client{URL: u}
		if len(args) == 0 {
			return listUsers(cmd, c, *format)
		}
		answer, err := c.Users(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if *format == formatJSON {
			return printJSON(cmd.OutOrStdout(), answer)
		}
		rows := [][]string{{"USER"}}
		for _, user := range answer.Users {
			rows = append(rows, []string{user.ID})
		}
		return printTable(cmd.OutOrStdout(), rows)
	}
	return cmd
}

// listUsers prints the users who are connected.
func listUsers(cmd *cobra.Command, c client.Client, f format) error {
	l, err := c.Connected(cmd.Context(), "users", url.Values{"limit": {"1000"}})
	if err != nil {
		return err
	}
	rows := [][]string{{"USER", "CONNECTIONS"}}
	for _, user := range l.Users {
		rows = append(rows, []string{user.Identity.ID, strconv.Itoa(user.Connections)})
	}
	return printListing(cmd.OutOrStdout(), l, rows, f)
}
