package bench

import (
	"context"
	"fmt"
)

// Compare runs a scenario so many times against each of the servers, in pairs: all of them once, then all of them again. Who
// comes first changes from pair to pair, so that a machine that gets slower or faster favours nobody. note is told what is
// run next, for people.
func Compare(ctx context.Context, scenario Scenario, lines []string, runs int, settings Settings, note func(string)) (Report, error) {
	report := Report{Servers: make([]Server, len(lines))}
	for i, line := range lines {
		report.Servers[i].Command = line
	}
	for run := range runs {
		for i := range lines {
			server := &report.Servers[(i+run)%len(lines)]
			note(fmt.Sprintf("run %d of %d: %s", run+1, runs, server.Command))
			result, err := RunCommand(ctx, scenario, server.Command, settings)
			if err != nil {
				return report, fmt.Errorf("%s: %w", server.Command, err)
			}
			server.Runs = append(server.Runs, result)
		}
	}
	return report, nil
}
