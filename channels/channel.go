package channels

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"hark/presence"
	"hark/protocol"
)

// entryOverhead is what an entry counts for beside its frame, in bytes.
const entryOverhead = 64

// A Channel is a place as this node holds it: who is subscribed here, what
// waits to be sent to them, and, on presence channels, who is there anywhere.
// It exists while this node has a subscription on it, or one under way, and
// until its lists are empty.
type Channel struct {
	// Static after construction.
	registry *registry
	place    Place
	kind     protocol.Kind
	bound    int  // bytes of an entry list; Config.EntryList
	counted  bool // subscribers are told how many they are
	later    *later
	hooks    *channelHooks // nil: there are none

	refs   int         // subscriptions, those under way included; guarded by the registry shard
	unheld atomic.Bool // refs is 0; written under the registry shard

	// mu is the publish lock: whatever is appended to the entry lists is
	// appended to all of them under it, so every subscriber sees one order.
	mu sync.Mutex
	// Guarded by mu.
	opened    bool     // roster and position are right
	joined    int      // subscribers here
	position  Position // of what was delivered last
	changed   Position // while not opened: no older Snapshot has what joiners are told
	roster    presence.Roster
	waiting   []waitingJoin  // subscriptions ahead of position
	feeds     []*feed        // one a flusher, nil where nobody was subscribed yet
	succeeded protocol.Frame // a presence channel's, for the next joiner; zero: to be encoded
	reserved  int            // bytes promised to publishers
	room      chan struct{}  // closed when a list has become shorter; nil: nobody waits
	gapped    bool           // the lists end with a hark:gap
	cached    cachedFrame    // a cache channel's last event
	count     count          // of sockets, where subscribers are told it
	offline   time.Time      // a user's place: when the watchers are told that the user has gone; zero: never
}

// A cachedFrame is an event that those who come later are sent too.
type cachedFrame struct {
	frame protocol.Frame
	until time.Time
}

// A waitingJoin is a subscription that the broker has ordered at a position
// which this node has not reached yet.
type waitingJoin struct {
	sub   *Subscription
	at    Position
	since time.Time
}

func (h *Hub) newChannel(p Place) *Channel {
	kind := protocol.KindOf(p.Channel)
	return &Channel{
		registry: h.channels,
		place:    p,
		kind:     kind,
		counted:  h.apps[p.App].config.SubscriptionCount && !kind.IsPresence() && p.Channel[0] != '#',
		bound:    h.config.EntryList,
		later:    &h.later,
		hooks:    h.hooksOf(p),
		feeds:    make([]*feed, len(h.flushers)),
	}
}

// errStale answers a join whose Snapshot is older than what was delivered
// meanwhile: enter again.
var errStale = errors.New("channels: the snapshot is older than what was delivered")

// join makes sub a subscriber from here on. Its first frame is
// subscription_succeeded, with the members as they are at this point of the
// order; what comes after it in the lists reaches it too. One that has left does
// not come back.
//
// With helped, here and in leave, the caller then calls help of the socket's
// flusher.
func (c *Channel) join(sub *Subscription, s Snapshot, helped bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if sub.left {
		return nil
	}
	if err := c.openLocked(s); err != nil {
		return err
	}
	if c.position.behind(s.Position) {
		c.waiting = append(c.waiting, waitingJoin{sub, s.Position, time.Now()})
		return nil
	}
	c.insertLocked(sub, helped)
	return nil
}

// openLocked takes the Snapshot of the first to come as the state of the place,
// unless a member came or went since it was taken.
func (c *Channel) openLocked(s Snapshot) error {
	if c.opened {
		return nil
	}
	if s.Position.before(c.changed) {
		return errStale
	}
	c.opened = true
	if !s.Position.before(c.position) {
		c.position = s.Position
	}
	for _, m := range s.Members {
		c.roster.Apply(presence.AddedDiff(m))
	}
	c.count, c.offline = count{sockets: s.Sockets}, time.Time{}
	c.cached = cachedFrame{}
	if s.Cached.fresh() {
		e := protocol.Event{Name: s.Cached.Name, Channel: c.place.Channel, Data: s.Cached.Data}
		c.cached = cachedFrame{e.Frame(), s.Cached.Until}
	}
	return nil
}

func (c *Channel) insertLocked(sub *Subscription, helped bool) {
	f := c.feeds[sub.socket.flusher.index]
	if f == nil {
		f = &feed{channel: c, flusher: sub.socket.flusher}
		c.feeds[sub.socket.flusher.index] = f
	}
	c.joined++
	f.joined++
	sub.joined.Store(true)
	switch sub.role {
	case roleSelf:
		f.appendLocked(entry{kind: entryJoin, helped: helped, sub: sub})
		return
	case roleWatcher:
		f.appendLocked(entry{kind: entryJoin, helped: helped, sub: sub})
		switch online := c.onlineLocked(); {
		case online == sub.online:
		case sub.online && c.joined == 1: // the user has gone just now, and may be back soon
			c.goneLocked()
		default:
			f.appendLocked(entry{kind: entryOnly, sub: sub, frame: c.onlineFrameLocked()})
		}
		return
	}
	f.appendLocked(entry{kind: entryJoin, helped: helped, sub: sub, frame: c.succeededLocked()})
	if c.kind.IsCache() {
		f.appendLocked(entry{kind: entryOnly, sub: sub, frame: c.cachedLocked()})
	}
	if c.counted {
		f.appendLocked(entry{kind: entryOnly, sub: sub, frame: c.countFrameLocked()})
	}
	c.loadInitialLocked(f, sub)
	c.tellJoinedLocked(sub)
}

// cachedLocked returns what a joiner of a cache channel hears first.
func (c *Channel) cachedLocked() protocol.Frame {
	if time.Now().Before(c.cached.until) {
		return c.cached.frame
	}
	c.cached = cachedFrame{}
	return protocol.CacheMiss(c.place.Channel).Frame()
}

func (c *Channel) succeededLocked() protocol.Frame {
	if !c.kind.IsPresence() {
		return protocol.SubscriptionSucceeded(c.place.Channel).Frame()
	}
	if c.succeeded.IsZero() {
		c.succeeded = protocol.PresenceSucceeded(c.place.Channel, c.roster.All(), c.roster.Len()).Frame()
	}
	return c.succeeded
}

// leave ends what join began. Frames that are in the list already still reach
// the socket, and then the last one, unless it is zero; nothing that is appended
// later does. It reports whether sub had joined: else the last frame does not
// reach the socket.
func (c *Channel) leave(sub *Subscription, why End, last protocol.Frame, helped bool) (joined bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	sub.left = true
	joined = sub.joined.Swap(false)
	if joined {
		f := c.feeds[sub.socket.flusher.index]
		c.joined--
		f.joined--
		f.appendLocked(entry{kind: entryLeave, helped: helped, sub: sub, frame: last})
		sub.stopLoading()
		c.tellLeftLocked(sub, why)
	} else {
		c.waiting = slices.DeleteFunc(c.waiting, func(w waitingJoin) bool { return w.sub == sub })
	}
	if c.joined == 0 && len(c.waiting) == 0 {
		// The broker may stop telling this node what happens here: whoever comes
		// next starts from a Snapshot, and from none that is older than position.
		c.opened, c.roster, c.succeeded = false, presence.Roster{}, protocol.Frame{}
		c.changed = c.position
	}
	return joined
}

// drained reports whether nothing waits in the lists, or is being sent.
func (c *Channel) drained() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.feeds {
		if f != nil && f.queued {
			return false
		}
	}
	return true
}

// deliver takes the next envelope of the place. except is the subscription of
// e.Except, if that socket is on this node. It reports whether the caller is to help the
// flushers, as e says.
func (c *Channel) deliver(e Envelope, except *Subscription, counters Counters) (helped bool) {
	if e.Kind == KindEvent && e.frame.IsZero() {
		e.frame = e.encode()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.opened {
		// Nobody here can hear it yet. What a joiner is told of makes a Snapshot
		// stale that was taken before it.
		c.position = e.Position
		if e.Kind != KindEvent || e.Cache > 0 {
			c.changed = e.Position
		}
		return false
	}
	if e.Position.Epoch == c.position.Epoch && !c.position.behind(e.Position) {
		return false // the Snapshot that opened the channel includes it
	}
	c.position = e.Position
	switch e.Kind {
	case KindChange:
		c.changeLocked(e.Diff)
	case KindCount:
		c.countLocked(e.Sockets)
	case KindTerminate:
		c.appendLocked(entry{kind: entryTerminate})
	case KindEvent:
		helped = c.eventLocked(e, except, counters)
	}
	c.admitLocked()
	return helped
}

func (c *Channel) eventLocked(e Envelope, except *Subscription, counters Counters) (helped bool) {
	if e.Cache > 0 {
		c.cached = cachedFrame{e.frame, time.Now().Add(e.Cache)}
	}
	if c.fullLocked(0, len(e.frame.Wire())) {
		counters.Dropped(DropListFull, 1)
		c.gapLocked()
		return false
	}
	c.gapped = false
	to := entry{kind: entryFrame, helped: e.helped, frame: e.frame, sub: except}
	if e.to != nil {
		to.kind, to.audience = entrySome, &audience{to: e.to}
	}
	return c.appendLocked(to)
}

// changeLocked tells the subscribers that a member came or went. That is small
// and is never dropped: a roster that is wrong once is wrong for ever. What they know
// they are not told again: the broker may have lost what it had told.
func (c *Channel) changeLocked(d presence.Diff) {
	if !c.newsLocked(d) {
		return
	}
	if strings.HasPrefix(c.place.Channel, userPlace) {
		c.userChangedLocked(d)
		return
	}
	c.roster.Apply(d)
	c.succeeded = protocol.Frame{}
	c.appendLocked(entry{kind: entryFrame, frame: diffFrame(c.place.Channel, d)})
	if c.hooks != nil && c.joined > 0 {
		c.tellChangeLocked(d)
	}
}

// newsLocked reports whether d says something else than the roster.
func (c *Channel) newsLocked(d presence.Diff) bool {
	if m, ok := d.Added(); ok {
		return !c.roster.Has(m.UserID)
	}
	id, _ := d.Removed()
	return c.roster.Has(id)
}

// admitLocked inserts the subscriptions whose position has been reached.
func (c *Channel) admitLocked() {
	if len(c.waiting) == 0 {
		return
	}
	still := c.waiting[:0]
	for _, w := range c.waiting {
		if c.position.behind(w.at) {
			still = append(still, w)
		} else {
			c.insertLocked(w.sub, false)
		}
	}
	clear(c.waiting[len(still):])
	c.waiting = still
}

// appendLocked appends e to the list of every flusher that has subscribers. It reports
// whether whoever appends is to help, as e says, since there are few.
func (c *Channel) appendLocked(e entry) (helped bool) {
	e.helped = e.helped && c.joinedLocked() <= fewInAll
	except := e.sub
	for _, f := range c.feeds {
		if f == nil || f.joined == 0 {
			continue
		}
		e.sub = nil
		if except != nil && except.socket.flusher == f.flusher {
			e.sub = except
		}
		f.appendLocked(e)
	}
	return e.helped
}

// joinedLocked is how many subscribers there are once all entries are done.
func (c *Channel) joinedLocked() int {
	n := 0
	for _, f := range c.feeds {
		if f != nil {
			n += f.joined
		}
	}
	return n
}

// before reports whether p and q are of one epoch and p comes first. Where they
// are not, neither is known to: a Snapshot is then the newer one, since the
// place cannot have ended while the one who entered is on it.
func (p Position) before(q Position) bool { return p.Epoch == q.Epoch && p.Seq < q.Seq }

// behind reports whether p comes before q. A position of another epoch, or
// none, does.
func (p Position) behind(q Position) bool {
	return p.Epoch != q.Epoch || p.Seq < q.Seq
}

// encode returns the frame of an event.
func (e *Envelope) encode() protocol.Frame {
	return protocol.Event{Name: e.Name, Channel: e.Place.Channel, Data: e.Data, UserID: e.UserID}.Frame()
}

func diffFrame(channel string, d presence.Diff) protocol.Frame {
	if m, ok := d.Added(); ok {
		return protocol.MemberAdded(channel, m).Frame()
	}
	id, _ := d.Removed()
	return protocol.MemberRemoved(channel, id).Frame()
}
