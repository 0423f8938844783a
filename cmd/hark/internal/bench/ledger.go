package bench

import (
	"fmt"
	"time"
)

// A ledger knows every event that was published, and who has it.
type ledger struct {
	channels []*channel
	tally    Tally
	pending  int                            // events that somebody still waits for
	late     *histogram                     // of every delivery, from the time it was due; nil: not measured
	done     func(c *channel, event uint32) // called when all subscribers have an event; nil: nobody asks
}

// A channel is one that the bench publishes on.
type channel struct {
	index       uint16
	name        string
	subscribers int
	events      []event // by sequence number
	placed      uint32  // how many of them somebody has received
}

// An event is one of a channel's. Publishers that work at the same time may be overtaken by each other, so its place in the order
// is where the first subscriber had it.
type event struct {
	due     time.Duration // when it had to be published, on the loop's clock
	place   uint32        // from 1; 0: nobody has it yet
	waiting int32         // subscribers that do not have it
	source  *source
}

// A source publishes one event after the other: a connection for requests, or a websocket.
type source struct{ latest map[*channel]uint32 } // what it sent last of what has a place, and 1; nil: nothing

// A subscription is one subscriber's to one channel.
type subscription struct {
	channel *channel
	have    sequence
}

func (l *ledger) open(name string) *channel {
	c := &channel{index: uint16(len(l.channels)), name: name}
	l.channels = append(l.channels, c)
	return c
}

// openAll opens n channels that all begin with a prefix.
func (l *ledger) openAll(prefix string, n int) {
	for i := range n {
		l.open(fmt.Sprintf("%s%04d", prefix, i))
	}
}

// spread has socket i on channel i modulo their number.
func (l *ledger) spread(i int) *channel { return l.channels[i%len(l.channels)] }

// publish enters a new event, which all subscribers have to get, and returns its number.
func (l *ledger) publish(c *channel, due time.Duration) uint32 {
	c.events = append(c.events, event{due: due, waiting: int32(c.subscribers)})
	l.pending++
	return uint32(len(c.events) - 1)
}

// sent says who publishes an event. It is called before anybody can have it.
func (c *channel) sent(seq uint32, from *source) { c.events[seq].source = from }

// receive counts a delivery.
func (l *ledger) receive(s *subscription, st stamp, now time.Duration) {
	c := s.channel
	if st.channel != c.index || int(st.seq) >= len(c.events) {
		l.tally.Unknown++
		return
	}
	e := &c.events[st.seq]
	if e.place == 0 {
		l.place(c, e, st.seq)
	}
	if !s.have.receive(e.place-1, &l.tally) {
		return
	}
	if l.late != nil {
		l.late.add(now - e.due)
	}
	e.waiting--
	if e.waiting == 0 {
		l.pending--
		if l.done != nil {
			l.done(c, st.seq)
		}
	}
}

// place gives an event the next place of its channel. One source's events keep the order in which it sent them.
func (l *ledger) place(c *channel, e *event, seq uint32) {
	c.placed++
	e.place = c.placed
	if e.source == nil {
		return
	}
	if e.source.latest == nil {
		e.source.latest = map[*channel]uint32{}
	}
	if latest := e.source.latest[c]; latest > seq+1 {
		l.tally.Reordered++
		return
	}
	e.source.latest[c] = seq + 1
}

// settle counts what subscribers still lack. Nothing is received afterwards.
func (l *ledger) settle(subscriptions []*subscription) {
	for _, s := range subscriptions {
		l.tally.Lost += s.have.lost(uint32(len(s.channel.events)))
	}
}
