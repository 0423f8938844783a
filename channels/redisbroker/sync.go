package redisbroker

import (
	"context"
	"fmt"
	mathrand "math/rand/v2"
	"strconv"
	"time"

	"hark/channels"
	"hark/presence"
	"hark/protocol"
)

// A syncing is one call that tells Redis who is on a place.
type syncing struct {
	ops     []*op
	items   []any
	groups  int // the E's among items before those of ops
	whole   bool
	silent  bool
	want    uint64
	version uint64
	count   int
	counted bool
	kept    bool
	unsure  bool
	name    string   // of this node
	known   []string // the users whom Redis knows when this has been told
}

// build takes what waits. Nil: there is nothing, and run has ended.
func (p *place) build() *syncing {
	p.mu.Lock()
	if len(p.queue) == 0 && !p.dirty && p.want == p.have {
		p.mu.Unlock()
		p.forget()
		return nil
	}
	defer p.mu.Unlock()
	s := &syncing{
		name: p.partition.nameNow(), version: p.broker.versions.Add(1),
		want: p.want, whole: p.want != p.have, unsure: time.Now().Before(p.unsure),
	}
	if s.whole {
		s.silent = p.silent
		p.wholeLocked(s)
	} else {
		p.takeLocked(s)
		var gone []any
		for user := range p.doubts {
			gone = append(gone, "L", user)
		}
		s.items = append(gone, s.items...) // first, so that there is room for those who come
	}
	s.count, s.counted, s.kept = len(p.sockets), p.counted, p.kept
	return s
}

// wholeLocked tells everything, and nothing new: that must not be told silently.
func (p *place) wholeLocked(s *syncing) {
	if len(p.users) == 0 {
		return
	}
	s.groups = 1
	users := make([]*user, 0, len(p.users))
	for id, u := range p.users {
		users = append(users, u)
		s.known = append(s.known, id)
	}
	s.group(users, 0)
	s.items = append(s.items, 0)
}

// takeLocked takes ops off the queue.
func (p *place) takeLocked(s *syncing) {
	n := min(len(p.queue), syncOps)
	var ends []int // where in items each group's number of sockets stands
	for _, o := range p.queue[:n] {
		if o.given && o.enter {
			close(o.done)
			continue
		}
		s.ops = append(s.ops, o)
		if !o.enter {
			o.removed = p.leaveLocked(o)
			for _, user := range o.removed {
				s.items = append(s.items, "L", user)
			}
			continue
		}
		users, bound := p.enterLocked(o)
		if len(users) == 0 {
			continue
		}
		o.group = true
		s.group(users, bound)
		ends = append(ends, len(s.items))
		s.items = append(s.items, 0)
	}
	p.queue = p.queue[n:]
	for _, o := range s.ops {
		if !o.group {
			continue
		}
		here := 0
		for _, id := range o.added {
			if _, ok := p.sockets[id]; ok {
				here++
			}
		}
		s.items[ends[0]] = here
		ends = ends[1:]
	}
}

// group adds users who come in together, or not at all.
func (s *syncing) group(users []*user, bound int) {
	s.items = append(s.items, "E", bound, len(users))
	for _, u := range users {
		body, _ := encode(channels.Envelope{Kind: channels.KindChange, Diff: presence.AddedDiff(u.member)}) // it has no JSON of its own
		s.items = append(s.items, u.member.UserID, string(u.member.UserInfo), body)
	}
}

// tell makes the call.
func (p *place) tell(ctx context.Context, s *syncing) ([]any, error) {
	b := p.broker
	if !b.up.Load() {
		return nil, channels.ErrUnavailable
	}
	select {
	case b.syncs <- struct{}{}:
		defer func() { <-b.syncs }()
	case <-ctx.Done():
		return nil, errEnded
	}
	ctx, cancel := b.within(ctx)
	defer cancel()
	args := append([]any{
		s.name, p.partition.deadline(ctx), strconv.FormatUint(mathrand.Uint64(), 10), b.config.History.Milliseconds(),
		b.config.HistoryBytes, b.keep(), s.version, s.count, flag(s.counted), flag(s.whole), flag(s.silent), flag(s.unsure),
		escape.Replace(p.at.App), p.at.Channel, b.config.Notes, flag(s.kept),
	}, s.items...)
	reply, err := p.partition.pipe.do(ctx, syncScript, p.partition.keys.all(p.at, s.name), args...)
	if err != nil {
		b.look()
		return nil, err
	}
	switch said, rest := status(reply); said {
	case "ok":
		if len(rest) != 5 {
			return nil, errReply
		}
		return rest, nil
	case "fenced":
		b.look()
		return nil, fmt.Errorf("%w: this node's lease has run out", channels.ErrUnavailable)
	case "late":
		b.look()
		return nil, errLate
	case "settling":
		return nil, p.settling(rest)
	default:
		return nil, errReply
	}
}

// settling has the sync made again when Redis can say who comes and who goes.
func (p *place) settling(rest []any) error {
	if len(rest) != 1 {
		return errReply
	}
	left, err := number(rest[0])
	if err != nil {
		return err
	}
	p.broker.repairs.add(p, time.Duration(left)*time.Millisecond)
	return errSettling
}

func flag(on bool) int {
	if on {
		return 1
	}
	return 0
}

// settle takes the outcome of a sync over, and answers who waits for it.
func (p *place) settle(s *syncing, reply []any, err error) {
	var snapshot channels.Snapshot
	var from message
	var results string
	var held time.Duration
	if err == nil {
		snapshot, from, results, held, err = parseSync(reply)
	}
	if err == nil {
		p.delivery.open(from)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.failLocked(s, err)
		return
	}
	p.dirty = false
	clear(p.doubts)
	if s.whole {
		p.have = s.want
		if p.have == p.want {
			p.silent = false
		}
		if held > 0 {
			p.held = true
			p.broker.repairs.add(p, held)
		}
		for _, id := range s.known {
			p.knowLocked(id)
		}
	}
	next := s.groups
	for _, o := range s.ops {
		in := true
		if o.group {
			in = next < len(results) && results[next] == '1'
			next++
		}
		if o.enter {
			p.enteredLocked(o, in, snapshot)
		}
		close(o.done)
	}
}

// enteredLocked takes over that who o is about is in, or that there was no room.
func (p *place) enteredLocked(o *op, in bool, snapshot channels.Snapshot) {
	if !in {
		o.err = channels.ErrFull
		for _, id := range o.added {
			p.refuseLocked(id)
		}
		return
	}
	o.snapshot = snapshot
	for _, id := range o.added {
		p.knowLocked(p.sockets[id])
	}
}

// knowLocked notes that Redis knows of a user, who may have left meanwhile.
func (p *place) knowLocked(user string) {
	if u := p.users[user]; u != nil {
		u.known = true
	}
}

// refuseLocked takes a socket off the place that was not let in. Its user may be in
// Redis all the same.
func (p *place) refuseLocked(s protocol.SocketID) {
	u := p.users[p.sockets[s]]
	if user, gone := p.dropLocked(s); gone && (u.known || u.doubted) {
		p.doubtLocked(user)
		p.dirty = true
	}
}

// failLocked takes back what nobody knows to have happened: whoever enters is told so,
// and whoever has left is gone.
func (p *place) failLocked(s *syncing, err error) {
	p.dirty, p.unsure = true, time.Now().Add(p.broker.config.Timeout)
	for _, o := range s.ops {
		for _, id := range o.added {
			if user, gone := p.dropLocked(id); gone {
				p.doubtLocked(user)
			}
		}
		for _, user := range o.removed {
			p.doubtLocked(user)
		}
		if o.enter {
			o.err = unavailable(fmt.Errorf("enter %s: %w", p.at.Channel, err))
		}
		close(o.done)
	}
}

// parseSync reads what sync.lua returns: the state, from where on this node is to
// deliver, for each group whether it was let in, and in what time who is missing can be
// taken away; 0: nobody is, or they were.
func parseSync(reply []any) (s channels.Snapshot, from message, results string, held time.Duration, err error) {
	if s, from, err = parseState(reply[3]); err != nil {
		return s, from, "", 0, err
	}
	seq, err1 := number(reply[0])
	ms, err2 := number(reply[1])
	left, err3 := number(reply[4])
	results, ok := reply[2].(string)
	if err1 != nil || err2 != nil || err3 != nil || !ok {
		return s, from, "", 0, errReply
	}
	from.seq, from.ms = uint64(seq), ms
	return s, from, results, time.Duration(left) * time.Millisecond, nil
}

// parseState reads a place's state, and where its position stands in the stream.
func parseState(v any) (s channels.Snapshot, at message, err error) {
	list, ok := v.([]any)
	if !ok || len(list) < 8 || len(list)%2 != 0 {
		return s, at, errReply
	}
	text := make([]string, len(list))
	for i := range list {
		if text[i], ok = list[i].(string); !ok {
			return s, at, errReply
		}
	}
	if at.epoch, err = strconv.ParseUint(text[0], 10, 64); err != nil {
		return s, at, errReply
	}
	var numbers [5]int64
	for i, from := range []int{1, 2, 3, 6, 7} {
		if numbers[i], err = strconv.ParseInt(text[from], 10, 64); err != nil {
			return s, at, errReply
		}
	}
	at.seq, at.ms, at.repairs = uint64(numbers[0]), numbers[1], numbers[4]
	s.Position = channels.Position{Epoch: at.epoch, Seq: at.seq}
	s.Sockets = int(numbers[2])
	s.Cached = cachedFor(text[4], text[5], numbers[3])
	for i := 8; i+1 < len(text); i += 2 {
		s.Members = append(s.Members, member(text[i], text[i+1]))
	}
	return s, at, nil
}

// cachedFor returns an event that is cached for some more ms; none, if that is 0.
func cachedFor(name, data string, ms int64) channels.Cached {
	if ms <= 0 {
		return channels.Cached{}
	}
	return channels.Cached{Name: name, Data: data, Until: time.Now().Add(time.Duration(ms) * time.Millisecond)}
}

func member(id, info string) protocol.Member {
	m := protocol.Member{UserID: id}
	if info != "" {
		m.UserInfo = []byte(info)
	}
	return m
}
