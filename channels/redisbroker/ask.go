package redisbroker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"hark/channels"
)

const (
	// answersAtOnce is how many questions this node answers at a time. One more it counts
	// and leaves: to who asked it is silent.
	answersAtOnce = 64
	// maxAnswer bounds an answer, in bytes.
	maxAnswer = 1 << 20
	// askBlock is how long Redis is let wait for an answer at a time: who asks sees the
	// end of its context that late.
	askBlock = 250 * time.Millisecond
	// askRest is which part of the time for a question is not for the nodes: in it Redis
	// says that no more answers came. If it does not, it is not known who is silent.
	askRest = 8
)

var (
	errNoAnswer = errors.New("redisbroker: it did not answer in time")
	errTooLong  = fmt.Errorf("redisbroker: its answer is longer than %d bytes", maxAnswer)
)

// Ask implements channels.Questions:
//
//	Broker.Ask       who lives? by the leases of a partition     alive.lua
//	└─ ask.lua       to all nodes, on the commands' pub/sub channel
//	Broker.asked     on each node: a goroutine, Sink.Answer
//	└─ answer.lua    into a list of the question's own
//	Broker.collect   until all have answered, or the time is over
//
// A question takes a connection while it waits.
func (b *Broker) Ask(ctx context.Context, question string) ([]channels.Answer, error) {
	ctx, cancel := b.within(ctx)
	defer cancel()
	p := b.partitions[0]
	reply, err := b.askPlace(ctx, p, aliveScript, []string{p.keys.leases(), p.keys.about()})
	if err != nil {
		return nil, err
	}
	nodes, err := nodesOf(reply)
	if err != nil {
		return nil, unavailable(err)
	}
	end, _ := ctx.Deadline() // there is one
	q := inquiry{id: randomName(), text: question, within: time.Until(end) * (askRest - 1) / askRest}
	end = time.Now().Add(q.within)
	_, err = b.control.pipe.do(ctx, askScript, []string{b.control.channelOf}, q.within.Milliseconds(), q.encode())
	if err != nil {
		b.look()
		return nil, unavailable(fmt.Errorf("ask all nodes: %w", err))
	}
	return b.collect(ctx, b.control.keys.answers(q.id), end, nodes)
}

// nodesOf reads what alive.lua says. A node's lease has its name and a number.
func nodesOf(reply []any) ([]string, error) {
	if len(reply) != 1 {
		return nil, errReply
	}
	list, ok := reply[0].([]any)
	if !ok {
		return nil, errReply
	}
	var nodes []string
	for _, v := range list {
		lease, _ := v.(string)
		i := strings.LastIndexByte(lease, '.')
		if i < 0 {
			return nil, errReply
		}
		nodes = append(nodes, lease[:i])
	}
	return nodes, nil
}

// collect takes answers off a question's list until all nodes are among them, or it is
// the end of their time. Who is not among those that were expected is welcome, too.
func (b *Broker) collect(ctx context.Context, key string, end time.Time, nodes []string) ([]channels.Answer, error) {
	heard := make(map[string]nodeAnswer)
	missing := func(node string) bool { _, ok := heard[node]; return !ok }
	var why error
	for why == nil && slices.ContainsFunc(nodes, missing) {
		a, err := b.nextAnswer(ctx, key, end)
		if errors.Is(err, channels.ErrUnavailable) {
			return nil, err
		}
		if why = err; err == nil {
			heard[a.node] = a
		}
	}
	var answers []channels.Answer
	silent := make(map[string]bool)
	for _, a := range heard {
		if a.failed == "" {
			answers = append(answers, channels.Answer{Node: a.node, Text: a.text})
			continue
		}
		silent[a.node] = true
		if why == nil {
			why = errors.New(a.failed)
		}
	}
	for _, node := range nodes {
		if missing(node) {
			silent[node] = true
		}
	}
	if len(silent) == 0 {
		return answers, nil
	}
	return answers, &channels.SilentError{Nodes: slices.Sorted(maps.Keys(silent)), Err: why}
}

// nextAnswer waits for the next of a list. errNoAnswer: none came until end.
// ErrUnavailable: it is not known whether one came.
func (b *Broker) nextAnswer(ctx context.Context, key string, end time.Time) (nodeAnswer, error) {
	block := askBlock
	if patience := b.config.Redis.ReadTimeout; patience > 0 {
		block = min(block, patience/2)
	}
	for {
		if ctx.Err() != nil {
			return nodeAnswer{}, unavailable(context.Cause(ctx))
		}
		left := min(block, time.Until(end)).Round(time.Millisecond)
		if left <= 0 {
			return nodeAnswer{}, errNoAnswer
		}
		pair, err := b.client.Do(ctx, "BLPOP", key, left.Seconds()).StringSlice()
		switch {
		case errors.Is(err, redis.Nil):
		case err != nil || len(pair) != 2:
			b.look()
			return nodeAnswer{}, unavailable(cmp.Or(err, errReply))
		default:
			a, err := decodeAnswer(pair[1])
			if err == nil {
				return a, nil
			}
			b.config.Logger.Error("an answer of another node cannot be read", "error", err)
		}
	}
}

// asked answers a question of a node, on a goroutine of its own.
func (b *Broker) asked(payload string) {
	end, body, _ := strings.Cut(payload, " ")
	q, err := decodeInquiry(body)
	if _, bad := strconv.ParseUint(end, 10, 63); err != nil || bad != nil {
		b.config.Logger.Error("a question to all nodes cannot be read", "error", errors.Join(err, bad))
		return
	}
	select {
	case b.answering <- struct{}{}:
	default:
		b.config.Counters.Unanswered()
		return
	}
	started := b.tasks.start(func(ctx context.Context) {
		defer func() { <-b.answering }()
		ctx, cancel := context.WithTimeoutCause(ctx, min(q.within, b.config.Timeout), errNoAnswer)
		defer cancel()
		a := nodeAnswer{node: b.name}
		var err error
		if a.text, err = b.sink.Answer(ctx, q.text); err == nil && len(a.text) > maxAnswer {
			err = errTooLong
		}
		if err != nil {
			a.text, a.failed = "", err.Error()
		}
		key := b.control.keys.answers(q.id)
		if _, err := b.control.pipe.do(ctx, answerScript, []string{key}, end, a.encode()); err != nil {
			b.look()
		}
	})
	if !started {
		<-b.answering
	}
}

// Questions and answers are bodies like those of envelope.go:
//
//	Q  i id, q question, m ms that there are to answer
//	A  n node, t answer; or n node, x why there is none
//
// On pub/sub a question has "q", the end of its time by Redis's clock in ms, and a
// space before it. A node that does not know its version does not answer.

// An inquiry is a question on its way.
type inquiry struct {
	id, text string
	within   time.Duration // how long there is to answer; whole milliseconds on the way
}

func (q inquiry) encode() string {
	var b strings.Builder
	b.WriteByte(bodyVersion)
	b.WriteByte('Q')
	put(&b, 'i', q.id)
	put(&b, 'q', q.text)
	put(&b, 'm', strconv.FormatInt(q.within.Milliseconds(), 10))
	return b.String()
}

func decodeInquiry(body string) (q inquiry, err error) {
	err = fields(body, 'Q', func(tag byte, value string) error {
		switch tag {
		case 'i':
			q.id = value
		case 'q':
			q.text = value
		case 'm':
			ms, err := strconv.ParseUint(value, 10, 31)
			if err != nil {
				return errBody
			}
			q.within = time.Duration(ms) * time.Millisecond
		}
		return nil
	})
	if err == nil && q.id == "" {
		err = errBody
	}
	return q, err
}

// A nodeAnswer is an answer on its way.
type nodeAnswer struct {
	node, text string
	failed     string // why there is none; "": there is one
}

func (a nodeAnswer) encode() string {
	var b strings.Builder
	b.WriteByte(bodyVersion)
	b.WriteByte('A')
	put(&b, 'n', a.node)
	put(&b, 't', a.text)
	put(&b, 'x', a.failed)
	return b.String()
}

func decodeAnswer(body string) (a nodeAnswer, err error) {
	err = fields(body, 'A', func(tag byte, value string) error {
		switch tag {
		case 'n':
			a.node = value
		case 't':
			a.text = value
		case 'x':
			a.failed = value
		}
		return nil
	})
	if err == nil && a.node == "" {
		err = errBody
	}
	return a, err
}
