package bench

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTable(t *testing.T) {
	want := [][]string{
		{"FIGURE", "A", "B", "B/A"},
		{"a", "15.0 [10.0-20.0] ms", "40.0 [20.0-60.0] ms", "2.50 [2.00-3.00]"},
		{"b", "0.500 [0-1.00]", "4.00 [3.00-5.00]", "-"},
		{"received", "10", "10", ""},
		{"lost", "0", "0", ""},
		{"duplicated", "0", "0", ""},
		{"reordered", "0", "0", ""},
		{"unknown", "0", "0", ""},
	}
	if diff := cmp.Diff(want, Table(sample())); diff != "" {
		t.Error(diff)
	}
}

// TestRowsOfAll leaves out a figure that a run does not have.
func TestRowsOfAll(t *testing.T) {
	report := sample()
	report.Servers[1].Runs[1].Figures = report.Servers[1].Runs[1].Figures[:1]
	rows := report.Rows()
	if len(rows) != 1 || rows[0].Name != "a" {
		t.Errorf("rows %v, want a only", rows)
	}
	if rows := (Report{}).Rows(); rows != nil {
		t.Errorf("rows of nothing: %v", rows)
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.01234: "0.0123", 0.5: "0.500", 1.2345: "1.23", 99.4: "99.4", 1234.5: "1234", 1e6: "1000000", -2.5: "-2.50",
	} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %s, want %s", v, got, want)
		}
	}
}
