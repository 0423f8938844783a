package callback

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"hark/authz"
)

// Authenticator asks the application who makes a request: kind authenticate. What the application sees of it are the
// headers of Config.Headers, the client's address, and the path as it was requested, in which there may be a token.
func (c *Client) Authenticator() authz.Authenticator { return authz.AuthenticatorFunc(c.authenticate) }

func (c *Client) authenticate(ctx context.Context, r *http.Request) (authz.Identity, error) {
	q := question{Kind: KindAuthenticate, For: "auth", Path: r.URL.EscapedPath()}
	if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		q.For = "upgrade"
	}
	client, asked := c.forward(r), c.epochs.current()
	key := digestOf(q.For, q.Path, string(client.seen[:]))
	if id, _, ok := c.identities.get(key); ok {
		c.config.Counters.Remembered(q.Kind)
		return id, nil
	}
	f, made := c.who.join(digestOf(string(key[:]), strconv.FormatUint(uint64(asked), 10)))
	if made {
		err := c.start(ctx, q.Kind, func(ctx context.Context) {
			a, err := ask(ctx, c, q, client.header, readIdentity)
			if err == nil && a.id.Expired(time.Now()) {
				a, err = identified{}, fmt.Errorf("%w: the identity of %s has expired", authz.ErrUnauthenticated, a.id.ID)
			}
			if !a.id.Guest() && a.size <= maxRemembered {
				c.identities.put(key, a.id, a.id.ID, asked, a.cache)
			}
			c.who.land(f, a.id, err)
		})
		if err != nil {
			c.who.land(f, authz.Identity{}, err)
		}
	}
	return f.wait(ctx)
}

// An identified is an answer to authenticate.
type identified struct {
	id    authz.Identity
	cache time.Duration // not beyond the end of the identity
	size  int           // in bytes
}

// A userBody is the JSON of an identity.
type userBody struct {
	ID        string            `json:"id"`
	Tenant    string            `json:"tenant"`
	Info      jsontext.Value    `json:"info"`
	Roles     []string          `json:"roles"`
	Attrs     map[string]string `json:"attrs"`
	ExpiresAt *float64          `json:"expires_at"` // seconds since 1970
}

// readIdentity reads {"user":{…}|null,"expires_at":…,"cache":…}. The end may stand in the user, too; the earlier one counts.
func readIdentity(body []byte) (identified, error) {
	var a struct {
		User      jsontext.Value `json:"user"`
		ExpiresAt *float64       `json:"expires_at"`
		Cache     *float64       `json:"cache"`
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return identified{}, err
	}
	cache, err := readCache(a.Cache)
	if err != nil {
		return identified{}, err
	}
	switch a.User.Kind() {
	case 'n':
		return identified{}, nil
	case '{':
	default:
		return identified{}, errors.New(`it needs a "user": an object, or null for a guest`)
	}
	var u userBody
	if err := json.Unmarshal(a.User, &u); err != nil {
		return identified{}, err
	}
	if u.ID == "" {
		return identified{}, errors.New(`the user has no "id"; a guest is "user":null`)
	}
	id := authz.Identity{ID: u.ID, Tenant: u.Tenant, Roles: u.Roles, Attrs: u.Attrs}
	if id.Info, err = readInfo(u.Info); err != nil {
		return identified{}, err
	}
	if id.ExpiresAt, err = readEnd(a.ExpiresAt, u.ExpiresAt); err != nil {
		return identified{}, err
	}
	if !id.ExpiresAt.IsZero() {
		cache = min(cache, time.Until(id.ExpiresAt))
	}
	return identified{id, cache, len(body)}, nil
}
