package chaos

import (
	"fmt"
	"slices"
	"strings"
)

// blames is how many things that are wrong are told; there may be thousands.
const blames = 10

// calm ends the traffic, waits until all has arrived and everything is right, and compares what was heard. It returns what
// it has counted.
func (p *play) calm() counts {
	p.t.Helper()
	p.calmly()
	p.acting.Wait()
	p.settled()
	for _, channel := range places {
		p.last(channel)
	}
	p.rest(patience, true)
	c, wrong := p.compare()
	p.t.Logf("seed %d: %v", p.seed, c)
	for _, w := range wrong[:min(len(wrong), blames)] {
		p.t.Errorf("seed %d: %s", p.seed, w)
	}
	if n := len(wrong) - blames; n > 0 {
		p.t.Errorf("seed %d: and %d more", p.seed, n)
	}
	return c
}

// last publishes until everybody has heard it: after a gap nobody could say how much is missing.
func (p *play) last(channel string) {
	p.t.Helper()
	const sentinel = 99
	var i id
	sent := false
	tries, next := 0, 0
	within(p.t, "the last event on "+channel, patience, func() string {
		if tries == next { // one that is lost shows too: as a hole before the next
			i, sent = p.publishOne(channel, sentinel)
			next = 2*tries + 20 // it may only be slow
		}
		tries++
		if !sent {
			tries, next = 0, 0
			return "nobody takes it"
		}
		for _, c := range p.present() {
			if l := c.connected(); l == nil || l.session(channel) == nil || !l.session(channel).heard(i) {
				return fmt.Sprintf("%s has not heard %v", c.name, i)
			}
		}
		return ""
	})
}

// counts are what a play has counted.
type counts struct {
	accepted, refused  int
	sessions           int
	deliveries         int
	gaps, excused      int
	removals, unwanted int // member_removed that were told; those that the play had not
}

func (c counts) String() string {
	return fmt.Sprintf("%d events accepted, %d refused; %d subscriptions, %d deliveries; %d gaps, %d events lost in them; %d member_removed",
		c.accepted, c.refused, c.sessions, c.deliveries, c.gaps, c.excused, c.removals)
}

// compare has the checker look at every place, and returns what is wrong.
func (p *play) compare() (counts, []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var c counts
	c.accepted, c.refused = p.ledger.count()
	c.sessions = len(p.sessions)
	wrong := slices.Clone(p.wrong)
	for _, channel := range places {
		var here []*session
		for _, s := range p.sessions {
			if s.channel == channel {
				here = append(here, s.copy())
			}
		}
		v := check(p.ledger.attempts[channel], here)
		wrong = append(wrong, v.wrong...)
		c.deliveries += v.deliveries
		c.gaps += v.gaps
		c.excused += v.excused
		for _, s := range here {
			wrong = append(wrong, p.absentLocked(s)...)
			if s.gaps > p.losses {
				wrong = append(wrong, fmt.Sprintf("%v: hark:gap %d times, for %d losses", s, s.gaps, p.losses))
			}
			for user, n := range s.removed {
				c.removals += n
				if extra := n - p.departures[user]; extra > 0 && !strings.HasPrefix(user, passing) {
					c.unwanted += extra
					wrong = append(wrong, fmt.Sprintf("%v: member_removed for %s %d times, who left %d times", s, user, n, p.departures[user]))
				}
			}
		}
	}
	return c, wrong
}

// absentLocked returns which of the residents who never left a session on a presence channel was not told of when it began.
func (p *play) absentLocked(s *session) (wrong []string) {
	if !isPresence(s.channel) || s.opened.Before(p.resided) {
		return nil
	}
	for _, user := range p.residents {
		if p.departures[user] == 0 && !slices.Contains(s.first, user) {
			wrong = append(wrong, fmt.Sprintf("%v: subscription_succeeded did not have %s", s, user))
		}
	}
	return wrong
}
