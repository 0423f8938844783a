package bench

import (
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	const rest = " S 41 42 42 0 -1 4194560 1000 2000 0 0 150 50 25 5 20 0 9 0 500 1000000 2000 18446744073709551615 1 1\n"
	want := stat{pid: 42, parent: 41, user: 1750 * time.Millisecond, system: 550 * time.Millisecond}
	for _, name := range []string{"hark", "a b", "a) S 7 (b", "((", ")"} {
		got, err := parseStat([]byte("42 (" + name + ")" + rest))
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, want)
		}
	}
	for _, text := range []string{"", "42 (hark) S", "x (hark)" + rest, "42 hark" + rest, "42 (hark) S 1 2 3 4 5 6 7 8 9 10 a b c d e f"} {
		if got, err := parseStat([]byte(text)); err == nil {
			t.Errorf("parseStat(%q) = %+v, want an error", text, got)
		}
	}
}

func TestParseResident(t *testing.T) {
	for text, want := range map[string]int64{
		"Name:\thark\nVmRSS:\t   1024 kB\nThreads:\t9\n": 1 << 20,
		"Name:\tzombie\n": 0,
	} {
		if got, err := parseResident([]byte(text)); err != nil || got != want {
			t.Errorf("parseResident(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"VmRSS: 1024 MB\n", "VmRSS:\n", "VmRSS: x kB"} {
		if got, err := parseResident([]byte(text)); err == nil {
			t.Errorf("parseResident(%q) = %d, want an error", text, got)
		}
	}
}

func FuzzProcess(f *testing.F) {
	f.Add([]byte("42 (hark) S 41 42 42 0 -1 4194560 1000 2000 0 0 150 50 25 5"))
	f.Add([]byte("VmRSS:\t   1024 kB\n"))
	f.Fuzz(func(_ *testing.T, text []byte) {
		_, _ = parseStat(text) // neither may panic
		_, _ = parseResident(text)
	})
}

func TestDescends(t *testing.T) {
	parents := map[int]int{2: 1, 3: 2, 4: 9, 5: 6, 6: 5}
	for pid, want := range map[int]bool{2: true, 3: true, 4: false, 5: false, 7: false} {
		if got := descends(pid, 1, parents); got != want {
			t.Errorf("descends(%d) = %v, want %v", pid, got, want)
		}
	}
}
