package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// A build says which program this is.
type build struct {
	Version  string `json:"version"` // of the module; "(devel)" from a checkout
	Go       string `json:"go"`
	Revision string `json:"revision,omitzero"` // of the version control; "" if the build did not see it
	Modified bool   `json:"modified,omitzero"` // the checkout had changes
}

func thisBuild() build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return build{Version: "unknown"}
	}
	b := build{Version: info.Main.Version, Go: info.GoVersion}
	if b.Version == "" {
		b.Version = "(devel)"
	}
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			b.Revision = setting.Value
		case "vcs.modified":
			b.Modified = setting.Value == "true"
		}
	}
	return b
}

// String returns it in one line.
func (b build) String() string {
	s := fmt.Sprintf("hark %s %s", b.Version, b.Go)
	if b.Revision != "" {
		s += " " + b.Revision
	}
	if b.Modified {
		s += " modified"
	}
	return s
}

func versionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Say which build this is",
		Args:  args(cobra.NoArgs),
	}
	format := addFormat(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *format == formatJSON {
			return printJSON(cmd.OutOrStdout(), thisBuild())
		}
		_, err := fmt.Fprintln(cmd.OutOrStdout(), thisBuild())
		return err
	}
	return cmd
}
