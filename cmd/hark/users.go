package main

import (
	"github.com/spf13/cobra"

	"hark/cmd/hark/internal/client"
)

func usersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "users CHANNEL",
		Short:   "List the users on a presence channel",
		Example: `  hark users presence-lobby`,
		Args:    args(cobra.ExactArgs(1)),
	}
	target, format := addTarget(cmd), addFormat(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		u, err := target.resolve()
		if err != nil {
			return err
		}
		c := client.Client{URL: u}
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
