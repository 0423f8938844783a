package chaos

import (
	"strings"
	"testing"
	"time"
)

// A checker is worth something only if it finds what is wrong.
func TestChecker(t *testing.T) {
	for _, tt := range []struct {
		name  string
		heard []string // by each session, in words; a last "end" ends it, a first "late" opens it after all was published
		want  []string // what is found begins with these
	}{
		{"all is well", []string{"1-1 2-1 1-2 1-3", "1-1 2-1 1-2 1-3"}, nil},
		{"what nobody accepted may be missing", []string{"1-1 2-1 1-3"}, []string{"s0 on c at n: 1-2 did not come, before 1-3"}},
		{"refused", []string{"1-1 2-1 1-2 1-3 1-4", "1-1 2-1 1-2 1-3 1-4"}, nil},
		{"refused, but told to one", []string{"1-1 2-1 1-2 1-3 1-4", "1-1 2-1 1-2 1-3"}, []string{"s1 on c at n: 1-4 did not come, at the end"}},
		{"twice", []string{"1-1 2-1 1-2 1-2 1-3"}, []string{"s0 on c at n: 1-2 came twice"}},
		{"too late", []string{"1-2 1-1 2-1 1-3"}, []string{
			"s0 on c at n: 1-1 came after 1-2"}},
		{"refused, and late", []string{"1-1 2-1 1-2 1-4 1-3 1-5", "1-1 2-1 1-2 1-4 1-3 1-5"}, []string{
			"s0 on c at n: 1-3 came after 1-4", "s1 on c at n: 1-3 came after 1-4"}},
		{"what was refused may be late", []string{"1-1 2-1 1-2 1-3 1-5 1-4", "1-1 2-1 1-2 1-3 1-5 1-4"}, nil},
		{"another order", []string{"1-1 2-1 1-2 1-3", "1-1 1-2 2-1 1-3"}, []string{
			"2-1 came before 1-2 for s0 on c at n, and after it for s1 on c at n", "1-2 came before 2-1 for s1"}},
		{"lost at the end", []string{"1-1 2-1 1-2"}, []string{"s0 on c at n: 1-3 did not come, at the end"}},
		{"lost for ever, by nobody's fault", []string{"1-1 2-1 1-2 end"}, nil},
		{"lost, and another publisher shows it", []string{"1-1 2-1 1-2 1-3", "1-1 1-2 end", "1-1 2-1 1-2 1-3"}, []string{
			"s1 on c at n: 2-1 did not come between 1-1 and 1-2, as it did for s0", "s1 on c at n: 2-1 did not come between"}},
		{"a gap excuses", []string{"1-1 gap 1-3", "1-1 2-1 1-2 1-3"}, nil},
		{"a gap at another place does not", []string{"1-1 2-1 gap 1-2 1-2 1-3 gap", "1-1 2-1 1-2 1-3"}, []string{"s0 on c at n: 1-2 came twice"}},
		{"a gap too late does not", []string{"1-1 2-1 1-3 gap"}, []string{"s0 on c at n: 1-2 did not come, before 1-3"}},
		{"a gap at the end excuses", []string{"1-1 2-1 gap"}, nil},
		{"who comes late need not hear what was", []string{"late", "1-1 2-1 1-2 1-3"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opened := time.Now()
			began := opened.Add(time.Second)
			published := map[int][]attempt{
				1: {{began, true}, {began, true}, {began, true}, {began, false}, {began, false}},
				2: {{began, true}},
			}
			var sessions []*session
			for i, words := range tt.heard {
				s := newSession("s"+string(rune('0'+i)), "n", "c", nil)
				s.opened = opened
				for word := range strings.FieldsSeq(words) {
					switch word {
					case "end":
						s.end()
					case "late":
						s.opened = began.Add(time.Second)
					case "gap":
						s.gap()
					default:
						i, err := parseID(word)
						if err != nil {
							t.Fatal(err)
						}
						s.event(i)
					}
				}
				sessions = append(sessions, s)
			}
			got := check(published, sessions).wrong
			if len(got) != len(tt.want) {
				t.Fatalf("found %q, want %q", got, tt.want)
			}
			for _, want := range tt.want {
				found := false
				for _, g := range got {
					found = found || strings.HasPrefix(g, want)
				}
				if !found {
					t.Errorf("found %q, want %q", got, want)
				}
			}
		})
	}
}

func TestCheckerOfMembers(t *testing.T) {
	s := newSession("s", "n", "c", []string{"ada"})
	s.added("bob")
	s.removedMember("ada")
	s.added("ada")
	if got := check(nil, []*session{s}).wrong; got != nil {
		t.Errorf("found %q, want nothing", got)
	}
	s.added("bob")
	s.removedMember("eve")
	if got := check(nil, []*session{s}).wrong; len(got) != 2 {
		t.Errorf("found %q, want two things", got)
	}
}
