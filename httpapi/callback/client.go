package callback

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"

	"hark/authz"
)

// A Client asks one application about one app. Its methods may be called concurrently.
type Client struct {
	// Static after construction.
	config    Config
	transport http.RoundTripper
	own       *http.Transport // nil: the transport is the configuration's
	lines     map[Kind]*line

	tasks      tasks
	epochs     *epochs
	identities *cache[authz.Identity]
	decisions  *cache[decision]
	who        *flights[authz.Identity]
	may        *flights[decision]
	bursts     bursts
}

// New returns a Client, or says what is wrong with the configuration. It asks nothing yet.
func New(config Config) (*Client, error) {
	c := &Client{
		config: config.withDefaults(),
		epochs: newEpochs(),
		who:    newFlights[authz.Identity](),
		may:    newFlights[decision](),
		bursts: bursts{by: make(map[burstKey]*burst)},
	}
	if err := c.config.validate(); err != nil {
		return nil, err
	}
	authorize := c.newLine(KindAuthorize)
	c.lines = map[Kind]*line{
		KindAuthenticate:  c.newLine(KindAuthenticate),
		KindAuthorize:     authorize,
		KindAuthorizeMany: authorize,
		KindClientEvent:   c.newLine(KindClientEvent),
		KindMessage:       c.newLine(KindMessage),
		KindSubscribed:    c.newLine(KindSubscribed),
	}
	c.transport = c.config.Transport
	if c.transport == nil {
		c.own = newTransport(c.config, len(c.lines)*c.config.Concurrency)
		c.transport = c.own
	}
	c.identities = newCache[authz.Identity](c.config, c.epochs)
	c.decisions = newCache[decision](c.config, c.epochs)
	return c, nil
}

// Run waits until ctx ends, and then for the calls that are under way, each of which ends within its timeout. From then
// on nothing is asked: every answer is authz.ErrUnavailable. A Client may be used before Run is called; who ends it, calls
// it. It returns nil.
func (c *Client) Run(ctx context.Context) error {
	<-ctx.Done()
	c.tasks.wait()
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
	return nil
}

// Invalidate forgets what is remembered about a user; "": about all. An answer that was asked for before is not remembered
// either, nor given to who asks from now on.
func (c *Client) Invalidate(user string) { c.epochs.end(user) }

var errEnded = fmt.Errorf("%w: the server is ending", authz.ErrUnavailable)

// start runs f on a goroutine that Run waits for, with a context that ends with the line's timeout and has the values of
// ctx. Or it says why a call of this kind is not made.
func (c *Client) start(ctx context.Context, k Kind, f func(ctx context.Context)) error {
	l := c.lines[k]
	if err := l.enter(); err != nil {
		c.config.Counters.Called(k, outcomeOf(err), 0)
		return err
	}
	started := c.tasks.start(func() {
		defer l.leave()
		ctx, cancel := l.withTimeout(ctx)
		defer cancel()
		f(ctx)
	})
	if !started {
		l.leave()
		return errEnded
	}
	return nil
}

// log says that the application is left alone, or asked again.
func (c *Client) log(k Kind, s BreakerState, err error) {
	attrs := []any{slog.String("app", c.config.App), slog.String("kind", string(k))}
	if s == Closed {
		c.config.Logger.Info("the application answers callbacks again", attrs...)
	} else {
		c.config.Logger.Warn("the application fails to answer callbacks and is left alone for a while", append(attrs, slog.Any("error", err))...)
	}
}

// tasks are goroutines that come and go with calls.
type tasks struct {
	running sync.WaitGroup

	mu    sync.Mutex
	ended bool // guarded by mu
}

// start runs f on a goroutine. It returns false once wait has been called.
func (t *tasks) start(f func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ended {
		t.running.Go(f)
	}
	return !t.ended
}

// wait returns when no task runs, and lets none start from then on.
func (t *tasks) wait() {
	t.mu.Lock()
	t.ended = true
	t.mu.Unlock()
	t.running.Wait()
}
