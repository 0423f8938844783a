package authz

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"hark/protocol"
)

// EndpointConfig says how an [Endpoint] answers. App, Key and Policies are needed. An app of a hub returns what it needs
// itself: channels.App.EndpointConfig.
type EndpointConfig struct {
	App    string          // the app's id, for policies
	Key    Key             // signs
	Limits protocol.Limits // of names, ids, infos, and, by Channels, of how many channels one call asks for

	// Authenticator says who asks, once for each call, however many channels it is about. Nil: everybody is a guest.
	Authenticator Authenticator
	// Policies says who may join a channel.
	Policies *Registry
	// Keeper keeps what is granted until the subscribe or the signin arrives. Nil: grants are not kept.
	Keeper Keeper
	// MasterKey is that of encrypted channels, as [ParseMasterKey] returns it. "": they are refused.
	MasterKey Secret

	// Origins are the origins of other hosts whose pages may ask, with cookies: "https://app.example", each written as
	// browsers send it. Pages of the endpoint's own host need no entry.
	Origins []string
	// Timeout bounds a whole answer; 0: HookTimeout. No policy has longer than HookTimeout in any case.
	Timeout time.Duration

	// UserInfo, if not nil, returns what is the user_info of a user who signs in, in place of [Identity.Info]: something
	// that is a JSON object. It is not called for guests.
	UserInfo func(ctx context.Context, id Identity) (any, error)
	// Watchlist, if not nil, returns the ids of the users whose coming and going a user who signs in is told. It is not
	// called for guests.
	Watchlist func(ctx context.Context, id Identity) ([]string, error)

	// Logger gets why something was refused or could not be asked, which no client is told. Nil: nobody.
	Logger *slog.Logger
}

// An Endpoint is what pusher-js asks before it subscribes to a private or presence channel ([Endpoint.ServeChannels]) and
// before it signs in ([Endpoint.ServeUsers]), for one app. It finds out who asks, asks the policies, keeps what they grant
// and signs.
//
// Calls are POSTs with a form or with JSON. The answer is always JSON: what was asked for, or {"error":"…"} with one of
//
//	400  the call is malformed; the error says in what        405  not a POST
//	401  the credentials are wrong or have expired            413  the body is too large
//	403  no; the same bytes whether there is such a channel or not
//	503  an Authenticator or a policy could not be asked. Ask again
//
// It takes no CSRF token, which would expire before a page that stays open does. Instead it refuses pages of other hosts
// that are not among the Origins, before it asks anything: their call might bring a visitor's cookies along, and what is
// granted to the visitor would be kept for a socket of the page's choice. There is no JSONP.
//
// An Endpoint may be used concurrently. Printing it shows no secret.
type Endpoint struct {
	config  EndpointConfig // with defaults, and without what is secret
	foreign *http.CrossOriginProtection
	calls   Calls

	// Only these functions know the secrets: there nothing can print them.
	signChannel  func(id protocol.SocketID, channel, channelData string, hasChannelData bool) string
	signUser     func(id protocol.SocketID, userData string) string
	sharedSecret func(channel string) [sha256.Size]byte // nil: encrypted channels are refused
}

// NewEndpoint returns an Endpoint, or an error that says everything that is wrong with c.
func NewEndpoint(c EndpointConfig) (*Endpoint, error) {
	foreign, err := trust(c.Origins)
	if err := errors.Join(c.check(), err); err != nil {
		return nil, err
	}
	if c.Timeout == 0 {
		c.Timeout = HookTimeout
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Limits = c.Limits.WithDefaults()
	e := &Endpoint{foreign: foreign, signChannel: c.Key.ChannelAuth, signUser: c.Key.UserAuth}
	e.calls.Timeout = c.Timeout
	if master := c.MasterKey; master != "" {
		e.sharedSecret = func(channel string) [sha256.Size]byte { return SharedSecret(master, channel) }
	}
	c.Key.Secret, c.MasterKey = "", ""
	e.config = c
	return e, nil
}

// check returns what is wrong besides the origins.
func (c EndpointConfig) check() error {
	var wrong []error
	for _, rule := range []struct {
		broken bool
		text   string
	}{
		{c.App == "", "App is empty: give it the app's id"},
		{c.Key.Key == "", "Key has no name: give it a key of the app"},
		{strings.Contains(c.Key.Key, ":"), "Key has a colon in its name, which no key of an app has"},
		{c.Key.Secret == "", "Key has no secret: nothing can be signed with it"},
		{c.Policies == nil, "Policies is nil: give it a Registry; an empty one lets nobody in"},
		{c.MasterKey != "" && len(c.MasterKey) != MasterKeySize, fmt.Sprintf("MasterKey must be %d bytes: read it with ParseMasterKey", MasterKeySize)},
		{c.Timeout < 0, "Timeout is negative: use 0 for the default"},
	} {
		if rule.broken {
			wrong = append(wrong, errors.New("authz: endpoint: "+rule.text))
		}
	}
	return errors.Join(wrong...)
}

// ServeChannels answers who wants to subscribe: socket_id and channel_name. For a private channel the answer is
// {"auth":"key:signature"}, for a presence channel it has channel_data as well, for an encrypted one shared_secret.
//
// The plugin pusher-js-auth asks about many channels at once, with channel_name[0], channel_name[1] and so on in a form.
// Then the answer is 200 and says of each channel what it would have been:
//
//	{"private-a":{"status":200,"data":{"auth":"…"}},"private-b":{"status":403,"error":"…"}}
//
// Pusher: https://pusher.com/docs/channels/server_api/authorizing-users/
func (e *Endpoint) ServeChannels(w http.ResponseWriter, r *http.Request) {
	e.serve(w, r, e.channels)
}

// ServeUsers answers who wants to sign in: socket_id. The answer is {"auth":"key:signature","user_data":"…"}, in which
// user_data has id, user_info and, where there is one, watchlist. A guest is refused.
//
// Pusher: https://pusher.com/docs/channels/server_api/authenticating-users/
func (e *Endpoint) ServeUsers(w http.ResponseWriter, r *http.Request) {
	e.serve(w, r, e.user)
}

// serve lets answer answer a call that is allowed to ask.
func (e *Endpoint) serve(w http.ResponseWriter, r *http.Request, answer func(context.Context, call) (any, *protocol.RESTError)) {
	e.allowReading(w.Header(), r)
	switch r.Method {
	case http.MethodPost:
	case http.MethodOptions:
		w.Header().Set("Allow", allowedMethods)
		w.WriteHeader(http.StatusNoContent)
		return
	default:
		w.Header().Set("Allow", allowedMethods)
		refuse(w, &protocol.RESTError{Status: http.StatusMethodNotAllowed, Text: "Only POST is answered here"})
		return
	}
	if e.foreign.Check(r) != nil {
		refuse(w, errForeign)
		return
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), e.config.Timeout,
		fmt.Errorf("%w: no answer within %v", ErrUnavailable, e.config.Timeout))
	defer cancel()
	c, refused := readCall(w, r)
	if refused != nil {
		refuse(w, refused)
		return
	}
	value, refused := answer(ctx, c)
	if refused != nil {
		refuse(w, refused)
		return
	}
	respond(w, http.StatusOK, value)
}
