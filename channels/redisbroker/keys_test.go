package redisbroker

import "testing"

// TestSlotOf has the examples of Redis's documentation and of CLUSTER KEYSLOT.
func TestSlotOf(t *testing.T) {
	for tag, want := range map[string]uint16{"123456789": 0x31C3, "": 0, "foo": 12182, "p0": 15882} {
		if got := slotOf(tag); got != want {
			t.Errorf("slotOf(%q) = %d, want %d", tag, got, want)
		}
	}
}

// TestPartitionsAreSpread counts the partitions of masters that share the slots evenly.
func TestPartitionsAreSpread(t *testing.T) {
	for _, partitions := range []int{1, 2, 3, 31, 32, 64, 1000, 1024} {
		tags := tagsOf(partitions)
		for _, masters := range []int{1, 2, 3, 5, 8, 16, 32} {
			has := make([]int, masters)
			for _, tag := range tags {
				has[int(slotOf(tag))*masters/slots]++
			}
			least, most := partitions/masters-1, partitions/masters+2
			if partitions%masters == 0 {
				least, most = partitions/masters, partitions/masters
			}
			for i, n := range has {
				if n < least || n > most {
					t.Errorf("master %d of %d has %d of %d partitions, want %d to %d", i, masters, n, partitions, least, most)
				}
			}
		}
	}
}
