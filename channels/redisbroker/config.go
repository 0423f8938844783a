package redisbroker

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Config says which Redis a Broker uses, and how. All nodes that share an order have
// the same Prefix, Partitions and Lease.
type Config struct {
	// Redis says where Redis is and how to log in: a single Redis, one behind
	// Sentinels (MasterName), or a Redis Cluster (several Addrs, or IsClusterMode).
	// What the broker depends on is set by it: MaxRetries, MaxRedirects,
	// ContextTimeoutEnabled. Zero DialTimeout: 1 s. Zero Protocol: 2. Nil Dialer: one with
	// few system calls; one of your own does TLS itself, too. ParseURL makes one of a URL.
	// It is not modified.
	Redis redis.UniversalOptions
	// Prefix begins every key; "": "hark". It has no braces.
	Prefix string
	// Node begins the name of this node, which it has in lists of connections and where
	// it does not answer: the host's name, for instance. Letters, digits, "-", "_" and
	// ".", at most 63: it is a part of keys. What makes it the only one is added. "":
	// the name is random.
	Node string
	// Partitions is over how many hash tags places are spread; 0: 32. In a Redis
	// Cluster it bounds over how many masters they can be, and is the number of
	// connections that each node subscribes on.
	Partitions int
	// Lease is how long a node that says nothing is taken for alive; 0: 7 s. What it
	// held is taken away after that.
	Lease time.Duration
	// Beat is how often a node says that it lives; 0: 2 s, or two sevenths of Lease if
	// that is less. A third is the most.
	Beat time.Duration
	// Handover is how long the users and channels of a node that has ended in good
	// order stay for the clients that it has sent to other nodes; 0: 5 s, negative:
	// not at all. Who has not come back by then is told to have gone.
	Handover time.Duration
	// Timeout bounds a call whose context has no sooner end; 0: 2 s.
	Timeout time.Duration
	// History is how long what happened on a place is kept for nodes that were away;
	// 0: 60 s.
	History time.Duration
	// HistoryBytes bounds that for each place, about; 0: 4 MiB.
	HistoryBytes int
	// Notes is about how many notes for webhooks are kept in each partition; 0:
	// 100 000.
	Notes int
	// Queue bounds the calls that wait for each connection; 0: 4096. One more is
	// ErrUnavailable at once.
	Queue int
	// Counters is told what is lost and what is slow; nil: nothing is counted.
	Counters Counters
	// Logger gets what an operator should see; nil: nothing is logged.
	Logger *slog.Logger
}

// Counters is told what a Broker does beside its ordinary work. Methods are called
// concurrently and must not block.
type Counters interface {
	// CaughtUp counts n envelopes that were missing and read from a stream.
	CaughtUp(n int)
	// Gap counts each time that a place's subscribers had to be told that something is
	// missing; after a failure that may be more than once.
	Gap()
	// Overflow counts n envelopes that came faster than they could be put in order,
	// and were read again from the stream.
	Overflow(n int)
	// Fenced counts that this node's lease had run out and its sockets were, or would
	// have been, taken away.
	Fenced()
	// Swept counts a dead node's part of a partition that this node has cleared away.
	Swept()
	// Unanswered counts a question of another node that this one did not answer,
	// because it was answering too many.
	Unanswered()
}

type noCounters struct{}

func (noCounters) CaughtUp(int) {}
func (noCounters) Gap()         {}
func (noCounters) Overflow(int) {}
func (noCounters) Fenced()      {}
func (noCounters) Swept()       {}
func (noCounters) Unanswered()  {}

func (c Config) withDefaults() Config {
	if c.Prefix == "" {
		c.Prefix = "hark"
	}
	c.Partitions = orDefault(c.Partitions, 32)
	c.Lease = orDefault(c.Lease, 7*time.Second)
	c.Beat = orDefault(c.Beat, min(2*time.Second, c.Lease*2/7))
	c.Handover = orDefault(c.Handover, 5*time.Second)
	c.Timeout = orDefault(c.Timeout, 2*time.Second)
	c.History = orDefault(c.History, time.Minute)
	c.HistoryBytes = orDefault(c.HistoryBytes, 4<<20)
	c.Notes = orDefault(c.Notes, 100_000)
	c.Queue = orDefault(c.Queue, 4096)
	if c.Counters == nil {
		c.Counters = noCounters{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	r := &c.Redis
	r.MaxRetries, r.MaxRedirects = -1, -1 // a call that is sent again may be done twice
	r.ContextTimeoutEnabled = true
	r.DialerRetries = 1
	r.DialTimeout = orDefault(r.DialTimeout, time.Second)
	r.Protocol = orDefault(r.Protocol, 2)
	if r.TLSConfig != nil {
		r.MinIdleConns = 0 // what a server sends after a handshake makes one that was not used yet look used
	}
	if r.Dialer == nil {
		r.Dialer = dialer(*r)
	}
	if r.MaintNotificationsConfig == nil {
		r.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	}
	return c
}

func orDefault[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

func (c Config) validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("redisbroker: "+format, args...)) }
	if strings.ContainsAny(c.Prefix, "{}") {
		bad("Prefix is %q; braces would move its keys to other slots", c.Prefix)
	}
	if len(c.Node) > 63 || strings.ContainsFunc(c.Node, notInNames) {
		bad(`Node is %q; it may have 63 letters, digits, "-", "_" and "."`, c.Node)
	}
	if c.Partitions < 1 || c.Partitions > 1024 {
		bad("Partitions is %d; it must be from 1 to 1024", c.Partitions)
	}
	if c.Lease < 100*time.Millisecond {
		bad("Lease is %v; it must be at least 100ms", c.Lease)
	}
	if c.Beat <= 0 || c.Beat > c.Lease/3 {
		bad("Beat is %v; it must be at most a third of Lease, which is %v", c.Beat, c.Lease)
	}
	if c.Timeout < 0 || c.History < time.Second || c.HistoryBytes < 0 || c.Notes < 0 || c.Queue < 0 {
		bad("Timeout, HistoryBytes, Notes and Queue may not be negative, and History must be at least 1s")
	}
	return errors.Join(errs...)
}

// notInNames reports whether r cannot be in the name of a node.
func notInNames(r rune) bool {
	return r >= utf8.RuneSelf || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_.", r)
}

// cluster reports whether the Redis is a Redis Cluster, as go-redis decides it.
func (c Config) cluster() bool {
	return c.Redis.IsClusterMode || len(c.Redis.Addrs) > 1 && c.Redis.MasterName == ""
}

// ParseURL reads where Redis is from a URL:
//
//	redis://[user:password@]host:port[/db]            a single Redis; rediss: by TLS
//	redis://host:port?cluster=true&addr=host2:port2   a Redis Cluster, by some of its nodes
//	redis://host:port?master=name&addr=host2:port2    one behind Sentinels
//
// What else a single Redis's URL may say stands at redis.ParseURL; of the last,
// sentinel_user and sentinel_password. By TLS each server of the last two has a
// certificate for the address that the others know it by.
func ParseURL(text string) (redis.UniversalOptions, error) {
	var o redis.UniversalOptions
	u, err := url.Parse(text)
	if err != nil {
		return o, errors.New("redisbroker: the URL of Redis is none: write redis://host:6379") // err may quote the password
	}
	if u.Scheme != "redis" && u.Scheme != "rediss" || u.Host == "" { // redis:6379 is a URL without a host
		return o, errors.New("redisbroker: the URL of Redis is none: write redis://host:6379, or rediss:// for TLS")
	}
	q := u.Query()
	o.IsClusterMode, o.MasterName = q.Get("cluster") == "true", q.Get("master")
	o.SentinelUsername, o.SentinelPassword = q.Get("sentinel_user"), q.Get("sentinel_password")
	more := q["addr"]
	for _, own := range []string{"cluster", "master", "addr", "sentinel_user", "sentinel_password"} {
		q.Del(own)
	}
	u.RawQuery = q.Encode()
	single, err := redis.ParseURL(u.String())
	if err != nil {
		return o, fmt.Errorf("redisbroker: the URL of Redis: %w", err)
	}
	o.Addrs = append([]string{single.Addr}, more...)
	if len(more) > 0 && o.MasterName == "" {
		o.IsClusterMode = true
	}
	if o.IsClusterMode && single.DB != 0 {
		return o, errors.New("redisbroker: a Redis Cluster has only database 0")
	}
	if single.TLSConfig != nil && (o.IsClusterMode || o.MasterName != "") {
		single.TLSConfig.ServerName = "" // each server has its own
	}
	o.DB, o.Username, o.Password, o.TLSConfig = single.DB, single.Username, single.Password, single.TLSConfig
	o.Protocol, o.ClientName = single.Protocol, single.ClientName
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = single.DialTimeout, single.ReadTimeout, single.WriteTimeout
	o.PoolSize, o.MinIdleConns = single.PoolSize, single.MinIdleConns
	return o, nil
}
