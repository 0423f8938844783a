package authz

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// identityJSON is the JSON of an [Identity].
type identityJSON struct {
	ID        string            `json:"id,omitzero"`
	Tenant    string            `json:"tenant,omitzero"`
	Info      jsontext.Value    `json:"info,omitzero"`
	Roles     []string          `json:"roles,omitzero"`
	Attrs     map[string]string `json:"attrs,omitzero"`
	ExpiresAt *int64            `json:"expires_at,omitzero"`
}

// lastSecond is the end of the year 9999. Later times are meant to be milliseconds.
const lastSecond = 253402300799

// MarshalJSONTo implements json.MarshalerTo.
func (id Identity) MarshalJSONTo(e *jsontext.Encoder) error {
	wire := identityJSON{id.ID, id.Tenant, id.Info, id.Roles, id.Attrs, nil}
	if !id.ExpiresAt.IsZero() {
		wire.ExpiresAt = new(id.ExpiresAt.Unix())
	}
	return json.MarshalEncode(e, wire)
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom. What is null is as if it were not there.
func (id *Identity) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	var wire identityJSON
	if err := json.UnmarshalDecode(d, &wire); err != nil {
		return err
	}
	got := Identity{ID: wire.ID, Tenant: wire.Tenant, Roles: wire.Roles, Attrs: wire.Attrs}
	switch wire.Info.Kind() {
	case '{':
		got.Info = wire.Info
	case jsontext.KindInvalid, 'n':
	default:
		return fmt.Errorf("info must be a JSON object, not %v", wire.Info.Kind())
	}
	if s := wire.ExpiresAt; s != nil {
		if *s > lastSecond {
			return fmt.Errorf("expires_at must be in seconds: %d is after the year 9999", *s)
		}
		got.ExpiresAt = time.Unix(*s, 0)
	}
	*id = got
	return nil
}
