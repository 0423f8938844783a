package authz

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"hark/protocol"
)

// decideAtOnce is about how many channels of one call the policies are asked at one time: half of the calls that may be
// stuck, so that one client cannot use them up by itself.
const decideAtOnce = maxStuck / 2

// A channelAnswer is what a client needs to subscribe.
type channelAnswer struct {
	Auth         string `json:"auth"`
	ChannelData  string `json:"channel_data,omitzero"`
	SharedSecret string `json:"shared_secret,omitzero"`
}

// A channelResult is what became of one of many channels.
type channelResult struct {
	Status int            `json:"status"`
	Data   *channelAnswer `json:"data,omitzero"`
	Error  string         `json:"error,omitzero"`
}

// A question is who asks, for which socket.
type question struct {
	Request
	moment uint64
}

// channels answers a call of ServeChannels.
func (e *Endpoint) channels(ctx context.Context, c call) (any, *protocol.RESTError) {
	socket, refused := c.socket()
	if refused != nil {
		return nil, refused
	}
	names, many, refused := c.channels(e.config.Limits.Channels)
	if refused != nil {
		return nil, refused
	}
	if !many {
		if refused := e.checkChannel(names[0]); refused != nil {
			return nil, refused
		}
	}
	q, refused := e.ask(ctx, c, socket)
	if refused != nil {
		return nil, refused
	}
	if many {
		return e.decideAll(ctx, q, names), nil
	}
	return e.decide(ctx, q, names[0])
}

// checkChannel refuses what is not signed, whoever asks.
func (e *Endpoint) checkChannel(name string) *protocol.RESTError {
	if err := protocol.CheckChannel(name, e.config.Limits.ChannelName); err != nil {
		return malformed("%v", err)
	}
	switch kind := protocol.KindOf(name); {
	case !kind.NeedsAuth():
		return malformed("The channel %q needs no signature: subscribe without asking, or name one that begins with private- or presence-", name)
	case kind.IsEncrypted() && e.sharedSecret == nil:
		return &protocol.RESTError{Status: http.StatusForbidden, Text: "Encrypted channels are not served here, for want of a master key"}
	}
	return nil
}

// ask finds out who asks. The moment comes first: what is revoked from then on has precedence over what is granted.
func (e *Endpoint) ask(ctx context.Context, c call, socket protocol.SocketID) (question, *protocol.RESTError) {
	q := question{Request: Request{App: e.config.App, Socket: socket, Cause: Join, HTTP: c.forPolicies(ctx)}}
	if e.config.Keeper != nil {
		q.moment = e.config.Keeper.Moment()
	}
	var err error
	q.Identity, err = e.authenticate(ctx, c)
	if err != nil {
		return q, e.refusal(ctx, q, err)
	}
	return q, nil
}

// decideAll answers for every channel by itself.
func (e *Endpoint) decideAll(ctx context.Context, q question, names []string) map[string]channelResult {
	results := make(map[string]channelResult, len(names))
	var mu sync.Mutex // guards results
	var wg sync.WaitGroup
	free := make(chan struct{}, decideAtOnce)
	for _, name := range names {
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			result := channelResult{Status: http.StatusOK}
			refused := e.checkChannel(name)
			if refused == nil {
				result.Data, refused = e.decide(ctx, q, name)
			}
			if refused != nil {
				result = channelResult{Status: refused.Status, Error: refused.Text}
			}
			mu.Lock()
			defer mu.Unlock()
			results[name] = result
		})
	}
	wg.Wait()
	return results
}

// decide asks the policies about a channel that is signed, keeps what they grant, and signs.
func (e *Endpoint) decide(ctx context.Context, q question, channel string) (*channelAnswer, *protocol.RESTError) {
	q.Channel = channel
	if ctx.Err() != nil {
		return nil, e.refusal(ctx, q, fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx)))
	}
	g, err := e.config.Policies.Decide(ctx, q.Request)
	if err != nil {
		return nil, e.refusal(ctx, q, err)
	}
	kind := protocol.KindOf(channel)
	var a channelAnswer
	if kind.IsPresence() {
		if a.ChannelData, err = channelData(q.Identity.ID, g.Info, e.config.Limits); err != nil {
			return nil, e.refusal(ctx, q, err)
		}
	}
	if kind.IsEncrypted() {
		secret := e.sharedSecret(channel)
		a.SharedSecret = base64.StdEncoding.EncodeToString(secret[:])
	}
	a.Auth = e.signChannel(q.Socket, channel, a.ChannelData, kind.IsPresence())
	e.keep(ctx, q, g)
	return &a, nil
}

// channelData returns the member that a server finds in channel_data, in text that it takes.
func channelData(userID string, info jsontext.Value, l protocol.Limits) (string, error) {
	data, err := json.Marshal(struct {
		UserID   string         `json:"user_id"`
		UserInfo jsontext.Value `json:"user_info"`
	}{userID, orEmpty(info)})
	if err == nil {
		_, err = protocol.ParseMember(string(data), l)
	}
	if err != nil {
		return "", fmt.Errorf("%w: what a policy granted cannot be a member: %w", ErrUnavailable, err)
	}
	return string(data), nil
}

// keep keeps a grant for the channel of q. One that is not kept costs only that the policies are asked again.
func (e *Endpoint) keep(ctx context.Context, q question, g Grant) {
	if e.config.Keeper == nil {
		return
	}
	g.Moment = q.moment
	if err := e.config.Keeper.Keep(ctx, q.Socket, q.Channel, g); err != nil {
		e.log(ctx, slog.LevelWarn, "a grant is not kept", q, err)
	}
}
