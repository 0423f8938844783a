package authz_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"hark/authz"
	"hark/protocol"
)

var ada = authz.Identity{
	ID: "7", Tenant: "acme", Info: jsontext.Value(`{"name":"Ada"}`), Roles: []string{"editor"},
	Attrs: map[string]string{"plan": "pro"}, ExpiresAt: time.Unix(1790000000, 0),
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	var guest authz.Identity
	if !guest.Guest() || guest.HasRole("") || guest.Expired(time.Now()) {
		t.Errorf("the zero Identity: guest %v, has role %v, expired %v", guest.Guest(), guest.HasRole(""), guest.Expired(time.Now()))
	}
	if ada.Guest() || !ada.HasRole("editor") || ada.HasRole("edit") {
		t.Errorf("Ada: guest %v, editor %v, edit %v", ada.Guest(), ada.HasRole("editor"), ada.HasRole("edit"))
	}
	end := ada.ExpiresAt
	if ada.Expired(end.Add(-1)) || !ada.Expired(end) || !ada.Expired(end.Add(1)) {
		t.Errorf("expired before, at and after its end: %v, %v, %v, want false, true, true",
			ada.Expired(end.Add(-1)), ada.Expired(end), ada.Expired(end.Add(1)))
	}
	if diff := cmp.Diff(protocol.Member{UserID: "7", UserInfo: jsontext.Value(`{"name":"Ada"}`)}, ada.Member()); diff != "" {
		t.Errorf("Member (-want +got):\n%s", diff)
	}
}

func TestIdentityJSON(t *testing.T) {
	t.Parallel()
	const text = `{"id":"7","tenant":"acme","info":{"name":"Ada"},"roles":["editor"],"attrs":{"plan":"pro"},"expires_at":1790000000}`
	for _, tt := range []struct {
		name, text string
		want       authz.Identity
		back       string // "": text
	}{
		{name: "everything", text: text, want: ada},
		{name: "a guest", text: `{}`},
		{name: "a guest, null", text: `null`, back: `{}`},
		{name: "an id", text: `{"id":"7"}`, want: authz.Identity{ID: "7"}},
		{name: "null is not there", text: `{"id":"7","tenant":null,"info":null,"roles":null,"attrs":null,"expires_at":null}`,
			want: authz.Identity{ID: "7"}, back: `{"id":"7"}`},
		{name: "what it does not know", text: `{"id":"7","name":"Ada"}`, want: authz.Identity{ID: "7"}, back: `{"id":"7"}`},
		{name: "it ended long ago", text: `{"expires_at":0}`, want: authz.Identity{ExpiresAt: time.Unix(0, 0)}},
		{name: "info as it was sent", text: `{"info":{"b":1.0,"a":"\u00e9"}}`,
			want: authz.Identity{Info: jsontext.Value(`{"b":1.0,"a":"\u00e9"}`)}, back: `{"info":{"b":1.0,"a":"é"}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := authz.Identity{ID: "old", Tenant: "old", Roles: []string{"old"}, ExpiresAt: time.Now()}
			if err := json.Unmarshal([]byte(tt.text), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("from %s (-want +got):\n%s", tt.text, diff)
			}
			back, err := json.Marshal(got)
			if want := orElse(tt.back, tt.text); err != nil || string(back) != want {
				t.Errorf("to %s, %v, want %s", back, err, want)
			}
		})
	}
	for _, tt := range []struct{ text, want string }{
		{`{"id":7}`, "id"},
		{`{"info":"Ada"}`, "info must be a JSON object, not string"},
		{`{"info":[]}`, "info must be a JSON object, not ["},
		{`{"roles":"editor"}`, "roles"},
		{`{"attrs":{"n":1}}`, "attrs"},
		{`{"expires_at":"soon"}`, "expires_at"},
		{`{"expires_at":1.5}`, "expires_at"},
		{`{"expires_at":1790000000000}`, "expires_at must be in seconds: 1790000000000 is after the year 9999"},
		{`[]`, "array"},
	} {
		got := authz.Identity{ID: "old"}
		if err := json.Unmarshal([]byte(tt.text), &got); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", tt.text, err, tt.want)
		}
		if diff := cmp.Diff(authz.Identity{ID: "old"}, got); diff != "" {
			t.Errorf("%s is refused and changes the identity all the same:\n%s", tt.text, diff)
		}
	}
}

func TestRequireUser(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("GET", "/app/key", nil)
	down := errors.New("down")
	for _, tt := range []struct {
		name    string
		id      authz.Identity
		err     error
		want    authz.Identity
		wantErr error
	}{
		{name: "a user", id: ada, want: ada},
		{name: "a guest", id: authz.Identity{Tenant: "acme"}, wantErr: authz.ErrUnauthenticated},
		{name: "wrong credentials", err: authz.ErrUnauthenticated, wantErr: authz.ErrUnauthenticated},
		{name: "an error and an identity", id: ada, err: down, wantErr: down},
	} {
		a := authz.RequireUser(authz.AuthenticatorFunc(func(_ context.Context, got *http.Request) (authz.Identity, error) {
			if got != r {
				t.Error("another request is asked about")
			}
			return tt.id, tt.err
		}))
		got, err := a.Authenticate(t.Context(), r)
		if !errors.Is(err, tt.wantErr) || (err == nil) != (tt.wantErr == nil) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.wantErr)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
