package main

import (
	"github.com/spf13/cobra"

	"hark/cmd/hark/internal/client"
)

func channelsCommand() *cobra.Command {
	var prefix, info string
	cmd := &cobra.Command{
		Use:   "channels",
		Short: "List the channels that somebody is on",
		Example: `  hark channels
  hark channels --prefix presence- --info user_count -o json`,
		Args: args(cobra.NoArgs),
	}
	target, format := addTarget(cmd), addFormat(cmd)
	cmd.Flags().StringVar(&prefix, "prefix", "", "only channels whose names begin with this `PREFIX`")
	cmd.Flags().StringVar(&info, "info", "", "`user_count`, which goes with --prefix presence-")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		u, err := target.resolve()
		if err != nil {
			return err
		}
		c := client.Client{URL: u}
		answer, err := c.Channels(cmd.Context(), prefix, info)
		if err != nil {
			return err
		}
		if *format == formatJSON {
			return printJSON(cmd.OutOrStdout(), answer)
		}
		return printChannels(cmd.OutOrStdout(), answer.Channels)
	}
	return cmd
}
