package bench

import (
	"bytes"
	"errors"
	"fmt"
)

// Presence lets users join and leave presence channels that others are on, one at a time on each channel: the next step is taken
// when every member has been told of the last.
type Presence struct {
	Span
	Audience // members who stay and are told
}

// Headline implements Scenario.
func (p *Presence) Headline() string { return "deliveries_per_cpu_s" }

// Validate implements Scenario.
func (p *Presence) Validate() error {
	return errors.Join(p.Span.validate(), p.Audience.validate(1))
}

// A lobby is the presence channels. An arrival is an even event of its channel, a departure an odd one. Members have a
// subscription, visitors have none.
type lobby struct{ *crowd }

func (p *Presence) run(s *session) error {
	crowd, err := s.gather("presence-bench-", p.Audience)
	if err != nil {
		return err
	}
	l := &lobby{crowd: crowd}
	for _, member := range crowd.sockets {
		member.on = l
	}
	visitors := make([]*socket, p.Channels)
	for i := range visitors {
		if visitors[i], err = s.connect(l, i, 0); err != nil {
			return err
		}
	}
	ready := func(v *socket) bool { return v.id != "" }
	if err := s.await("connecting", func() bool { return all(visitors, ready) }); err != nil {
		return err
	}
	s.ledger.done = func(c *channel, _ uint32) {
		s.finished++
		if !s.closing {
			l.step(visitors[c.index])
		}
	}
	for _, v := range visitors {
		l.step(v)
	}
	_, _, err = s.deliver(p.Span, crowd, "changes")
	return err
}

func all(sockets []*socket, are func(*socket) bool) bool {
	for _, s := range sockets {
		if !are(s) {
			return false
		}
	}
	return true
}

// step lets a visitor come, or go if it is there. Its user has the event's stamp for an id.
func (l *lobby) step(v *socket) {
	c := l.ledger.channels[v.index]
	seq := l.ledger.publish(c, l.loop.now)
	c.sent(seq, &v.source)
	if seq%2 == 1 {
		v.unsubscribe(c.name)
		return
	}
	v.subscribe(c.name, channelData(c.name, string(stamp{c.index, seq}.append(nil))))
}

func (l *lobby) established(*socket) { l.loop.moved = l.loop.now }
func (l *lobby) subscribed(*socket)  {}

// event is told to members, and to the visitor himself with the list of members.
func (l *lobby) event(s *socket, st stamp, message []byte) {
	if s.subscription == nil {
		return
	}
	if bytes.Contains(message, []byte("pusher_internal:member_removed")) {
		st.seq++
	}
	l.crowd.event(s, st, message)
}

func (l *lobby) gone(_ *socket, err error) {
	l.loop.fail(fmt.Errorf("a member's connection: %w", err))
}
