package channels

import "time"

// Pacing. A write costs about the same for one frame as for many, so a place
// where events come faster than a pass over its subscribers takes is better
// served in fewer, larger batches. After a pass that had several events, or
// during which some came, a place rests for as long as its rounds took, times
// Config.Pacing less one, unless more waits than fits into one batch.
// Where nothing presses nothing waits.
const (
	// maxRest bounds what pacing may cost an event.
	maxRest = 20 * time.Millisecond
	// minRest is the shortest rest worth a timer: an idle process is woken to
	// the millisecond.
	minRest = 100 * time.Microsecond
)

// restUntil returns until when a place rests whose pass took some time and has
// ended now; zero: not at all.
func restUntil(now time.Time, took time.Duration, pacing float64) time.Time {
	pause := min(time.Duration((pacing-1)*float64(took)), maxRest)
	if pause < minRest {
		return time.Time{}
	}
	return now.Add(pause)
}

// rests reports whether it is too early for the next pass.
func (f *feed) rests() bool {
	return !f.busy && !f.due.IsZero() && time.Now().Before(f.due)
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
