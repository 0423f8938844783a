package chaos

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	// patience bounds what has to come some time, whatever the load of the machine.
	patience = 30 * time.Second
	// pollEvery is how often something is looked at that is waited for.
	pollEvery = 10 * time.Millisecond
)

// within polls until f has no complaint, and returns how long that took. The bound is on the time of clock.
func within(t testing.TB, what string, bound time.Duration, f func() string) time.Duration {
	t.Helper()
	began := clock.Now()
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		complaint := f()
		took := clock.Since(began)
		if complaint == "" {
			return took
		}
		if took > bound {
			t.Errorf("waited %v for %s: %s", bound, what, complaint)
			return took
		}
		<-ticker.C
	}
}

// settled waits until everybody who wants to be there is on all places.
func (p *play) settled() time.Duration {
	p.t.Helper()
	return within(p.t, "everybody to be subscribed", patience, func() string {
		for _, c := range p.present() {
			l := c.connected()
			if c.passing {
				continue
			}
			if l == nil {
				return c.name + " is not connected"
			}
			for _, channel := range c.channels {
				if l.session(channel) == nil {
					return fmt.Sprintf("%s is not on %s at %s", c.name, channel, l.node)
				}
			}
		}
		return ""
	})
}

// rest waits, for so long at most, until every client, and every node that is asked, says that exactly those are there who
// want to be. With all, that includes those who are passing, and the number of connections.
func (p *play) rest(bound time.Duration, all bool) time.Duration {
	p.t.Helper()
	return within(p.t, "the right members everywhere", bound, func() string {
		clients := p.present()
		told := func(users []string) string {
			return strings.Join(slices.DeleteFunc(users, func(u string) bool { return !all && strings.HasPrefix(u, passing) }), " ")
		}
		want := told(users(clients))
		for _, c := range clients {
			if complaint := c.sees(told, want); complaint != "" && (all || !c.passing) {
				return complaint
			}
		}
		for _, n := range p.standing() {
			if complaint := says(n, told, want); complaint != "" {
				return complaint
			}
			if all {
				if complaint := tells(n, len(clients)); complaint != "" {
					return complaint
				}
			}
		}
		return ""
	})
}

// sees compares whom a client sees with whom it has to.
func (c *client) sees(told func([]string) string, want string) string {
	l := c.connected()
	if l == nil {
		return c.name + " is not connected"
	}
	for _, channel := range c.channels {
		s := l.session(channel)
		if s == nil {
			return c.name + " is not on " + channel
		}
		if got := told(s.members()); isPresence(channel) && got != want {
			return fmt.Sprintf("%v sees [%s], want [%s]", s, got, want)
		}
	}
	return ""
}

// says compares whom a node says to be there.
func says(n node, told func([]string) string, want string) string {
	for _, channel := range places {
		if !isPresence(channel) {
			continue
		}
		members, err := n.members(context.Background(), channel)
		if got := told(sorted(members)); err != nil || got != want {
			return fmt.Sprintf("%s says that [%s] are on %s (%v), want [%s]", n.name(), got, channel, err, want)
		}
	}
	return ""
}

// tells compares how many connections a node counts.
func tells(n node, want int) string {
	for _, channel := range places {
		if got, err := n.sockets(context.Background(), channel); err != nil || got != want {
			return fmt.Sprintf("%s counts %d sockets on %s (%v), want %d", n.name(), got, channel, err, want)
		}
	}
	return ""
}
