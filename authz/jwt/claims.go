package jwt

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	gojwt "github.com/golang-jwt/jwt/v5"

	"hark/authz"
	"hark/protocol"
)

// Claims name the claims of a token that make the Identity. An Identity ends when the token does, by its exp.
type Claims struct {
	// ID is the user's id, a string or a number; "": sub. A token without it is refused: a guest has no token.
	ID string
	// Tenant is a string or a number; "": tenant.
	Tenant string
	// Roles is an array of strings, or one string with spaces between them, like scope; "": roles.
	Roles string
	// Info is an object, which the other members of presence channels see; "": info.
	Info string
	// Attrs are claims that become Attrs of the same name, each a string or a number.
	Attrs []string
}

func (c Claims) withDefaults() Claims {
	for _, name := range []struct {
		is        *string
		byDefault string
	}{{&c.ID, "sub"}, {&c.Tenant, "tenant"}, {&c.Roles, "roles"}, {&c.Info, "info"}} {
		if *name.is == "" {
			*name.is = name.byDefault
		}
	}
	return c
}

// claims are what a token says. The embedded ones are those that the library checks.
type claims struct {
	gojwt.RegisteredClaims
	all map[string]jsontext.Value
}

// UnmarshalJSON implements the interface of encoding/json, by which the library reads them.
func (c *claims) UnmarshalJSON(text []byte) error {
	if err := json.Unmarshal(text, &c.all); err != nil {
		return err
	}
	for name, claim := range map[string]any{
		"exp": &c.ExpiresAt, "nbf": &c.NotBefore, "iat": &c.IssuedAt, "iss": &c.Issuer, "aud": &c.Audience,
	} {
		if value, ok := c.all[name]; ok {
			if err := json.Unmarshal(value, claim); err != nil {
				return fmt.Errorf("the claim %s: %w", name, err)
			}
		}
	}
	return nil
}

// identity returns whom verified claims describe.
func (c *claims) identity(names Claims, leeway time.Duration) (id authz.Identity, err error) {
	if id.ID, err = c.text(names.ID); err != nil {
		return authz.Identity{}, err
	}
	if most := (protocol.Limits{}).WithDefaults().UserID; !protocol.CheckUserID(id.ID) || len(id.ID) > most {
		return authz.Identity{}, fmt.Errorf("the claim %s is %q: a user's id has 1 to %d letters, digits and any of _-=@,.;",
			names.ID, shorten(id.ID, most), most)
	}
	if id.Tenant, err = c.text(names.Tenant); err != nil {
		return authz.Identity{}, err
	}
	if id.Roles, err = c.words(names.Roles); err != nil {
		return authz.Identity{}, err
	}
	if id.Info, err = c.object(names.Info); err != nil {
		return authz.Identity{}, err
	}
	for _, name := range names.Attrs {
		switch value, err := c.text(name); {
		case err != nil:
			return authz.Identity{}, err
		case value != "":
			if id.Attrs == nil {
				id.Attrs = make(map[string]string, len(names.Attrs))
			}
			id.Attrs[name] = value
		}
	}
	if c.ExpiresAt != nil {
		if c.ExpiresAt.Year() > 9999 {
			return authz.Identity{}, errors.New("the claim exp is after the year 9999: it must be in seconds, not milliseconds")
		}
		id.ExpiresAt = c.ExpiresAt.Add(leeway) // until then the token is good
	}
	return id, nil
}

// text returns a claim that is a string or a number, which keeps its digits; "" if there is none.
func (c *claims) text(name string) (s string, err error) {
	switch value := c.all[name]; value.Kind() {
	case jsontext.KindInvalid, 'n':
	case '0':
		s = string(value)
	case '"':
		err = json.Unmarshal(value, &s)
	default:
		err = fmt.Errorf("the claim %s must be a string or a number, not %v", name, value.Kind())
	}
	return s, err
}

// words returns a claim that is an array of strings, or a string with spaces between the words.
func (c *claims) words(name string) (all []string, err error) {
	value := c.all[name]
	if value.Kind() == '"' {
		s, err := c.text(name)
		return strings.Fields(s), err
	}
	if value.Kind() != jsontext.KindInvalid {
		if err := json.Unmarshal(value, &all); err != nil {
			return nil, fmt.Errorf("the claim %s must be an array of strings, or a string: %w", name, err)
		}
	}
	return all, nil
}

// object returns a claim that is an object, nil if there is none.
func (c *claims) object(name string) (jsontext.Value, error) {
	switch value := c.all[name]; value.Kind() {
	case '{':
		return value, nil
	case jsontext.KindInvalid, 'n':
		return nil, nil
	default:
		return nil, fmt.Errorf("the claim %s must be an object, not %v", name, value.Kind())
	}
}

func shorten(s string, most int) string {
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
