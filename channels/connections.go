package channels

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"hark/authz"
	"hark/protocol"
)

// A ConnInfo describes a connection on any node.
type ConnInfo struct {
	Node   string            `json:"node"` // which node has it
	Socket protocol.SocketID `json:"socket_id"`
	// Identity is whom it speaks for; zero: a guest. Of one that is longer than 16 KiB
	// as JSON there are ID and Tenant.
	Identity authz.Identity `json:"user,omitzero"`
	// Channels are those that it is on, the first 100 in order of their names, and
	// Subscriptions is how many there are in all.
	Channels      []string `json:"channels"`
	Subscriptions int      `json:"subscriptions"`
	// Since is when it connected, by the clock of its node, to the millisecond.
	Since time.Time `json:"since"`
}

// A UserInfo describes a user who has connections on any nodes.
type UserInfo struct {
	// Identity is as one of the connections has it, bounded as that of a ConnInfo.
	Identity authz.Identity `json:"user"`
	// Connections is how many of those that were asked for speak for the user.
	Connections int `json:"connections"`
}

// A Page says which part of a list is wanted.
type Page struct {
	// Limit is how many entries it has at most; 0: 100. It may be MaxPage at most.
	Limit int
	// Cursor is where it begins: what was returned with the page before. "": at the
	// beginning.
	Cursor string
}

const (
	// MaxPage is the most entries of a Page.
	MaxPage     = 1000
	defaultPage = 100
)

// Connections lists the selected connections of all nodes, in order of their socket
// ids as text, and returns the cursor of the next page; "": this is the last one. A
// page may have fewer entries than its limit and not be the last: each node tells
// 512 KiB at most. A connection that comes or goes while pages are asked for may be
// missing; one that stays is on one of them, once.
//
// A *SilentError names the nodes that did not answer within Config.BrokerTimeout: what
// is returned with it lacks their connections. ErrUnavailable: the nodes could not be
// asked. ErrBusy: two pages of the app are being asked for on this node already, or those
// of other apps took Config.BrokerTimeout. Another error says what is wrong with the
// selector, ErrNoTarget that it names nobody, or with the page.
func (a *App) Connections(ctx context.Context, to Selector, p Page) (list []ConnInfo, next string, err error) {
	q := enumeration{About: aboutConnections, To: to}
	return enumerate(ctx, a, q, p, func(c *ConnInfo, node string) string {
		c.Node = node
		return string(c.Socket)
	}, nil)
}

// Users lists the users whom the selected connections of all nodes speak for, each
// once, in order of their ids, and counts those connections. Guests are no users. The
// cursor and the errors are those of Connections.
func (a *App) Users(ctx context.Context, to Selector, p Page) (list []UserInfo, next string, err error) {
	q := enumeration{About: aboutUsers, To: to}
	return enumerate(ctx, a, q, p, func(u *UserInfo, _ string) string { return u.Identity.ID },
		func(u *UserInfo, same UserInfo) { u.Connections += same.Connections })
}

const (
	// appAsksAtOnce is how many enumerations of an app are under way on a node, those
	// that wait for their turn among them. One more is ErrBusy at once.
	appAsksAtOnce = 2
	// asksAtOnce is how many are put to all nodes at a time, of all apps. What waits
	// has its turn in order, so that an app is behind two of each other app at most.
	asksAtOnce = 4
)

// ask puts an enumeration to all nodes. The time that they have begins with its turn.
func (a *App) ask(ctx context.Context, q enumeration) ([]Answer, error) {
	text, err := json.Marshal(q)
	if err != nil {
		return nil, fmt.Errorf("channels: ask about %s: %w", q.About, err)
	}
	if err := a.takeTurn(ctx); err != nil {
		if errors.Is(err, ErrBusy) {
			a.hub.config.Counters.Dropped(DropQuestion, 1)
		}
		return nil, err
	}
	defer a.endTurn()
	ctx, cancel := a.hub.brokerContext(ctx)
	defer cancel()
	return a.hub.questions.Ask(ctx, string(text))
}

// takeTurn waits for one of Hub.asking, for Config.BrokerTimeout at most. ErrBusy: there
// was none, or as many of the app as may be wait already.
func (a *App) takeTurn(ctx context.Context) error {
	select {
	case a.asking <- struct{}{}:
	default:
		return ErrBusy
	}
	ctx, cancel := context.WithTimeoutCause(ctx, a.hub.config.BrokerTimeout, ErrBusy)
	defer cancel()
	select {
	case a.hub.asking <- struct{}{}:
		return nil
	case <-ctx.Done():
		<-a.asking
		return context.Cause(ctx)
	}
}

func (a *App) endTurn() {
	<-a.hub.asking
	<-a.asking
}

// A keyed is an entry with what the list is ordered by.
type keyed[E any] struct {
	key   string
	entry E
}

// enumerate puts an enumeration to all nodes, and merges the parts of their lists. Own
// makes an entry that of a node, and returns its key; unite adds what another node says
// about the same key.
func enumerate[E any](
	ctx context.Context, a *App, q enumeration, p Page, own func(e *E, node string) string, unite func(e *E, same E),
) (list []E, next string, err error) {
	q.App, q.After, q.Limit = a.ID(), p.Cursor, cmp.Or(p.Limit, defaultPage)
	if q.Limit < 0 || q.Limit > MaxPage {
		return nil, "", fmt.Errorf("channels: a page has from 1 to %d entries, not %d", MaxPage, p.Limit)
	}
	if err := q.To.Check(); err != nil {
		return nil, "", err
	}
	answers, err := a.ask(ctx, q)
	silent, ok := errors.AsType[*SilentError](err)
	if err != nil && !ok {
		return nil, "", err
	}
	var all []keyed[E]
	end, ends := "", false // up to where all nodes that answered have said what they have
	for _, answer := range answers {
		entries, more, err := read(answer, own)
		if err != nil {
			silent = silent.add(answer.Node, err)
			continue
		}
		all = append(all, entries...)
		if more {
			if last := entries[len(entries)-1].key; !ends || last < end {
				end, ends = last, true
			}
		}
	}
	list, next = merge(all, q.Limit, end, ends, unite)
	if silent != nil {
		return list, next, silent
	}
	return list, next, nil
}

// read reads what a node says.
func read[E any](answer Answer, own func(e *E, node string) string) (entries []keyed[E], more bool, err error) {
	var p part[E]
	if err := json.Unmarshal([]byte(answer.Text), &p); err != nil {
		return nil, false, fmt.Errorf("channels: the answer is not understood: %w", err)
	}
	if p.More && len(p.Entries) == 0 {
		return nil, false, errors.New("channels: the answer has no end")
	}
	for i := range p.Entries {
		key := own(&p.Entries[i], answer.Node)
		entries = append(entries, keyed[E]{key, p.Entries[i]})
	}
	return entries, p.More, nil
}

// merge returns the first entries, each key once: up to limit, and up to end if the list
// ends there.
func merge[E any](all []keyed[E], limit int, end string, ends bool, unite func(e *E, same E)) (list []E, next string) {
	slices.SortStableFunc(all, func(x, y keyed[E]) int { return cmp.Compare(x.key, y.key) })
	list = []E{}
	last := ""
	for _, e := range all {
		switch {
		case len(list) > 0 && e.key == last:
			if unite != nil {
				unite(&list[len(list)-1], e.entry)
			}
		case len(list) == limit, ends && e.key > end:
			return list, last
		default:
			list, last = append(list, e.entry), e.key
		}
	}
	if ends {
		return list, last
	}
	return list, ""
}

// add returns e, or a new SilentError if it is nil, with one node more.
func (e *SilentError) add(node string, err error) *SilentError {
	if e == nil {
		e = new(SilentError)
	}
	nodes := append(slices.Clone(e.Nodes), node)
	slices.Sort(nodes)
	return &SilentError{nodes, err}
}
