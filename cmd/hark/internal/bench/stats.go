package bench

import (
	"math"
	"math/bits"
	"slices"
	"time"
)

// A histogram counts durations, each within 1 % of what it was. The zero value is empty.
type histogram struct {
	counts []uint64
	total  uint64
}

// stepBits says how fine it is: so many bits of each duration count.
const stepBits = 8

func (h *histogram) add(d time.Duration) {
	i := bucketOf(uint64(max(d, 0)))
	if i >= len(h.counts) {
		h.counts = append(h.counts, make([]uint64, i+1-len(h.counts))...)
	}
	h.counts[i]++
	h.total++
}

// bucketOf is exact below 2^stepBits ns; above, all but the highest bits are cut off.
func bucketOf(ns uint64) int {
	shift := max(0, bits.Len64(ns)-stepBits)
	return shift<<(stepBits-1) + int(ns>>shift)
}

// bucketEnd is the highest duration of a bucket.
func bucketEnd(i int) time.Duration {
	shift := max(0, i>>(stepBits-1)-1)
	return time.Duration(uint64(i-shift<<(stepBits-1)+1)<<shift - 1)
}

// quantile returns the duration that a share of all, from 0 to 1, does not exceed; 0 if there are none.
func (h *histogram) quantile(share float64) time.Duration {
	rank := uint64(math.Ceil(share * float64(h.total)))
	var seen uint64
	for i, n := range h.counts {
		seen += n
		if seen >= max(rank, 1) {
			return bucketEnd(i)
		}
	}
	return 0
}

// A Spread is the middle and the ends of several values.
type Spread struct {
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
	Max    float64 `json:"max"`
}

// spread returns that of values, of which there is at least one; the middle of an even number is that of the middle two.
func spread(values []float64) Spread {
	v := slices.Sorted(slices.Values(values))
	middle := (v[(len(v)-1)/2] + v[len(v)/2]) / 2
	return Spread{v[0], middle, v[len(v)-1]}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
