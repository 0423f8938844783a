package channels

import "time"

// A bucket allows so many events a second, and as many at once after a pause.
type bucket struct {
	rate   int   // a second, and at most saved up
	tokens int64 // saved up, in billionths
	at     int64 // Hub.now when tokens was right
}

func (b *bucket) fill(rate int) {
	b.rate = min(rate, maxRate)
	b.tokens = int64(b.rate) * int64(time.Second)
}

// maxRate keeps the arithmetic in range; more than that is no limit.
const maxRate = 1e6

// take uses one up, or reports that there is none.
func (b *bucket) take(now int64) bool {
	full := int64(b.rate) * int64(time.Second)
	if passed := now - b.at; passed >= int64(time.Second) {
		b.tokens = full
	} else {
		b.tokens = min(full, b.tokens+passed*int64(b.rate))
	}
	b.at = now
	if b.tokens < int64(time.Second) {
		return false
	}
	b.tokens -= int64(time.Second)
	return true
}
