package redisbroker

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"hark/channels"
)

// A Broker is a channels.Broker for any number of nodes that share a Redis. It also
// answers channels.Questions, and keeps grants for other nodes. Its methods may be
// called concurrently.
type Broker struct {
	// Static after construction.
	config     Config
	name       string // of this node, random
	partitions []*partition
	lines      []*line
	pipes      []*pipe
	control    *control
	repairs    repairs

	client   redis.UniversalClient // static from Run's beginning
	sink     channels.Sink         // likewise
	running  atomic.Bool
	up       atomic.Bool   // Redis answers
	beatNow  chan struct{} // capacity 1, never closed: something is wrong, look
	sweeps   sweeps
	versions atomic.Uint64 // each sync has a higher one
	lease    lease
	tasks    tasks
	syncs    chan struct{} // one taken by each sync under way

	// Owned by beats.
	since  time.Time // Redis has been up, or its absence was last said
	outage error     // why Redis cannot be reached; nil: it can
	begun  bool      // there was a first beat

	answering chan struct{} // one taken by each question that is being answered

	mu     sync.RWMutex
	places map[channels.Place]*place // guarded by mu
}

// A partition is the part of the keys with one hash tag.
type partition struct {
	// Static after construction.
	keys keys
	pipe *pipe
	line *line

	accepted accepted

	mu sync.Mutex
	// Guarded by mu.
	name       string        // this node's, for the lease that it has now; "": it has none
	instance   string        // of the Redis that it has it in
	run        string        // the process
	clock      int64         // of Redis, in ms
	clockAt    time.Time     // when it was at least that
	clockTook  time.Duration // how long the answer took
	generation int
}

var (
	_ channels.Broker    = (*Broker)(nil)
	_ channels.Questions = (*Broker)(nil)
)

// New returns a Broker for c, or says everything that is wrong with c. It starts
// nothing and asks nothing: Run does.
func New(c Config) (*Broker, error) {
	c = c.withDefaults()
	if err := c.validate(); err != nil {
		return nil, err
	}
	b := &Broker{
		config: c, name: nodeName(c.Node), beatNow: make(chan struct{}, 1), places: make(map[channels.Place]*place),
		lease: lease{turned: make(chan struct{})}, syncs: make(chan struct{}, syncsAtOnce),
		answering: make(chan struct{}, answersAtOnce),
	}
	// A subscription of Redis Cluster is a connection to the master of one slot.
	// Elsewhere one connection has all, and a few pipes keep large calls apart.
	lines, pipes := 1, 4
	if c.cluster() {
		lines, pipes = c.Partitions, c.Partitions
	}
	for range pipes {
		b.pipes = append(b.pipes, newPipe(c))
	}
	tags := tagsOf(c.Partitions)
	for i := range lines {
		b.lines = append(b.lines, newLine(b, b.newKeys(tags[i]).base+"line"))
	}
	for i, tag := range tags {
		b.partitions = append(b.partitions, &partition{
			keys: b.newKeys(tag), pipe: b.pipes[i%pipes], line: b.lines[i%lines],
		})
	}
	b.control = newControl(b)
	return b, nil
}

// nodeName returns a name that no other node has, and that begins with the words of an
// operator, if there are any.
func nodeName(words string) string {
	if words == "" {
		return randomName()
	}
	return words + "-" + randomName()
}

func randomName() string {
	var id [12]byte
	_, _ = rand.Read(id[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(id[:])
}

// Run implements channels.Broker. It returns an error if the Redis is not one that the
// broker can work with; a Redis that is away is waited for. When ctx ends it takes
// this node's sockets off all places, as far as Redis can be reached.
func (b *Broker) Run(ctx context.Context, s channels.Sink) error {
	b.client, b.sink = redis.NewUniversalClient(&b.config.Redis), s
	defer b.client.Close()
	inner, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	b.tasks.ctx = inner
	var owned sync.WaitGroup
	for _, p := range b.pipes {
		p.client = b.client
		owned.Go(func() { p.run(inner) })
	}
	for _, l := range b.lines {
		owned.Go(func() { l.run(inner) })
	}
	b.running.Store(true)
	err := b.beats(ctx)
	b.resign(inner)
	b.running.Store(false)
	stop()
	owned.Wait()
	b.tasks.wait()
	return err
}

// ready returns nil when Redis can be asked.
func (b *Broker) ready() error {
	if !b.running.Load() || !b.up.Load() {
		return channels.ErrUnavailable
	}
	return nil
}

// within bounds a call.
func (b *Broker) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return within(ctx, b.config.Timeout)
}

// within bounds ctx, if it does not end that soon by itself.
func within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= d {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, d, channels.ErrUnavailable)
}

// look has the next beat come at once: a call has failed.
func (b *Broker) look() {
	select {
	case b.beatNow <- struct{}{}:
	default:
	}
}

// deadline returns the end of ctx by Redis's clock, in ms: a call that reaches Redis
// later, because it waited there or on the way, does nothing. 0: it is not known.
func (p *partition) deadline(ctx context.Context) int64 {
	end, ok := ctx.Deadline()
	if !ok {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run == "" {
		return 0
	}
	return p.clock + end.Sub(p.clockAt).Milliseconds()
}

// lostTries is how often a call is made again whose answer was lost.
const lostTries = 3

// Publish implements channels.Broker.
func (b *Broker) Publish(ctx context.Context, e channels.Envelope) (channels.Position, error) {
	if err := b.ready(); err != nil {
		return channels.Position{}, err
	}
	body, err := encode(e)
	if err != nil {
		return channels.Position{}, err
	}
	ctx, cancel := b.within(ctx)
	defer cancel()
	id := strconv.FormatUint(mathrand.Uint64(), 36)
	if e.Kind == channels.KindControl {
		at, err := b.control.publish(ctx, e.Place.App, body, id)
		return at, unavailable(err)
	}
	p := b.partitionOf(e.Place)
	ks := []string{
		p.keys.place(e.Place), p.keys.stream(e.Place), p.keys.channel(e.Place), p.keys.publish(id), p.keys.about(),
	}
	args := []any{p.deadline(ctx), b.config.History.Milliseconds(), b.config.HistoryBytes, body, id, 0}
	if e.Cache > 0 {
		args = append(args, decimal(mathrand.Uint64()), b.keep(), max(e.Cache.Milliseconds(), 1), e.Name, e.Data)
	}
	reply, err := b.insist(ctx, p.pipe, publishScript, ks, args, 5)
	if err != nil {
		return channels.Position{}, unavailable(fmt.Errorf("publish to %s: %w", e.Place.Channel, err))
	}
	said, _ := status(reply)
	switch said {
	case "none":
		return channels.Position{}, nil
	case "settling":
		b.look()
		return channels.Position{}, unavailable(errSettling)
	}
	at, err := parsePlaced(said)
	if err != nil {
		return channels.Position{}, unavailable(err)
	}
	p.accepted.note(e.Place, acceptance{id, at})
	return channels.Position{Epoch: at.epoch, Seq: at.seq}, nil
}

// insist runs a script, again if its answer was lost: args[again] tells it then for how
// long, in ms, a call may have been under way.
func (b *Broker) insist(ctx context.Context, p *pipe, s *script, ks []string, args []any, again int) ([]any, error) {
	for try := 1; ; try++ {
		reply, err := p.do(ctx, s, ks, args...)
		if err == nil {
			if said, _ := status(reply); said == "late" {
				b.look()
				return nil, errLate
			}
			return reply, nil
		}
		if isLost(err) {
			b.look()
		}
		if !isLost(err) || try == lostTries || ctx.Err() != nil || !b.up.Load() {
			return nil, err
		}
		args[again] = 3 * lostTries * b.config.Timeout.Milliseconds()
	}
}

// keep is how long the positions of a place that nobody is on go on, in ms: longer
// than anybody may catch up.
func (b *Broker) keep() int64 { return b.config.History.Milliseconds() }

// parsePlaced reads where publish.lua has put something: an epoch and an entry's id.
func parsePlaced(text string) (at message, err error) {
	epoch, id, ok := strings.Cut(text, " ")
	if !ok {
		return at, errReply
	}
	if at, err = parseID(id); err != nil {
		return at, errReply
	}
	if at.epoch, err = strconv.ParseUint(epoch, 10, 64); err != nil {
		return at, errReply
	}
	return at, nil
}

// tasks are the goroutines that calls start. Run waits for them.
type tasks struct {
	ctx context.Context // ends before they are waited for; static from Run's beginning

	mu    sync.Mutex
	ended bool // guarded by mu
	wg    sync.WaitGroup
}

// start runs f on a goroutine of its own, unless Run has ended.
func (t *tasks) start(f func(ctx context.Context)) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return false
	}
	t.wg.Go(func() { f(t.ctx) })
	return true
}

func (t *tasks) wait() {
	t.mu.Lock()
	t.ended = true
	t.mu.Unlock()
	t.wg.Wait()
}

// pause waits for d, or less if ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

var errEnded = errors.New("redisbroker: the broker has ended")
