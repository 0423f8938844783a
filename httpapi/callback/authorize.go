package callback

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"hark/authz"
)

// Policy asks the application who may join: kinds authorize and authorize_many. It may be registered for any number of
// patterns.
func (c *Client) Policy() authz.Policy { return authz.PolicyFunc(c.authorize) }

func (c *Client) authorize(ctx context.Context, r authz.Request) (authz.Decision, error) {
	for name, value := range r.Captures {
		if !utf8.ValidString(value) {
			return authz.Deny("what {" + name + "} captures is not UTF-8, which JSON cannot say"), nil
		}
	}
	user, err := encodeUser(r.Identity)
	if err != nil {
		return authz.Decision{}, unavailable(KindAuthorize, err)
	}
	client := c.forward(r.HTTP)
	key := digestOf(string(user), string(client.seen[:]), r.Channel, r.Pattern)
	if r.Cause == authz.Join {
		if d, age, ok := c.decisions.get(key); ok && (d.ttl == 0 || d.ttl > age) {
			c.config.Counters.Remembered(KindAuthorize)
			if d.ttl > 0 {
				d.ttl -= age
			}
			return d.decision(), nil
		}
	}
	d, err := c.pose(ctx, r, user, client, key).wait(ctx)
	if errors.Is(err, authz.ErrDenied) {
		return authz.Deny(err.Error()), nil
	}
	return d.decision(), err
}

// pose puts a question to where it is asked: to an equal one under way, or to others of the same socket. A live
// subscription is looked at again because something has changed, so what is under way is too old for it.
func (c *Client) pose(ctx context.Context, r authz.Request, user jsontext.Value, client forwarded, key digest) *flight[decision] {
	asked := c.epochs.current()
	sender := digestOf(string(user), string(client.seen[:]), string(r.Socket), r.Cause.String(),
		strconv.FormatUint(uint64(c.epochs.of(r.Identity.ID)), 10))
	unique := digestOf(string(sender[:]), r.Channel, r.Pattern)
	f, made := newFlight[decision](unique), true
	if r.Cause == authz.Join {
		f, made = c.may.join(unique)
	}
	if made {
		remember := func(d decision) {
			// A guest without credentials is nobody in particular: the next one is somebody else.
			if r.Cause == authz.Join && d.verdict == allowed && len(d.info) <= maxRemembered && (client.known || !r.Identity.Guest()) {
				c.decisions.put(key, d, r.Identity.ID, asked, d.cache)
			}
		}
		common := question{Socket: r.Socket, User: user, Cause: r.Cause.String()}
		err := c.gather(ctx, sender, common, client.header, asking{place{r.Channel, r.Pattern, r.Captures}, f, remember})
		if err != nil {
			c.may.land(f, decision{}, err)
		}
	}
	return f
}

// A decision is an application's answer about one channel.
type decision struct {
	verdict verdict
	info    jsontext.Value
	ttl     time.Duration // 0: the yes does not lapse
	cache   time.Duration
}

type verdict uint8

const (
	noOpinion verdict = iota
	allowed
	denied
)

func (d decision) decision() authz.Decision {
	switch d.verdict {
	case allowed:
		a := authz.Allow().For(d.ttl)
		if d.info != nil {
			a = a.WithInfo(d.info)
		}
		return a
	case denied:
		return authz.Deny("the application says no")
	}
	return authz.NoOpinion()
}

// A decisionBody is the JSON of a decision: {"allow":true|false|null,"info":{},"ttl":900,"cache":30}.
type decisionBody struct {
	Allow jsontext.Value `json:"allow"`
	Info  jsontext.Value `json:"info"`
	TTL   *float64       `json:"ttl"`
	Cache *float64       `json:"cache"`
}

func (b decisionBody) decision() (d decision, err error) {
	switch b.Allow.Kind() {
	case 't':
		d.verdict = allowed
	case 'f':
		d.verdict = denied
	case 'n':
		d.verdict = noOpinion
	default:
		return decision{}, errors.New(`"allow" must be true, false or null`)
	}
	var errs [3]error
	d.info, errs[0] = readInfo(b.Info)
	d.ttl, errs[1] = readTTL(b.TTL)
	d.cache, errs[2] = readCache(b.Cache)
	if err := errors.Join(errs[:]...); err != nil {
		return decision{}, err
	}
	return d, nil
}

func readDecision(body []byte) (decision, error) {
	var b decisionBody
	if err := json.Unmarshal(body, &b); err != nil {
		return decision{}, err
	}
	return b.decision()
}

// readDecisions reads {"decisions":{"private-a":{"allow":true},…}}.
func readDecisions(body []byte) (map[string]decision, error) {
	var b struct {
		Decisions map[string]decisionBody `json:"decisions"`
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return nil, err
	}
	if b.Decisions == nil {
		return nil, errors.New(`it needs "decisions": an object with the channels' names`)
	}
	decisions := make(map[string]decision, len(b.Decisions))
	for channel, body := range b.Decisions {
		d, err := body.decision()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", channel, err)
		}
		decisions[channel] = d
	}
	return decisions, nil
}
