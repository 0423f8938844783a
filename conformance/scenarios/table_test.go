package scenarios

import (
	"flag"
	"fmt"
	"io"
	"sync"
	"testing"
	"text/tabwriter"
	"time"
)

var table = flag.Bool("table", false, "print a table of the scenarios")

// results are what the scenarios have come to, in the order in which they are written down.
var results struct {
	mu      sync.Mutex
	rows    []*row   // guarded by mu
	figures []string // what was measured, for people; guarded by mu
}

// A row is one scenario, played in one way.
type row struct {
	id, mode string
	result   string // "": it was not played
	took     time.Duration
}

// newRow returns the row of a scenario that may be played.
func newRow(id, mode string) *row {
	results.mu.Lock()
	defer results.mu.Unlock()
	r := &row{id: id, mode: mode}
	results.rows = append(results.rows, r)
	return r
}

// record takes down what the scenario comes to. It is called when it begins.
func (r *row) record(t *testing.T) {
	began := time.Now()
	t.Cleanup(func() {
		results.mu.Lock()
		defer results.mu.Unlock()
		r.result, r.took = "ok", time.Since(began)
		if t.Failed() {
			r.result = "FAILED"
		}
	})
}

// figure takes down what a scenario has measured.
func figure(format string, args ...any) {
	results.mu.Lock()
	defer results.mu.Unlock()
	results.figures = append(results.figures, fmt.Sprintf(format, args...))
}

// printTable writes the results, and what was measured.
func printTable(to io.Writer) {
	results.mu.Lock()
	defer results.mu.Unlock()
	w := tabwriter.NewWriter(to, 0, 0, 1, ' ', 0)
	played, ok := 0, 0
	_, _ = fmt.Fprintln(w, "scenario\t| mode\t| result\t| seconds")
	for _, r := range results.rows {
		if r.result == "" {
			continue
		}
		_, _ = fmt.Fprintf(w, "%s\t| %s\t| %s\t| %.1f\n", r.id, r.mode, r.result, r.took.Seconds())
		played++
		if r.result == "ok" {
			ok++
		}
	}
	_ = w.Flush()
	_, _ = fmt.Fprintf(to, "%d of %d are ok\n", ok, played)
	for _, figure := range results.figures {
		_, _ = fmt.Fprintln(to, figure)
	}
}
