package channels

import "time"

// A sink is the Hub as its broker sees it.
type sink Hub

// Deliver hands an envelope to the channel it belongs to, if anybody here is
// on it. An event of a broker that is not local it also sends, if they are few: to
// wake a flusher costs as much.
func (k *sink) Deliver(e Envelope) {
	h := (*Hub)(k)
	if e.Kind == KindControl {
		if a := h.apps[e.Place.App]; a != nil && e.Control != nil {
			a.control.add(a, e, h.config.Counters)
		}
		return
	}
	c := h.channels.find(e.Place)
	if c == nil {
		return
	}
	if e.To != nil && e.to == nil {
		e.to = narrow(*e.To)
	}
	var except *Subscription
	if e.Except != "" {
		if s := h.sockets.find(e.Except); s != nil {
			except = s.subscription(c)
		}
	}
	e.helped = e.helped || !h.local // where the broker is local the publisher helps, if it has nothing else to do
	if c.deliver(e, except, h.config.Counters) && !h.local {
		h.help(sinkLull * time.Duration(len(h.flushers)))
	}
}

// narrow compiles a selector of another node. What cannot be understood selects
// nobody.
func narrow(to Selector) *matcher {
	m, err := to.compile()
	if err != nil {
		return nobody
	}
	return m
}

// nobody matches no socket.
var nobody = &matcher{users: names{}}

// Gap hands a place's state over after envelopes were lost.
func (k *sink) Gap(p Place, now Snapshot) {
	h := (*Hub)(k)
	if p.Channel == ControlChannel {
		switch a := h.apps[p.App]; {
		case a == nil:
		case h.begun.Load():
			a.control.lose(a, now.Position.Seq+1)
		default:
			a.begin(now.Position.Seq + 1)
		}
		return
	}
	if c := h.channels.find(p); c != nil {
		c.gap(now)
	}
}

// Correct hands a place's state over after the broker had lost what it knew.
func (k *sink) Correct(p Place, now Snapshot) {
	if c := (*Hub)(k).channels.find(p); c != nil {
		c.correct(now)
	}
}

// State notes whether the broker can be reached.
func (k *sink) State(err error) {
	if err == nil {
		k.begun.Store(true)
		k.outage.Store(nil)
	} else {
		k.outage.Store(&err)
	}
}
