//go:build !race

package httpapi_test

import "testing"

// A trigger costs a few allocations beyond those of net/http, each of which
// reads: the parameters of the query, and what the event is made of.
func TestAllocations(t *testing.T) {
	if allocs := testing.AllocsPerRun(2000, newTrigger(t)); allocs > 8 {
		t.Errorf("%.1f allocations a trigger, want at most 8", allocs)
	}
}
