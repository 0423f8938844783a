package chaos

import (
	"cmp"
	"fmt"
	"slices"
)

// witnesses bounds the sessions that all others are compared with: those that have heard most. What one of the others alone
// has heard is due for the witnesses too.
const witnesses = 16

// A verdict is what a checker found on one channel.
type verdict struct {
	wrong      []string
	deliveries int
	gaps       int
	excused    int // events that were accepted and did not come, where a gap says so
}

// blame notes something that is wrong.
func (v *verdict) blame(format string, args ...any) {
	v.wrong = append(v.wrong, fmt.Sprintf(format, args...))
}

// check compares what the sessions of a channel have heard with what was published on it and with each other. live are the
// sessions that lasted to the end: they have to have heard everything up to it.
//
// An event is due when it was accepted, or when anybody heard it: what is delivered to one is delivered to all. A session that
// is told of no gap at that place has to hear it if it
//   - was open before the event's publishing began, and heard a later one of the same publisher or lasted to the end; or
//   - heard what came before and after it for another session.
func check(published map[int][]attempt, sessions []*session) verdict {
	var v verdict
	heard := make(map[id]bool)
	for _, s := range sessions {
		v.wrong = append(v.wrong, s.wrong...)
		v.gaps += s.gaps
		for _, step := range s.steps {
			if !step.gap {
				heard[step.id] = true
				v.deliveries++
			}
		}
	}
	places := make([]map[id]int, len(sessions))
	for i, s := range sessions {
		places[i] = s.places()
		v.numbers(s, published)
		for by, attempts := range published {
			v.holes(s, places[i], by, attempts, heard)
		}
	}
	longest := make([]int, len(sessions))
	for i := range longest {
		longest[i] = i
	}
	slices.SortStableFunc(longest, func(a, b int) int { return cmp.Compare(len(places[b]), len(places[a])) })
	for _, i := range longest[:min(witnesses, len(longest))] {
		for j := range sessions {
			if i != j {
				v.compare(sessions[i], places[i], sessions[j], places[j])
			}
		}
	}
	return v
}

// numbers looks for what came twice or too late. What was not accepted may be late: its publisher has not waited for it.
func (v *verdict) numbers(s *session, published map[int][]attempt) {
	last := make(map[int]int)
	seen := make(map[id]bool)
	for _, step := range s.steps {
		switch i := step.id; {
		case step.gap:
		case seen[i]:
			v.blame("%v: %v came twice", s, i)
		case i.n < last[i.by] && !published[i.by][i.n-1].accepted:
			seen[i] = true
		case i.n < last[i.by]:
			v.blame("%v: %v came after %v", s, i, id{i.by, last[i.by]})
		default:
			last[i.by] = i.n
			seen[i] = true
		}
	}
}

// holes looks for events of one publisher that are due and did not come.
func (v *verdict) holes(s *session, came map[id]int, by int, attempts []attempt, heard map[id]bool) {
	due := func(n int) bool {
		i := id{by, n}
		_, here := came[i]
		return !here && (attempts[n-1].accepted || heard[i])
	}
	next := 1 // the first that has not come
	for next <= len(attempts) && !attempts[next-1].began.After(s.opened) {
		next++
	}
	gap := false
	missing := func(until int, before string) {
		for n := next; n < until; n++ {
			switch {
			case !due(n):
			case gap:
				v.excused++
			default:
				v.blame("%v: %v did not come, %s", s, id{by, n}, before)
			}
		}
	}
	for _, step := range s.steps {
		switch {
		case step.gap:
			gap = true
		case step.id.by == by && step.id.n >= next:
			missing(step.id.n, fmt.Sprintf("before %v", step.id))
			next, gap = step.id.n+1, false
		case step.id.by == by:
			gap = false
		}
	}
	if !s.ended {
		missing(len(attempts)+1, "at the end")
	}
}

// places returns at which step each event came.
func (s *session) places() map[id]int {
	places := make(map[id]int, len(s.steps))
	for at, step := range s.steps {
		if !step.gap {
			places[step.id] = at
		}
	}
	return places
}

// compare looks for what b heard in another order than a, or did not hear in the middle of what both heard.
func (v *verdict) compare(a *session, inA map[id]int, b *session, inB map[id]int) {
	last, lastAt := id{}, -1 // what both have heard
	gap := false             // b has been told of one since
	for _, step := range b.steps {
		if step.gap {
			gap = true
			continue
		}
		at, both := inA[step.id]
		if !both || at == lastAt { // came twice, which others look for
			continue
		}
		if at < lastAt {
			v.blame("%v came before %v for %v, and after it for %v", step.id, last, a, b)
			return
		}
		if lastAt >= 0 && !gap {
			for _, between := range a.steps[lastAt+1 : at] {
				if _, too := inB[between.id]; !too && !between.gap {
					v.blame("%v: %v did not come between %v and %v, as it did for %v", b, between.id, last, step.id, a)
					return
				}
			}
		}
		last, lastAt, gap = step.id, at, false
	}
}
