package chaos

import (
	"fmt"
	"sync"
	"time"
)

// An id is an event's: the n-th that somebody published on a channel, from 1.
type id struct {
	by, n int
}

func (i id) String() string { return fmt.Sprintf("%d-%d", i.by, i.n) }

// parseID reads what String wrote.
func parseID(text string) (id, error) {
	var i id
	_, err := fmt.Sscanf(text, "%d-%d", &i.by, &i.n)
	return i, err
}

// An attempt is one publish. It may have taken effect though it was not accepted: nobody can know when an answer is lost.
type attempt struct {
	began    time.Time
	accepted bool
}

// A ledger has all attempts.
type ledger struct {
	mu       sync.Mutex
	attempts map[string]map[int][]attempt // by channel and publisher; the n-th at n-1
}

func newLedger() *ledger { return &ledger{attempts: make(map[string]map[int][]attempt)} }

// begin notes an attempt and returns the event's id.
func (l *ledger) begin(channel string, by int) id {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.attempts[channel] == nil {
		l.attempts[channel] = make(map[int][]attempt)
	}
	l.attempts[channel][by] = append(l.attempts[channel][by], attempt{began: time.Now()})
	return id{by, len(l.attempts[channel][by])}
}

// accept notes that an attempt has been answered with success.
func (l *ledger) accept(channel string, i id) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.attempts[channel][i.by][i.n-1].accepted = true
}

// count returns how many events were accepted, and how many not.
func (l *ledger) count() (accepted, refused int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, publishers := range l.attempts {
		for _, attempts := range publishers {
			for _, a := range attempts {
				if a.accepted {
					accepted++
				} else {
					refused++
				}
			}
		}
	}
	return accepted, refused
}
