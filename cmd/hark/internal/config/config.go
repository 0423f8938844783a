package config

import (
	"strings"
	"time"

	"hark/authz"
	"hark/channels"
	"hark/protocol"
)

// A Config is everything that a server is started with. The yaml tags are the keys of the file, the env tags the names
// of variables behind HARK_.
type Config struct {
	// Listen is the host:port for everything; default :6001, and 127.0.0.1:6001 with Options.Dev.
	Listen string `yaml:"listen" env:"LISTEN" validate:"hostport"`
	// PathPrefix is what a proxy in front puts before all paths, like "/realtime"; default none.
	PathPrefix string `yaml:"path_prefix" env:"PATH_PREFIX" validate:"omitempty,prefix"`
	// Log is the form of log lines, "text" or "json"; default text.
	Log string `yaml:"log" env:"LOG" validate:"oneof=text json"`
	// ActivityTimeout is how long a client may be silent before it is asked, in whole seconds; default 50s.
	ActivityTimeout time.Duration `yaml:"activity_timeout" env:"ACTIVITY_TIMEOUT" validate:"min=1s,seconds"`
	// PongWait is how long it then has to answer; default 30s.
	PongWait time.Duration `yaml:"pong_wait" env:"PONG_WAIT" validate:"min=1s"`
	// Drain is the time over which connections are closed when the server ends; default 5s, with Options.Dev 0,
	// which is at once.
	Drain time.Duration `yaml:"drain" env:"DRAIN" validate:"min=0"`
	// Pacing is how far deliveries to one channel are apart while events come faster than they can be sent one by one,
	// as a multiple of the time that one delivery to all subscribers takes: larger batches cost less, and come up to
	// 20 ms later. 1 is no pacing; default 2.
	Pacing float64 `yaml:"pacing" env:"PACING" validate:"min=1,max=100"`
	// Redis is the URL of the Redis that several servers share, as redisbroker.ParseURL reads it; default none, for a
	// single server.
	Redis authz.Secret `yaml:"redis" env:"REDIS_URL"`
	// RedisPrefix begins every key there; default hark.
	RedisPrefix string `yaml:"redis_prefix" env:"REDIS_PREFIX" validate:"excludesall={}"`
	// RedisUsername and RedisPassword log in there, RedisSentinelUsername and RedisSentinelPassword at its Sentinels; default
	// what the URL says, where a password that has characters like @ or / must be escaped.
	RedisUsername         string       `yaml:"redis_username" env:"REDIS_USERNAME"`
	RedisPassword         authz.Secret `yaml:"redis_password" env:"REDIS_PASSWORD"`
	RedisSentinelUsername string       `yaml:"redis_sentinel_username" env:"REDIS_SENTINEL_USERNAME"`
	RedisSentinelPassword authz.Secret `yaml:"redis_sentinel_password" env:"REDIS_SENTINEL_PASSWORD"`
	// RedisCA has the certificates of the authorities that sign for Redis and its Sentinels; default those that the machine
	// trusts. RedisCert and RedisKey are what this server shows to them; default nothing.
	RedisCA   PEM          `yaml:"redis_ca" env:"REDIS_CA"`
	RedisCert PEM          `yaml:"redis_cert" env:"REDIS_CERT"`
	RedisKey  authz.Secret `yaml:"redis_key" env:"REDIS_KEY"`
	// Apps are the apps served; at least one.
	Apps []App `yaml:"apps" env:"-" validate:"dive"`

	// Sources is for the operator.
	Sources Sources `yaml:"-" env:"-" validate:"-"`
}

// Sources say where the parts of a Config came from that may surprise.
type Sources struct {
	Listen string   // a variable, a flag, a place in the file; "" for the default
	Apps   []string // the same, for each app
	Unused []string // what would have named an app, had something else not gone before it
}

// An App is one tenant.
type App struct {
	// ID is what REST paths name. Some SDKs refuse one that is not all digits.
	ID string `yaml:"id" validate:"required,name,segment"`
	// Aliases are further ids for REST paths.
	Aliases []string `yaml:"aliases" validate:"dive,name,segment"`
	// Keys are the live pairs, oldest first.
	Keys []Key `yaml:"keys" validate:"min=1,dive"`
	// Limits have a key for each field of protocol.Limits, in snake case.
	Limits protocol.Limits `yaml:"limits"`
	// ClientEvents lets clients send client- events; default false.
	ClientEvents bool `yaml:"client_events"`
	// SubscriptionCount tells the subscribers of all but presence channels how many they are; default false.
	SubscriptionCount bool `yaml:"subscription_count"`
	// Watchlists tells signed-in users when users they name come and go; default false.
	Watchlists bool `yaml:"watchlists"`
	// CacheTTL is how long a cache channel keeps its last event; default 30m.
	CacheTTL time.Duration `yaml:"cache_ttl" validate:"min=0"`
	// AuthorizeWithin is the time in which a connection must sign in or subscribe to a private or presence channel;
	// default none.
	AuthorizeWithin time.Duration `yaml:"authorize_within" validate:"min=0"`
	// Disabled refuses all connections and requests; default false.
	Disabled bool `yaml:"disabled"`

	// AllowedOrigins are the origins whose pages may open a websocket, like https://app.example, beside pages of the server's
	// own host; with an empty list only those. Default all, but where JWT or Callback say who somebody is, and a browser sends
	// a cookie along, only pages of the server's own host: a stranger's page would speak for whoever looks at it.
	AllowedOrigins []string `yaml:"allowed_origins"`
	// PublicChannels are patterns of the public channels that there are; default all.
	PublicChannels []string `yaml:"public_channels"`
	// IdentityPattern is the pattern of a private channel that the application signs for one user alone, like
	// private-user={id}: whoever is on it is that user. It goes without Policies; default none.
	IdentityPattern string `yaml:"identity_pattern"`
	// JWT says who somebody is by a token that they bring along; default nobody can.
	JWT *JWT `yaml:"jwt"`
	// Callback is the application that is asked over HTTP; default none.
	Callback *Callback `yaml:"callback"`
	// RequireUser lets no guest connect; default false.
	RequireUser bool `yaml:"require_user"`
	// OnExpiry says what becomes of a connection whose identity has ended: "reconnect" sends it away, to come back with a
	// new one; "guest" lets it stay as a guest. Default reconnect.
	OnExpiry string `yaml:"on_expiry" validate:"omitempty,oneof=reconnect guest"`
	// Policies say who may be on private and presence channels; the server then answers the auth requests of clients
	// itself. Without the key, whoever has the app's secret decides, as with Pusher: the application's backend signs. With
	// an empty list nobody may.
	Policies []Policy `yaml:"policies" validate:"dive"`
	// Auth is where clients send these requests. It goes with Policies only.
	Auth Auth `yaml:"auth"`
}

// A Key is a key and the secret that signs for it.
type Key struct {
	Key    string       `yaml:"key" validate:"required,name,segment"`
	Secret authz.Secret `yaml:"secret" validate:"required"`
}

// Channels returns the app as the hub knows it, but for what has to be made: who says who somebody is, and the policies.
func (a App) Channels() channels.AppConfig {
	c := channels.AppConfig{
		ID:           a.ID,
		Aliases:      a.Aliases,
		Limits:       a.Limits,
		ClientEvents: a.ClientEvents,
		Disabled:     a.Disabled,

		SubscriptionCount: a.SubscriptionCount,
		Watchlists:        a.Watchlists,
		CacheTTL:          a.CacheTTL,
		AuthorizeWithin:   a.AuthorizeWithin,
		Origins:           a.AllowedOrigins,
		GuestOnExpiry:     a.OnExpiry == "guest",
		PublicAllow:       a.PublicChannels,
		IdentityPattern:   a.IdentityPattern,
	}
	for _, key := range a.Keys {
		c.Keys = append(c.Keys, authz.Key(key))
	}
	return c
}

// NumericID reports whether the id is all digits, which the Python SDK and PUSHER_URL in Go and Node want.
func (a App) NumericID() bool {
	return a.ID != "" && strings.Trim(a.ID, "0123456789") == ""
}

const defaultPort = "6001"

// Default returns the Config of a server that nobody configured. It has no app.
func Default() Config {
	return Config{
		Listen:          ":" + defaultPort,
		Log:             "text",
		ActivityTimeout: 50 * time.Second,
		PongWait:        30 * time.Second,
		Drain:           5 * time.Second,
		Pacing:          2,
		RedisPrefix:     "hark",
	}
}

// DevApp is the app of a server for development. Everybody knows its secret.
func DevApp() App {
	return App{
		ID:           "1001",
		Aliases:      []string{"app-id"},
		Keys:         []Key{{Key: "app-key", Secret: "app-secret"}},
		ClientEvents: true,

		SubscriptionCount: true,
		Watchlists:        true,
	}
}
