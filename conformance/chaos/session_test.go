package chaos

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// A session is a subscription as its client sees it, from subscription_succeeded to the end of the connection. What a client
// misses while it is away is no business of the server's.
type session struct {
	// Static after construction.
	who     string // the client
	node    string
	channel string
	opened  time.Time // when subscription_succeeded came
	first   []string  // the members whom it had

	mu sync.Mutex
	// Guarded by mu.
	steps   []step
	roster  map[string]bool
	removed map[string]int // how often each user was told to have gone
	gaps    int
	wrong   []string // what no order of events could explain
	ended   bool
}

// A step is something that a session was told.
type step struct {
	id  id   // of the event
	gap bool // or that some may be missing here
}

func newSession(who, node, channel string, members []string) *session {
	s := &session{who: who, node: node, channel: channel, opened: time.Now(), first: members, roster: map[string]bool{}, removed: map[string]int{}}
	for _, m := range members {
		s.roster[m] = true
	}
	return s
}

func (s *session) String() string { return fmt.Sprintf("%s on %s at %s", s.who, s.channel, s.node) }

// event notes an event.
func (s *session) event(i id) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.steps = append(s.steps, step{id: i})
}

// gap notes a hark:gap.
func (s *session) gap() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gaps++
	s.steps = append(s.steps, step{gap: true})
}

// added and removed note a member's coming and going.
func (s *session) added(user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.roster[user] {
		s.wrong = append(s.wrong, fmt.Sprintf("%v: member_added for %s, who is there", s, user))
	}
	s.roster[user] = true
}

func (s *session) removedMember(user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.roster[user] {
		s.wrong = append(s.wrong, fmt.Sprintf("%v: member_removed for %s, who is not there", s, user))
	}
	delete(s.roster, user)
	s.removed[user]++
}

// end notes that the connection has ended.
func (s *session) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
}

// members returns who is there, sorted.
func (s *session) members() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.roster))
}

// heard reports whether an event came last.
func (s *session) heard(i id) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.steps) > 0 && s.steps[len(s.steps)-1].id == i
}

// copy returns the session as it is now.
func (s *session) copy() *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &session{
		who: s.who, node: s.node, channel: s.channel, opened: s.opened, first: s.first,
		steps: slices.Clone(s.steps), roster: maps.Clone(s.roster), removed: maps.Clone(s.removed),
		gaps: s.gaps, wrong: slices.Clone(s.wrong), ended: s.ended,
	}
}
