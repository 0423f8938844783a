//go:build !race

package httpapi_test

import "testing"

// A trigger costs a few allocations beyond those of net/http: the event's name,
// its data, the name of its channel, and the list that the latter is in.
func TestAllocations(t *testing.T) {
	if allocs := testing.AllocsPerRun(2000, newTrigger(t)); allocs > 4 {
		t.Errorf("%.1f allocations a trigger, want at most 4", allocs)
	}
}
