package config

import (
	"time"

	"hark/authz"
)

// Auth is where clients of an app ask before they subscribe and sign in, and how they are answered.
type Auth struct {
	// ChannelsPath is asked before subscribing, UsersPath before signing in; default /pusher/auth and /pusher/user-auth,
	// as pusher-js has it. No two apps have the same.
	ChannelsPath string `yaml:"channels_path" validate:"omitempty,prefix"`
	UsersPath    string `yaml:"users_path" validate:"omitempty,prefix"`
	// AllowedOrigins are the origins whose pages may ask; default only pages of the server's own host.
	AllowedOrigins []string `yaml:"allowed_origins"`
	// MasterKey is that of encrypted channels, 32 bytes in base64; default none, and such channels are closed.
	MasterKey authz.Secret `yaml:"master_key"`
}

// A JWT says how to read who somebody is from a signed token.
type JWT struct {
	// Algorithms are those by which a token may be signed. They go with the key: HS with Secret, the others with PublicKey
	// and JWKSURL.
	Algorithms []string `yaml:"algorithms" validate:"min=1,dive,oneof=HS256 HS384 HS512 RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA"`
	// Secret, PublicKey and JWKSURL say by what a signature is verified. There is one of them.
	Secret    authz.Secret `yaml:"secret"`
	PublicKey PEM          `yaml:"public_key"`
	JWKSURL   string       `yaml:"jwks_url"`
	// Issuer and Audience are what a token must say in iss and aud; default anything.
	Issuer   string `yaml:"issuer"`
	Audience string `yaml:"audience"`
}

// PEM is a public key as text. In the file it may be file:///path.
type PEM string

// A Callback is an application that answers questions over HTTP.
type Callback struct {
	// URL is asked, with POST. It is http or https and has no user and password: questions are signed with the app's key.
	URL string `yaml:"url" validate:"required"`
	// Authenticate asks who somebody is; default false.
	Authenticate bool `yaml:"authenticate"`
	// Headers are those of a client that the application sees; default Authorization, Cookie and Accept-Language, and none
	// with an empty list.
	Headers []string `yaml:"headers"`
	// Timeout is how long an answer may take, default 3s; EventTimeout that to a client event, default 1s.
	Timeout      time.Duration `yaml:"timeout" validate:"min=1ms"`
	EventTimeout time.Duration `yaml:"event_timeout" validate:"min=1ms"`
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
	c.Concurrency = 64
	c.MaxCache = time.Minute
}
