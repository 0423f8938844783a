package channels

import "time"

// Pacing. A write costs about the same for one frame as for many, so a place
// where events come faster than a pass over its subscribers takes is better
// served in fewer, larger batches. Its next pass begins no earlier than
// Config.Pacing times the duration of the last one after that one's beginning,
// if something came meanwhile that fits into one batch. Where nothing presses
// nothing waits.
const (
	// maxCycle bounds the time from the beginning of a pass to the next, as far
	// as pacing stretches it.
	maxCycle = 20 * time.Millisecond
	// minRest is the shortest rest worth a timer: an idle process is woken to
	// the millisecond.
	minRest = 100 * time.Microsecond
)

// rest returns until when a place rests whose pass began at a time and has
// ended now; zero: not at all.
func rest(began, now time.Time, pacing float64) time.Time {
	cycle := time.Duration(pacing * float64(now.Sub(began)))
	due := began.Add(min(cycle, maxCycle))
	if due.Sub(now) < minRest {
		return time.Time{}
	}
	return due
}

// resting are the places that rest, as a heap: the first is due first.
type resting []*feed

func (r resting) Len() int           { return len(r) }
func (r resting) Less(i, j int) bool { return r[i].due.Before(r[j].due) }
func (r resting) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }
func (r *resting) Push(f any)        { *r = append(*r, f.(*feed)) }
func (r *resting) Pop() any {
	last := len(*r) - 1
	f := (*r)[last]
	(*r)[last] = nil
	*r = (*r)[:last]
	return f
}
