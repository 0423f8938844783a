package config

import (
	"time"

	"hark/authz"
	"hark/httpapi/callback"
)

// Auth is where clients of an app ask before they subscribe and sign in, and how they are answered.
type Auth struct {
	// ChannelsPath is asked before subscribing, UsersPath before signing in; default /pusher/auth and /pusher/user-auth,
	// as pusher-js has it. No two apps have the same.
	ChannelsPath string `yaml:"channels_path" validate:"omitempty,prefix"`
	UsersPath    string `yaml:"users_path" validate:"omitempty,prefix"`
	// AllowedOrigins are the origins whose pages may ask; default only pages of the server's own host. (Those of the App are
	// for websockets.)
	AllowedOrigins []string `yaml:"allowed_origins"`
	// MasterKey is that of encrypted channels, 32 bytes in base64; default none, and such channels are closed.
	MasterKey authz.Secret `yaml:"master_key"`
}

// A Callback is an application that answers questions over HTTP.
type Callback struct {
	// URL is asked, with POST. It is http or https and has no user and password: questions are signed with the app's key.
	URL string `yaml:"url" validate:"required"`
	// Authenticate asks who somebody is; default false.
	Authenticate bool `yaml:"authenticate"`
	// Headers are those of a client that the application sees; default Authorization, Cookie and Accept-Language, and none
	// with an empty list.
	Headers []string `yaml:"headers"`
	// Timeout is how long an answer may take, default 3s; EventTimeout that to a client event, default 1s. Nobody waits
	// longer than 3s.
	Timeout      time.Duration `yaml:"timeout" validate:"min=50ms,max=3s"`
	EventTimeout time.Duration `yaml:"event_timeout" validate:"min=50ms,max=3s"`
	// Gather is how long a socket's question about a channel waits for the next one; they are asked together. Default 15ms.
	Gather time.Duration `yaml:"gather" validate:"min=1ms,max=500ms"`
	// Concurrency is how many questions of a kind may be open at a time; default 64.
	Concurrency int `yaml:"concurrency" validate:"min=1"`
	// MaxCache is for how long an allow may be remembered where the answer asks for that; default 60s, 0s is never.
	MaxCache time.Duration `yaml:"max_cache" validate:"min=0,max=60s"`
	// RequireResponseSignature takes only answers that are signed with the app's secret; default false.
	RequireResponseSignature bool `yaml:"require_response_signature"`
	// ClientEvents are patterns of the channels on which it is asked about every client event; default none.
	ClientEvents []string `yaml:"client_events"`
	// Subscribed are patterns of the channels on which it is asked what a new subscriber is sent first; default none.
	Subscribed []string `yaml:"subscribed"`
	// Messages are names of messages that clients may send it, which belong to no channel; default none.
	Messages []string `yaml:"messages"`
}

// setDefaults is called before the file is read.
func (c *Callback) setDefaults() {
	c.Timeout, c.EventTimeout = authz.HookTimeout, time.Second
	c.Gather = 15 * time.Millisecond
	c.Concurrency = 64
	c.MaxCache = time.Minute
}

// Asking returns how an application at a URL is asked about the app: within the bounds of its Callback, whichever URL it
// is. Like webhooks, questions are signed with the oldest key: the application may not know the next one yet.
func (a App) Asking(url string) callback.Config {
	asking := callback.Config{App: a.ID, Key: authz.Key(a.Keys[0]), URL: url}
	c := a.Callback
	if c == nil {
		return asking
	}
	asking.Headers = c.Headers
	asking.Timeout, asking.EventTimeout = c.Timeout, c.EventTimeout
	asking.Gather = c.Gather
	asking.Concurrency = c.Concurrency
	asking.MaxCache = c.MaxCache
	if c.MaxCache == 0 {
		asking.MaxCache = -1 // the client's word for never
	}
	asking.RequireResponseSignature = c.RequireResponseSignature
	return asking
}
