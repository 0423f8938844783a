package main

import (
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hark/cmd/hark/internal/client"
)

func connectionsCommand() *cobra.Command {
	var user, role, channel string
	cmd := &cobra.Command{
		Use:   "connections",
		Short: "List the connections to a Hark, on all of its nodes",
		Example: `  hark connections --user 7
  hark connections --channel 'private-order.{id}' -o json`,
		Args: args(cobra.NoArgs),
	}
	target, format := addTarget(cmd), addFormat(cmd)
	cmd.Flags().StringVar(&user, "user", "", "only those of the user with this `ID`")
	cmd.Flags().StringVar(&role, "role", "", "only those of users with this `ROLE`")
	cmd.Flags().StringVar(&channel, "channel", "", "only those on this `CHANNEL`, or on one that the pattern matches")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		u, err := target.resolve()
		if err != nil {
			return err
		}
		query := url.Values{"limit": {"1000"}}
		for name, value := range map[string]string{"user": user, "role": role, "channel": channel} {
			if cmd.Flags().Changed(name) {
				query.Set(name, value)
			}
		}
		c := client.Client{URL: u}
		l, err := c.Connected(cmd.Context(), "connections", query)
		if err != nil {
			return err
		}
		rows := [][]string{{"SOCKET", "USER", "CHANNELS", "SINCE", "NODE"}}
		for _, c := range l.Connections {
			since := c.Since.Local().Format(time.DateTime)
			rows = append(rows, []string{string(c.Socket), orNone(c.Identity.ID), strconv.Itoa(c.Subscriptions), since, c.Node})
		}
		return printListing(cmd.OutOrStdout(), l, rows, *format)
	}
	return cmd
}

// orNone returns what stands in a table for what may be missing.
func orNone(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// printListing prints a listing, as rows or as it is. The error names the nodes that it lacks.
func printListing(w io.Writer, l client.Listing, rows [][]string, f format) error {
	var err error
	if f == formatJSON {
		err = printJSON(w, l)
	} else {
		err = printTable(w, rows)
	}
	if err == nil && len(l.Silent) > 0 {
		err = fmt.Errorf("no answer of %s: what is connected there is missing", strings.Join(l.Silent, ", "))
	}
	return err
}
