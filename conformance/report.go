package conformance

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
)

// A Tally counts results by their outcome.
type Tally map[Outcome]int

// Count returns the tally of results.
func Count(results []Result) Tally {
	t := Tally{}
	for _, r := range results {
		t[r.Outcome()]++
	}
	return t
}

// OK reports whether the server is what its baseline says it is.
func (t Tally) OK() bool { return t[Failed] == 0 && t[Mended] == 0 }

// String returns the counts that are not zero.
func (t Tally) String() string {
	var parts []string
	for _, o := range []Outcome{Passed, Failed, Known, Mended, Skipped} {
		if t[o] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", t[o], o))
		}
	}
	return strings.Join(parts, ", ")
}

// WriteReport writes what came of the cases, transcript by transcript, with all
// that is not as it should be.
func WriteReport(w io.Writer, results []Result) error {
	for _, group := range groups(results) {
		name := group[0].Case.transcript()
		if _, err := fmt.Fprintf(w, "%-24s %s\n", name, Count(group)); err != nil {
			return err
		}
		for _, r := range group {
			switch o := r.Outcome(); o {
			case Passed:
				continue
			case Failed:
				fmt.Fprintf(w, "  %s %s\n    %s\n", o, r.Case.Name, strings.ReplaceAll(r.Err.Error(), "\n", "\n    "))
			case Known, Mended:
				fmt.Fprintf(w, "  %s %s: %s\n", o, r.Case.Name, r.Known)
			case Skipped:
				fmt.Fprintf(w, "  %s %s: %v\n", o, r.Case.Name, r.Err)
			}
		}
	}
	_, err := fmt.Fprintf(w, "%d cases: %s\n", len(results), Count(results))
	return err
}

// groups returns the results by transcript, in order.
func groups(results []Result) [][]Result {
	var all [][]Result
	for _, r := range results {
		if n := len(all); n > 0 && all[n-1][0].Case.File == r.Case.File {
			all[n-1] = append(all[n-1], r)
		} else {
			all = append(all, []Result{r})
		}
	}
	return all
}

// The form of a JUnit file, which CI systems read.
type (
	junitSuites struct {
		XMLName xml.Name     `xml:"testsuites"`
		Suites  []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Suite   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		Seconds string        `xml:"time,attr"`
		Failure *junitMessage `xml:"failure"`
		Skipped *junitMessage `xml:"skipped"`
	}
	junitMessage struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// WriteJUnit writes the results as a JUnit file. A failure that is known counts
// as skipped.
func WriteJUnit(w io.Writer, results []Result) error {
	var file junitSuites
	for _, group := range groups(results) {
		tally := Count(group)
		suite := junitSuite{
			Name:     group[0].Case.transcript(),
			Tests:    len(group),
			Failures: tally[Failed] + tally[Mended],
			Skipped:  tally[Known] + tally[Skipped],
		}
		for _, r := range group {
			suite.Cases = append(suite.Cases, r.junit())
		}
		file.Suites = append(file.Suites, suite)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	return e.Encode(file)
}

func (r Result) junit() junitCase {
	c := junitCase{Suite: r.Case.transcript(), Name: r.Case.Name, Seconds: fmt.Sprintf("%.3f", r.Took.Round(time.Millisecond).Seconds())}
	switch o := r.Outcome(); o {
	case Failed:
		c.Failure = &junitMessage{Message: string(o), Text: r.Err.Error()}
	case Mended:
		c.Failure = &junitMessage{Message: string(o), Text: "It is in the baseline, and passes: " + r.Known}
	case Known:
		c.Skipped = &junitMessage{Message: r.Known, Text: r.Err.Error()}
	case Skipped:
		c.Skipped = &junitMessage{Message: r.Err.Error()}
	}
	return c
}
