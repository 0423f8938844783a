package main

import (
	"fmt"
	"os"
	"regexp"
	"time"

	"github.com/redis/go-redis/v9/logging"
	"github.com/spf13/cobra"

	"hark/channels/redisbroker"
	"hark/conformance"
	"hark/conformance/local"
)

// A conformanceRun is what the flags of hark conformance say.
type conformanceRun struct {
	url, redis, run, junit, baseline string
	nodes                            int
	longest, patience                time.Duration
}

func conformanceCommand() *cobra.Command {
	var f conformanceRun
	cmd := &cobra.Command{
		Use:   "conformance",
		Short: "Check whether a server speaks the Pusher protocol",
		Long: `Plays the transcripts of the protocol against a server and reports what went another way.

Without --url each case gets a Hark of its own, in this process; with --redis several, among which its connections are
spread. Each case leaves keys there, and not all of them end by themselves: use a Redis that holds nothing else, and
may be emptied. With --url the server that runs there is checked, whichever it is; cases that need a server with a
configuration of their own are skipped. The app should have client events on, and nobody else on it. It exits with 0
when everything went as it should or as the baseline says, else with 5.`,
		Example: `  hark conformance
  hark conformance --url http://app-key:app-secret@127.0.0.1:6001/apps/1001 --junit report.xml
  hark conformance --run 'presence/.*tab'`,
		Args: args(cobra.NoArgs),
	}
	flags := cmd.Flags()
	flags.StringVar(&f.url, "url", "", "`PUSHER_URL` of the app to check, http://KEY:SECRET@HOST:PORT/apps/ID")
	flags.StringVar(&f.redis, "redis", "", "`URL` of a Redis, as for serve: each case gets nodes that share it")
	flags.IntVar(&f.nodes, "nodes", 3, "how many nodes a case gets, with --redis")
	flags.StringVar(&f.run, "run", "", "only the cases whose TRANSCRIPT/NAME matches this `REGEXP`")
	flags.StringVar(&f.junit, "junit", "", "write a JUnit report to this `FILE` too")
	flags.StringVar(&f.baseline, "baseline", "", "`FILE` with the failures that are known, a line each: TRANSCRIPT/NAME -- reason")
	flags.DurationVar(&f.longest, "longest", 2*time.Minute, "skip cases that let more time than this pass; 0 skips none")
	flags.DurationVar(&f.patience, "patience", 5*time.Second, "how long a message may take to come")
	cmd.MarkFlagsMutuallyExclusive("url", "redis")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return f.play(cmd) }
	return cmd
}

func (f *conformanceRun) play(cmd *cobra.Command) error {
	suite, err := f.suite()
	if err != nil {
		return err
	}
	suite.Done = func(r conformance.Result) {
		if o := r.Outcome(); o == conformance.Failed || o == conformance.Mended {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s %s\n", o, r.Case.ID())
		}
	}
	results, err := suite.Run(cmd.Context())
	if err != nil {
		return err
	}
	if err := conformance.WriteReport(cmd.OutOrStdout(), results); err != nil {
		return err
	}
	if f.junit != "" {
		if err := writeJUnit(f.junit, results); err != nil {
			return err
		}
	}
	if tally := conformance.Count(results); !tally.OK() {
		return codeError{exitCheck, fmt.Errorf("the server is not what it should be: %s", tally)}
	}
	return nil
}

func (f *conformanceRun) suite() (*conformance.Suite, error) {
	suite := &conformance.Suite{Target: conformance.Target{App: local.StandardApp(), Start: local.Listen}, Longest: f.longest}
	if f.redis != "" {
		where, err := redisbroker.ParseURL(f.redis)
		if err != nil {
			return nil, usageError(err)
		}
		logging.Disable() // the broker says itself what is wrong with Redis
		suite.Target.Start = local.Nodes(where, f.nodes)
	}
	if f.url != "" {
		t := target{url: f.url}
		u, err := t.resolve()
		if err != nil {
			return nil, err
		}
		suite.Target = conformance.Target{
			URL: u.Scheme + "://" + u.Host,
			App: conformance.App{
				ID:           u.App.ID,
				Keys:         []conformance.Key{{Key: u.App.Key.Key, Secret: string(u.App.Key.Secret)}},
				ClientEvents: true,
			},
		}
	}
	suite.Target.Patience = f.patience
	if f.baseline != "" {
		text, err := os.ReadFile(f.baseline)
		if err != nil {
			return nil, usageError(err)
		}
		if suite.Baseline, err = conformance.ParseBaseline(string(text)); err != nil {
			return nil, usagef("%s: %w", f.baseline, err)
		}
	}
	return suite, f.choose(suite)
}

// choose takes the cases that --run names into the suite.
func (f *conformanceRun) choose(suite *conformance.Suite) error {
	wanted, err := regexp.Compile(f.run)
	if err != nil {
		return usagef("--run: %w", err)
	}
	transcripts, err := conformance.Transcripts()
	if err != nil {
		return err
	}
	var all []conformance.Case
	for _, t := range transcripts {
		all = append(all, t.Cases...)
	}
	if err := suite.Baseline.Check(all); err != nil {
		return usagef("%s: %w", f.baseline, err)
	}
	for _, c := range all {
		if wanted.MatchString(c.ID()) {
			suite.Cases = append(suite.Cases, c)
		}
	}
	if len(suite.Cases) == 0 {
		return usagef("--run %s: no case is called so", f.run)
	}
	return nil
}

func writeJUnit(name string, results []conformance.Result) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := conformance.WriteJUnit(file, results); err != nil {
		_ = file.Close() // the report is broken already
		return err
	}
	return file.Close()
}
