package bench

import (
	"testing"
	"time"
)

func TestHistogram(t *testing.T) {
	var h histogram
	if got := h.quantile(0.99); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
	for i := range 100 {
		h.add(time.Duration(i + 1))
	}
	for share, want := range map[float64]time.Duration{0: 1, 0.01: 1, 0.5: 50, 0.99: 99, 0.991: 100, 1: 100} {
		if got := h.quantile(share); got != want {
			t.Errorf("quantile(%v) = %d, want %d", share, got, want)
		}
	}
	h.add(-time.Second)
	if got := h.quantile(0); got != 0 {
		t.Errorf("a negative duration counts as %v, want 0", got)
	}
}

// TestHistogramError goes over all sizes: each duration is put where it belongs, at most 1 % too high.
func TestHistogramError(t *testing.T) {
	last := -1
	for d := uint64(1); d < 1<<50; d += 1 + d/300 {
		i := bucketOf(d)
		if i < last {
			t.Fatalf("bucketOf(%d) = %d, below that of a shorter one", d, i)
		}
		last = i
		if end := uint64(bucketEnd(i)); end < d || end-d > d/100 {
			t.Fatalf("%d counts as %d", d, end)
		}
	}
}

func TestSpread(t *testing.T) {
	for _, test := range []struct {
		in   []float64
		want Spread
	}{
		{[]float64{3}, Spread{3, 3, 3}},
		{[]float64{3, 1}, Spread{1, 2, 3}},
		{[]float64{9, 1, 2}, Spread{1, 2, 9}},
		{[]float64{4, 1, 2, 3}, Spread{1, 2.5, 4}},
	} {
		if got := spread(test.in); got != test.want {
			t.Errorf("spread(%v) = %v, want %v", test.in, got, test.want)
		}
	}
}
