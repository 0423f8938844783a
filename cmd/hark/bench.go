//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hark/cmd/hark/internal/bench"
)

// benchFlags are what all scenarios have.
type benchFlags struct {
	target   *target
	format   *format
	nodes    []string
	pid      int
	server   string
	compare  bool
	runs     int
	checks   []string
	settings bench.Settings
}

func benchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench SCENARIO",
		Short: "Measure a server: its cost in CPU time and memory, how late events are, whether all of them arrive",
		Long: `Measures any server that speaks the Pusher protocol. It runs on Linux, and reads what the server uses from /proc.

The server is one that runs already (--url, and --pid for its CPU time and memory), or one that is started for the run
(--server), or several that are started in turn (--compare). A command gets its port as {port} and as PORT, HARK_LISTEN and
SOKETI_PORT, and an app whose id, key and secret are in HARK_CONFIG and SOKETI_DEFAULT_APP_*.

A server may be several nodes: then requests go to the first, and sockets connect to the others (--node, or a command that gives
them {port2}, {port3} and so on). What else a command needs a port for is {spare}.

Each delivery is checked. If one is lost, comes twice or comes in the wrong order, or a --check is not met, it exits with 5.`,
		Example: `  hark bench fanout --server 'hark serve'
  hark bench fanout --conns 10000 --outstanding 16 --compare 'hark bench floor-server' 'hark serve'
  hark bench latency --compare 'hark serve' 'redis-server --port {spare} &
    hark serve --redis redis://127.0.0.1:{spare} --listen 127.0.0.1:{port2} & hark serve --redis redis://127.0.0.1:{spare}'
  hark bench trigger --url "$PUSHER_URL" --pid "$(pidof hark)" --check 'requests_per_cpu_s>=50000'`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
	}
	cmd.AddCommand(
		benchConnect(),
		benchFanout(),
		benchLatency(),
		benchTrigger(),
		benchClientEvents(),
		benchPresence(),
		benchChurn(),
		benchStorm(),
		benchSlow(),
		floorCommand(),
	)
	return cmd
}

// scenarioCommand is the command of one scenario. Its own flags are added by the caller.
func scenarioCommand(name, short, long string, scenario bench.Scenario) *cobra.Command {
	var f benchFlags
	cmd := &cobra.Command{
		Use:   name + " [--compare 'COMMAND A' 'COMMAND B'...]",
		Short: short,
		Long:  long + "\n\n--check knows the figures that are printed; \"ratio\" is that of " + scenario.Headline() + ".",
		Args:  cobra.ArbitraryArgs,
		RunE:  func(cmd *cobra.Command, args []string) error { return f.run(cmd, scenario, args) },
	}
	f.target, f.format = addTarget(cmd), addFormat(cmd)
	flags := cmd.Flags()
	flags.StringArrayVar(&f.nodes, "node", nil, "`HOST:PORT` of another node of the server at --url: sockets connect there, and only requests go to "+
		"--url; may be given again")
	flags.IntVar(&f.pid, "pid", 0, "`PID` of the server at --url, for its CPU time and memory (default: these are not measured)")
	flags.StringVar(&f.server, "server", "", "start this `COMMAND` for each run, and measure it")
	flags.BoolVar(&f.compare, "compare", false, "start each COMMAND in turn, in pairs, and print ratios to the first")
	flags.IntVar(&f.runs, "runs", 0, "how often to measure (default 1, with --compare 5)")
	flags.StringArrayVar(&f.checks, "check", nil, "exit with 5 unless this holds: `FIGURE>=VALUE`, ratio.FIGURE>=VALUE or ratio>=VALUE, "+
		"with >=, <=, > or <; of the last COMMAND; may be given again")
	flags.DurationVar(&f.settings.Patience, "patience", 10*time.Second, "when nothing has come for this time, what is under way is lost")
	return cmd
}

func (f *benchFlags) run(cmd *cobra.Command, scenario bench.Scenario, commands []string) error {
	if err := scenario.Validate(); err != nil {
		return usageError(err)
	}
	checks, err := f.validate(commands)
	if err != nil {
		return err
	}
	if _, err := raiseFiles(); err != nil {
		return err
	}
	report, err := f.measure(cmd.Context(), scenario, commands, func(text string) {
		fmt.Fprintln(cmd.ErrOrStderr(), text)
	})
	if err != nil {
		return err
	}
	rows := report.Rows()
	verdicts, unknown := bench.Judge(checks, rows, scenario.Headline())
	if err := f.print(cmd, scenario, report, rows, verdicts); err != nil {
		return err
	}
	if unknown != nil { // it is known only now, and what was measured is not thrown away for it
		return usageError(unknown)
	}
	return outcome(report, verdicts)
}

// validate looks at what goes together.
func (f *benchFlags) validate(commands []string) ([]bench.Check, error) {
	switch {
	case f.compare && len(commands) < 2:
		return nil, usagef("--compare needs two commands or more: --compare 'COMMAND A' 'COMMAND B'")
	case !f.compare && len(commands) > 0:
		return nil, usagef("%q is one argument too many; name servers by --url, --server or --compare", commands[0])
	case f.compare && f.server != "" || f.target.url != "" && (f.compare || f.server != ""):
		return nil, usagef("give one of --url, --server and --compare")
	case f.nodes != nil && (f.compare || f.server != ""):
		return nil, usagef("--node goes with --url; a command that is started here says {port2} for its second node")
	case f.pid != 0 && (f.compare || f.server != ""):
		return nil, usagef("--pid goes with --url; the process of a command that is started here is known")
	case f.runs < 0:
		return nil, usagef("--runs must be at least 1, not %d", f.runs)
	case f.settings.Patience <= 0:
		return nil, usagef("--patience must be more than 0, not %v", f.settings.Patience)
	}
	if f.runs == 0 {
		f.runs = 1
		if f.compare {
			f.runs = 5
		}
	}
	var checks []bench.Check
	for _, text := range f.checks {
		check, err := bench.ParseCheck(text)
		if err != nil {
			return nil, usagef("--check: %w", err)
		}
		checks = append(checks, check)
	}
	return checks, nil
}

func (f *benchFlags) measure(ctx context.Context, scenario bench.Scenario, commands []string, note func(string)) (bench.Report, error) {
	if f.server != "" {
		commands = []string{f.server}
	}
	if len(commands) > 0 {
		return bench.Compare(ctx, scenario, commands, f.runs, f.settings, note)
	}
	u, err := f.target.resolve()
	if err != nil {
		return bench.Report{}, err
	}
	server := bench.Server{Command: u.Base()}
	for range f.runs {
		result, err := bench.Run(ctx, scenario, bench.Target{URL: u, Nodes: f.nodes, PID: f.pid}, f.settings)
		if err != nil {
			return bench.Report{}, err
		}
		server.Runs = append(server.Runs, result)
	}
	return bench.Report{Servers: []bench.Server{server}}, nil
}

func (f *benchFlags) print(
	cmd *cobra.Command, scenario bench.Scenario, report bench.Report, rows []bench.Row, verdicts []bench.Verdict,
) error {
	if *f.format == formatJSON {
		return printJSON(cmd.OutOrStdout(), struct {
			bench.Report
			Headline string          `json:"headline"`
			Figures  []bench.Row     `json:"figures"`
			Checks   []bench.Verdict `json:"checks"`
		}{report, scenario.Headline(), rows, verdicts})
	}
	if len(report.Servers) > 1 {
		for i, server := range report.Servers {
			fmt.Fprintf(cmd.ErrOrStderr(), "%c: %s\n", 'A'+i, server.Command)
		}
	}
	return printTable(cmd.OutOrStdout(), bench.Table(report))
}

// outcome is what the exit code says.
func outcome(report bench.Report, verdicts []bench.Verdict) error {
	var wrong []string
	for _, server := range report.Servers {
		if t := server.Tally(); !t.OK() {
			wrong = append(wrong, fmt.Sprintf("%s: %d deliveries lost, %d duplicated, %d reordered, %d unknown",
				server.Command, t.Lost, t.Duplicated, t.Reordered, t.Unknown))
		}
	}
	for _, v := range verdicts {
		if !v.Met {
			wrong = append(wrong, fmt.Sprintf("%s does not hold: it is %.4g", v.Check, v.Value))
		}
	}
	if wrong != nil {
		return codeError{exitCheck, errors.New(strings.Join(wrong, "; "))}
	}
	return nil
}

func floorCommand() *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use:   "floor-server",
		Short: "Run the least that can be measured: raw writes of the same bytes",
		Long: `Runs a server that knows just enough of the protocol to be measured by the scenarios fanout, latency, trigger,
client-events and churn. An event is written to one subscriber after the other, with one system call each and nothing else, by
whoever took the request. What it uses for that is the floor of any server that writes each event by itself.

It checks no signature and limits nothing: it is for measuring only.`,
		Example: `  hark bench fanout --compare 'hark bench floor-server' 'hark serve'`,
		Args:    args(cobra.NoArgs),
	}
	cmd.Flags().StringVar(&listen, "listen", "", "`HOST:PORT` (default from HARK_LISTEN, or 127.0.0.1:6001)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if _, err := raiseFiles(); err != nil {
			return err
		}
		if listen == "" {
			listen = floorAddress()
		}
		l, err := net.Listen("tcp", listen)
		if err != nil {
			return fmt.Errorf("listen on %s: %w", listen, err)
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "listening on %s\n", l.Addr())
		return bench.ServeFloor(cmd.Context(), l)
	}
	return cmd
}
