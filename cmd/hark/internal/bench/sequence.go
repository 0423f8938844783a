package bench

// A Tally is what was found of the deliveries that were due. All but Received have to be 0.
type Tally struct {
	Received   int `json:"received"`
	Lost       int `json:"lost"`       // did not come, up to the end
	Duplicated int `json:"duplicated"` // came again
	Reordered  int `json:"reordered"`  // came after one that it should have come before
	Unknown    int `json:"unknown"`    // of an event or channel that it should not have come from
}

// OK reports whether everything came once and in order.
func (t Tally) OK() bool { return t.Lost|t.Duplicated|t.Reordered|t.Unknown == 0 }

// add counts what another tally has.
func (t *Tally) add(other Tally) {
	t.Received += other.Received
	t.Lost += other.Lost
	t.Duplicated += other.Duplicated
	t.Reordered += other.Reordered
	t.Unknown += other.Unknown
}

// A sequence is what one subscriber has received of the events at places 0, 1, 2 … of a channel. The zero value has nothing.
type sequence struct {
	next    uint32              // the place after the last that came in order
	missing map[uint32]struct{} // places before it that did not come; nil: none
}

// receive counts the event at a place, and reports whether it is the first time that it comes.
func (s *sequence) receive(place uint32, t *Tally) bool {
	t.Received++
	switch {
	case place == s.next:
		s.next++
		return true
	case place > s.next:
		if s.missing == nil {
			s.missing = map[uint32]struct{}{}
		}
		for ; s.next < place; s.next++ {
			s.missing[s.next] = struct{}{}
		}
		s.next++
		return true
	}
	if _, late := s.missing[place]; late {
		delete(s.missing, place)
		t.Reordered++
		return true
	}
	t.Duplicated++
	return false
}

// lost returns how many of the first events did not come.
func (s *sequence) lost(published uint32) int { return len(s.missing) + int(published-s.next) }
