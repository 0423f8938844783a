package bench

import (
	"fmt"
	"strconv"
	"strings"
)

// A Check is a target that a figure has to meet: "p99_ms<=20". The figure's median over all runs counts, of the last server if
// there are several. "ratio.NAME" is the median ratio of the last server to the first, "ratio" that of the scenario's headline.
type Check struct {
	Name     string
	Operator string // >=, <=, > or <
	Value    float64
}

// ParseCheck reads NAME>=VALUE, NAME<=VALUE, NAME>VALUE or NAME<VALUE.
func ParseCheck(s string) (Check, error) {
	i := strings.IndexAny(s, "<>")
	if i < 0 {
		return Check{}, fmt.Errorf("%q is no check: it looks like p99_ms<=20 or ratio>=3", s)
	}
	c := Check{Name: strings.TrimSpace(s[:i]), Operator: s[i : i+1]}
	rest := s[i+1:]
	if strings.HasPrefix(rest, "=") {
		c.Operator += "="
		rest = rest[1:]
	}
	var err error
	c.Value, err = strconv.ParseFloat(strings.TrimSpace(rest), 64)
	if err != nil || c.Name == "" || c.Value != c.Value {
		return Check{}, fmt.Errorf("%q is no check: it looks like p99_ms<=20 or ratio>=3", s)
	}
	return c, nil
}

// String returns the check as it is read.
func (c Check) String() string {
	return c.Name + c.Operator + strconv.FormatFloat(c.Value, 'g', -1, 64)
}

const ratioPrefix = "ratio"

// A Verdict is what became of a check.
type Verdict struct {
	Check string  `json:"check"`
	Value float64 `json:"value"`
	Met   bool    `json:"met"`
}

// Judge holds checks against the rows of a report. An error says that there is no figure for one of them.
func Judge(checks []Check, rows []Row, headline string) ([]Verdict, error) {
	var verdicts []Verdict
	for _, c := range checks {
		value, met, err := c.of(rows, headline)
		if err != nil {
			return nil, err
		}
		verdicts = append(verdicts, Verdict{c.String(), value, met})
	}
	return verdicts, nil
}

// of returns the value that a check is about, and whether it is met. An error says that the report has no such figure.
func (c Check) of(rows []Row, headline string) (value float64, met bool, err error) {
	name, ratio := c.Name, false
	if c.Name == ratioPrefix {
		name, ratio = headline, true
	} else if rest, ok := strings.CutPrefix(c.Name, ratioPrefix+"."); ok {
		name, ratio = rest, true
	}
	var names []string
	for _, row := range rows {
		names = append(names, row.Name)
		if row.Name != name {
			continue
		}
		of := row.Servers
		if ratio {
			of = row.Ratios
		}
		if len(of) == 0 {
			return 0, false, fmt.Errorf("check %s: there is no ratio of %s; it takes --compare, and a first server whose figure is not 0", c, name)
		}
		value = of[len(of)-1].Median
		return value, c.holds(value), nil
	}
	return 0, false, fmt.Errorf("check %s: there is no figure %s; there are %s", c, name, strings.Join(names, ", "))
}

func (c Check) holds(value float64) bool {
	switch c.Operator {
	case ">=":
		return value >= c.Value
	case "<=":
		return value <= c.Value
	case ">":
		return value > c.Value
	}
	return value < c.Value
}
