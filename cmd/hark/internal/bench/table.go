package bench

import (
	"fmt"
	"math"
	"strconv"
)

// Table returns the rows of a report as lines of a table, the first being the titles. A figure of several runs is its median,
// with the least and the most in brackets.
func Table(report Report) [][]string {
	titles := []string{"FIGURE"}
	for i := range report.Servers {
		titles = append(titles, serverName(i))
	}
	for i := 1; i < len(report.Servers); i++ {
		titles = append(titles, serverName(i)+"/"+serverName(0))
	}
	if len(report.Servers) == 1 {
		titles[1] = "VALUE"
	}
	table := [][]string{titles}
	for _, row := range report.Rows() {
		line := []string{row.Name}
		for _, s := range row.Servers {
			line = append(line, cell(s, row.Unit))
		}
		for i := 1; i < len(report.Servers); i++ {
			if row.Ratios == nil {
				line = append(line, "-")
				continue
			}
			line = append(line, cell(row.Ratios[i-1], ""))
		}
		table = append(table, line)
	}
	for _, total := range []struct {
		name string
		of   func(Tally) int
	}{
		{"received", func(t Tally) int { return t.Received }},
		{"lost", func(t Tally) int { return t.Lost }},
		{"duplicated", func(t Tally) int { return t.Duplicated }},
		{"reordered", func(t Tally) int { return t.Reordered }},
		{"unknown", func(t Tally) int { return t.Unknown }},
	} {
		line := []string{total.name}
		for _, s := range report.Servers {
			line = append(line, strconv.Itoa(total.of(s.Tally())))
		}
		table = append(table, append(line, make([]string, len(titles)-len(line))...))
	}
	return table
}

// serverName is A, B, C … as in the order in which the servers were given.
func serverName(i int) string { return string(rune('A' + i%26)) }

func cell(s Spread, unit string) string {
	text := number(s.Median)
	if s.Min != s.Max {
		text += fmt.Sprintf(" [%s-%s]", number(s.Min), number(s.Max))
	}
	if unit != "" {
		text += " " + unit
	}
	return text
}

// number has three digits that count, and no exponent.
func number(v float64) string {
	if v == 0 {
		return "0"
	}
	after := 2 - int(math.Floor(math.Log10(math.Abs(v))))
	return strconv.FormatFloat(v, 'f', max(0, after), 64)
}
