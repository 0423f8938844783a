package authz

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"hark/protocol"
)

// A userAnswer is what a client needs to sign in.
type userAnswer struct {
	Auth     string `json:"auth"`
	UserData string `json:"user_data"`
}

// user answers a call of ServeUsers.
func (e *Endpoint) user(ctx context.Context, c call) (any, *protocol.RESTError) {
	socket, refused := c.socket()
	if refused != nil {
		return nil, refused
	}
	q, refused := e.ask(ctx, c, socket)
	if refused != nil {
		return nil, refused
	}
	if q.Identity.Guest() {
		return nil, e.refusal(ctx, q, fmt.Errorf("%w: a guest does not sign in", ErrDenied))
	}
	data, info, err := e.userData(ctx, q.Identity)
	if err != nil {
		return nil, e.refusal(ctx, q, err)
	}
	e.keep(ctx, q, Grant{Identity: q.Identity, Info: info})
	return userAnswer{Auth: e.signUser(socket, data), UserData: data}, nil
}

// authenticate asks the application who makes a call. What it says is checked, since a signature makes others believe it.
func (e *Endpoint) authenticate(ctx context.Context, c call) (Identity, error) {
	if e.config.Authenticator == nil {
		return Identity{}, nil
	}
	r := c.forAuthenticator(ctx)
	said := make(chan Identity, 1) // one that is late writes to nobody
	err := e.calls.Do(ctx, func(ctx context.Context) error {
		id, err := e.config.Authenticator.Authenticate(ctx, r)
		said <- id
		return err
	})
	if err != nil {
		return Identity{}, err
	}
	id := <-said
	if err := CheckIdentity(id, e.config.Limits); err != nil {
		return Identity{}, err
	}
	return id, nil
}

// userData returns what a user signs in with, in text that a server takes, and the user_info in it.
func (e *Endpoint) userData(ctx context.Context, id Identity) (string, jsontext.Value, error) {
	type user struct {
		ID        string         `json:"id"`
		Info      jsontext.Value `json:"user_info"`
		Watchlist []string       `json:"watchlist,omitzero"`
	}
	made := make(chan user, 1) // one that is late writes to nobody
	err := e.calls.Do(ctx, func(ctx context.Context) error {
		u := user{ID: id.ID, Info: orEmpty(id.Info)}
		var err error
		if e.config.UserInfo != nil {
			if u.Info, err = encodeUserInfo(e.config.UserInfo(ctx, id)); err != nil {
				return err
			}
		}
		if e.config.Watchlist != nil {
			if u.Watchlist, err = e.config.Watchlist(ctx, id); err != nil {
				return fmt.Errorf("watchlist: %w", err)
			}
		}
		made <- u
		return nil
	})
	if err != nil {
		return "", nil, err
	}
	u := <-made
	data, err := json.Marshal(u)
	if err == nil {
		_, _, err = protocol.ParseUser(string(data), e.config.Limits)
	}
	if err != nil {
		return "", nil, fmt.Errorf("%w: what user %s would sign in with: %w", ErrUnavailable, id.ID, err)
	}
	return string(data), u.Info, nil
}

func orEmpty(object jsontext.Value) jsontext.Value {
	if object == nil {
		return jsontext.Value("{}")
	}
	return object
}

// encodeUserInfo encodes what UserInfo returned.
func encodeUserInfo(v any, err error) (jsontext.Value, error) {
	var text []byte
	if err == nil {
		text, err = json.Marshal(v, json.Deterministic(true))
	}
	if err == nil && jsontext.Value(text).Kind() != '{' {
		err = errors.New("not a JSON object")
	}
	if err != nil {
		return nil, fmt.Errorf("user_info: %w", err)
	}
	return text, nil
}
