package bench

import "testing"

func TestParseCheck(t *testing.T) {
	for text, want := range map[string]Check{
		"p99_ms<=20":        {"p99_ms", "<=", 20},
		"ratio >= 0.95":     {"ratio", ">=", 0.95},
		"ratio.p99_ms<1e-1": {"ratio.p99_ms", "<", 0.1},
		"lost>-1":           {"lost", ">", -1},
	} {
		got, err := ParseCheck(text)
		if err != nil || got != want {
			t.Errorf("ParseCheck(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "p99_ms", "p99_ms=3", ">=3", "a>=", "a>=b", "a>=3x", "a>=NaN", "a><3"} {
		if got, err := ParseCheck(text); err == nil {
			t.Errorf("ParseCheck(%q) = %v, want an error", text, got)
		}
	}
}

func FuzzParseCheck(f *testing.F) {
	f.Add("ratio.p99_ms<=0.5")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCheck(text)
		if err != nil {
			return
		}
		if again, err := ParseCheck(c.String()); err != nil || again != c {
			t.Errorf("%q is %v, and that is %v, %v", text, c, again, err)
		}
	})
}

// sample is two servers, two runs each. b of the first is 0 once.
func sample() Report {
	run := func(a, b float64) Result {
		return Result{Figures: Figures{{"a", "ms", a}, {"b", "", b}}, Tally: Tally{Received: 5}}
	}
	return Report{Servers: []Server{
		{Command: "one", Runs: []Result{run(10, 0), run(20, 1)}},
		{Command: "two", Runs: []Result{run(20, 3), run(60, 5)}},
	}}
}

func TestJudge(t *testing.T) {
	rows := sample().Rows()
	for text, want := range map[string]struct {
		value float64
		met   bool
	}{
		"a>=40":        {40, true},
		"a>40":         {40, false},
		"a<=40":        {40, true},
		"a<40":         {40, false},
		"b<5":          {4, true},
		"ratio>=2.5":   {2.5, true},
		"ratio.a>=2.6": {2.5, false},
	} {
		c, err := ParseCheck(text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Judge([]Check{c}, rows, "a")
		if err != nil || len(got) != 1 || got[0] != (Verdict{text, want.value, want.met}) {
			t.Errorf("%s: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, name := range []string{"c", "ratio.c", "ratio.b"} {
		if _, err := Judge([]Check{{name, ">=", 0}}, rows, "a"); err == nil {
			t.Errorf("there is a figure %s, want none", name)
		}
	}
}
