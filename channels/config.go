package channels

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"time"

	"hark/authz"
	"hark/protocol"
)

// Config says what a Hub serves and within which bounds. Zero values take the
// defaults named here.
type Config struct {
	// Apps are the tenants; ids, aliases and keys are unique among them.
	Apps []AppConfig
	// Broker gives events their order; nil: NewMemory, for a single node. It
	// must answer Questions too.
	Broker Broker
	// Counters is told what operators count; nil: nothing is counted.
	Counters Counters
	// Logger gets what an operator should see; nil: nothing is logged.
	Logger *slog.Logger

	// ActivityTimeout is how long a client may be silent before it is pinged,
	// in whole seconds; 0: 50 s, below the 60 s after which common proxies cut
	// idle connections. Clients are told it in connection_established.
	ActivityTimeout time.Duration
	// PongWait is how long a pinged client may stay silent before it is closed
	// with 4201; 0: 30 s.
	PongWait time.Duration
	// BrokerTimeout bounds one call of the broker; 0: 2 s.
	BrokerTimeout time.Duration
	// Drain is the time over which connections are closed when the hub ends;
	// 0: 5 s, negative: all at once.
	Drain time.Duration
	// Flushers is how many goroutines send to sockets; 0: one a CPU.
	Flushers int
	// EntryList bounds what waits to be sent on one place, in bytes per flusher;
	// 0: 8 MiB. Publishers wait for room.
	EntryList int
	// ObserverQueue bounds how many calls of an app's observers wait; 0: 4096, of
	// which a quarter may be about one connection or one channel. What is more is not
	// told, and counted.
	ObserverQueue int
	// Pacing is how far the passes over one place's subscribers are apart while
	// events come faster than that, as a multiple of the time that serving one
	// takes: larger batches cost less, and come up to 20 ms later. 0: 2; 1: no
	// pacing; at most 100.
	Pacing float64
	// HoldUpgrade is how long a connection is held before it is let in while the
	// application, an Authenticator or a gate, cannot be asked; 0: 8 s, which
	// clients wait for without a complaint, negative: not at all. See Hub.Ask.
	HoldUpgrade time.Duration
	// HeldUpgrades is how many connections of an app may wait for the application's
	// answer at one time; 0: 4096, each with a goroutine of the transport. One more is
	// told to come back later, at once.
	HeldUpgrades int
}

// AppConfig is one tenant.
type AppConfig struct {
	// ID is what REST paths name; digits only, or some official SDKs refuse it.
	ID string
	// Aliases are further ids that REST paths may use.
	Aliases []string
	// Keys are the live pairs, oldest first; at least one.
	Keys authz.Keys
	// Limits bound what clients and backends may do; zero fields take the
	// defaults of Pusher.
	Limits protocol.Limits
	// CacheTTL is how long a cache channel keeps its last event; 0: 30 minutes.
	CacheTTL time.Duration
	// ClientEvents lets clients publish client- events.
	ClientEvents bool
	// AuthorizeWithin closes (4009) a connection that has neither signed in nor
	// subscribed to a private or presence channel within that time, in which it
	// does not count for Limits.Connections; 0: guests may stay.
	AuthorizeWithin time.Duration
	// Watchlists tells signed-in users when users they name come and go.
	Watchlists bool
	// SubscriptionCount tells the subscribers of all but presence channels how
	// many they are.
	SubscriptionCount bool
	// Disabled refuses connections (4003) and REST requests (403).
	Disabled bool

	// Authenticator says who connects; nil: connections begin as guests. Wrap it
	// in authz.RequireUser to let none in.
	Authenticator authz.Authenticator
	// Policies say who may join which private and presence channel: the app leaves
	// that to Hark, and clients ask an authz.Endpoint. Nil: the app's backend signs
	// for whom it likes.
	Policies *authz.Registry
	// Invalidate is told, on every node, that what policies have answered about a
	// user may be wrong now; "": about anybody. Policies that remember answers
	// forget them there, before it returns; it calls no method of App. Nil: they
	// remember none.
	Invalidate func(userID string)
	// Origins are the origins whose pages may connect, as in "https://app.example",
	// beside those of the server's own host. Nil: all, but where a cookie may be
	// what identifies a connection only those of the server's own host.
	Origins []string
	// PublicAllow are the patterns of the public channels that there are; nil: all.
	PublicAllow []string
	// IdentityPattern is the pattern of a private channel that the app signs for
	// one user alone, as in "private-user={id}": whoever is on it is that user. "":
	// there is none. Apps with Policies do not need it.
	IdentityPattern string
	// GuestOnExpiry makes a connection whose identity has expired a guest's, and
	// ends its private and presence subscriptions. Otherwise it is closed with
	// 4200, so that it comes back and is authenticated anew.
	GuestOnExpiry bool
}

func (c Config) withDefaults() Config {
	if c.Broker == nil {
		c.Broker = NewMemory()
	}
	if c.Counters == nil {
		c.Counters = noCounters{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.ActivityTimeout = orDefault(c.ActivityTimeout, 50*time.Second)
	c.PongWait = orDefault(c.PongWait, 30*time.Second)
	c.BrokerTimeout = orDefault(c.BrokerTimeout, 2*time.Second)
	c.Drain = orDefault(c.Drain, 5*time.Second)
	c.Flushers = orDefault(c.Flushers, runtime.GOMAXPROCS(0))
	c.EntryList = orDefault(c.EntryList, 8<<20)
	c.ObserverQueue = orDefault(c.ObserverQueue, 4096)
	c.Pacing = orDefault(c.Pacing, 2)
	c.HoldUpgrade = orDefault(c.HoldUpgrade, 8*time.Second)
	c.HeldUpgrades = orDefault(c.HeldUpgrades, 4096)
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
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("channels: "+format, args...)) }
	if c.ActivityTimeout < time.Second {
		bad("ActivityTimeout is %v; clients need at least 1s", c.ActivityTimeout)
	}
	if c.PongWait < 0 || c.BrokerTimeout < 0 || c.Flushers < 0 || c.EntryList < 0 || c.ObserverQueue < 0 || c.HeldUpgrades < 0 {
		bad("PongWait, BrokerTimeout, Flushers, EntryList, ObserverQueue and HeldUpgrades may not be negative")
	}
	if !(c.Pacing >= 1 && c.Pacing <= 100) {
		bad("Pacing is %v; it must be from 1, which is none, to 100", c.Pacing)
	}
	if _, ok := c.Broker.(Questions); !ok {
		bad("the broker %T does not answer Questions", c.Broker)
	}
	ids, keys := map[string]bool{}, map[string]bool{}
	for _, app := range c.Apps {
		if app.CacheTTL < 0 || app.AuthorizeWithin < 0 {
			bad("app %q has a negative CacheTTL or AuthorizeWithin", app.ID)
		}
		for _, err := range app.checkIdentities() {
			bad("app %q: %w", app.ID, err)
		}
		for _, id := range append([]string{app.ID}, app.Aliases...) {
			if id == "" {
				bad("an app has an empty id or alias")
			} else if ids[id] {
				bad("two apps have the id %q", id)
			}
			ids[id] = true
		}
		if len(app.Keys) == 0 {
			bad("app %q has no key", app.ID)
		}
		for _, k := range app.Keys {
			switch {
			case k.Key == "" || k.Secret == "":
				bad("app %q has an empty key or secret", app.ID)
			case strings.Contains(k.Key, ":"):
				bad("app %q has a key with a colon, which no signature could name", app.ID)
			case keys[k.Key]:
				bad("the key %q is given twice", k.Key)
			}
			keys[k.Key] = true
		}
	}
	return errors.Join(errs...)
}
