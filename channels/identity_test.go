package channels_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"hark/authz"
	"hark/channels"
	"hark/channels/hubtest"
	"hark/protocol"
)

func notAuthorized(channel string) []string {
	var texts []string
	for _, f := range protocol.NotAuthorized(channel).Frames() {
		texts = append(texts, string(f.JSON()))
	}
	return texts
}

// grant keeps a grant for a client, as the auth endpoint does.
func grant(t *testing.T, h *channels.Hub, c *hubtest.Client, channel string, g authz.Grant) {
	t.Helper()
	app, _ := h.App(hubtest.AppID)
	g.Moment = app.Moment()
	if err := app.Keep(t.Context(), c.ID(), channel, g); err != nil {
		t.Fatal(err)
	}
}

// open lets everybody onto all private and presence channels.
func open() *authz.Registry {
	g := authz.NewRegistry()
	g.Handle("private-{x...}", policy(authz.Allow(), nil))
	g.Handle("presence-{x...}", policy(authz.Allow(), nil))
	return g
}

// Whichever way in, observers are told of who has come to speak for a user, once,
// and of who was refused.
func TestWaysIn(t *testing.T) {
	ada := authz.Identity{ID: "ada", Info: []byte(`{"n":1}`), Roles: []string{"admin"}}
	users := hubtest.Users{"a": ada}
	plain := func() channels.Config {
		c := hubtest.Config()
		c.Apps[0].IdentityPattern = "private-user={id}"
		return c
	}
	delegated := func() channels.Config { return hubtest.Delegated(open(), users) }
	wrong := func(channel string) string {
		return fmt.Sprintf(`{"event":"pusher:subscribe","data":{"channel":%q,"auth":"app-key:wrong"}}`, channel)
	}
	tests := []struct {
		name   string
		config func() channels.Config
		token  string
		come   func(t *testing.T, h *channels.Hub, c *hubtest.Client)
		user   string // the socket then speaks for
		told   []string
	}{
		{"the upgrade", delegated, "a", func(*testing.T, *channels.Hub, *hubtest.Client) {}, "ada", []string{"ada by upgrade"}},
		{"the upgrade, then the same signs in and joins", delegated, "a", func(t *testing.T, h *channels.Hub, c *hubtest.Client) {
			c.Signin(`{"id":"ada"}`)
			c.Join("presence-x", "ada")
		}, "ada", []string{"ada by upgrade"}},
		{"the upgrade, then another signs in", delegated, "a", func(t *testing.T, h *channels.Hub, c *hubtest.Client) {
			c.Signin(`{"id":"bob"}`)
		}, "ada", []string{"ada by upgrade", `failed: signin of "bob" in app 1001`}},
		{"the upgrade, then a grant for another", delegated, "a", func(t *testing.T, h *channels.Hub, c *hubtest.Client) {
			grant(t, h, c, "private-x", authz.Grant{Identity: authz.Identity{ID: "bob"}})
			c.Subscribe("private-x")
		}, "ada", []string{"ada by upgrade", `failed: private-x of "bob" in app 1001`}},
		{"a signin", plain, "", func(t *testing.T, h *channels.Hub, c *hubtest.Client) {
			c.Signin(`{"id":"ada"}`)
			c.Signin(`{"id":"ada"}`)
		}, "ada", []string{"ada by signin"}},
		{"a signin, then another", plain, "", func(t *testing.T, h *channels.Hub, c *hubtest.Client) {
			c.Signin(`{"id":"ada"}`)
			c.Signin(`{"id":"bob"}`)
		}, "ada", []string{"ada by signin", `failed: signin of "bob" in app 1001`}},
		{"a signin with a wrong signature", plain, "", func(t *testing.T, h *channels.Hub, c *hubtest.Client) {
			c.Say(`{"event":"pusher:signin","data":{"auth":"app-key:wrong","user_data":"{\"id\":\"ada\"}"}}`)
		}, "", []string{`failed: signin of "" in app 1001`}},
		{"a granted signin", delegated, "", func(t *testing.T, h *channels.Hub, c *hubtest.Client) {
			grant(t, h, c, "", authz.Grant{Identity: ada})
			c.Signin(`{"id":"ada"}`)
		}, "ada", []string{"ada by signin"}},
		{"a signin that was granted to another", delegated, "", func(t *testing.T, h *channels.Hub, c *hubtest.Client) {
			grant(t, h, c, "", authz.Grant{Identity: ada})
			c.Signin(`{"id":"bob"}`)
		}, "", []string{`failed: signin of "bob" in app 1001`}},
		{"channel_data of a presence channel", plain, "", func(t *testing.T, h *channels.Hub, c *hubtest.Client) {
			c.Join("presence-x", "ada")
			c.Join("presence-y", "bob") // as before there were identities
		}, "ada", []string{"ada by channel"}},
		{"channel_data of a private channel", plain, "", func(t *testing.T, h *channels.Hub, c *hubtest.Client) {
			c.Subscribe("private-x", `{"team":3}`)
			c.Subscribe("private-y", `{"user_id":"ada","hark":{}}`)
		}, "ada", []string{"ada by channel"}},
		{"the user's own channel", plain, "", func(t *testing.T, h *channels.Hub, c *hubtest.Client) {
			c.Subscribe("private-user=ada")
			c.Subscribe("private-user=ada.x")
		}, "ada", []string{"ada by channel"}},
		{"a public channel of that name", plain, "", func(t *testing.T, h *channels.Hub, c *hubtest.Client) {
			c.Subscribe("user=ada")
		}, "", nil},
		{"a channel, then the same signs in", plain, "", func(t *testing.T, h *channels.Hub, c *hubtest.Client) {
			c.Join("presence-x", "ada")
			c.Signin(`{"id":"ada"}`)
		}, "ada", []string{"ada by channel"}},
		{"a channel, then another signs in", plain, "", func(t *testing.T, h *channels.Hub, c *hubtest.Client) {
			c.Join("presence-x", "ada")
			synctest.Wait()
			c.Signin(`{"id":"bob"}`)
			c.Join("presence-y", "ada")
		}, "bob", []string{"ada by channel", "bob by signin"}},
		{"a grant", delegated, "", func(t *testing.T, h *channels.Hub, c *hubtest.Client) {
			grant(t, h, c, "private-x", authz.Grant{Identity: ada})
			c.Subscribe("private-x")
			c.Subscribe("private-y")
		}, "ada", []string{"ada by channel"}},
		{"a wrong signature", plain, "", func(t *testing.T, h *channels.Hub, c *hubtest.Client) {
			c.Say("%s", wrong("private-x"))
			c.Say("%s", wrong("presence-x"))
		}, "", []string{`failed: private-x of "" in app 1001`, `failed: presence-x of "" in app 1001`}},
		{"no signature", plain, "", func(t *testing.T, h *channels.Hub, c *hubtest.Client) {
			c.Say(`{"event":"pusher:subscribe","data":{"channel":"private-x"}}`)
			c.Say(`{"event":"pusher:subscribe","data":{"channel":"#server-to-user-ada"}}`)
		}, "", []string{`failed: private-x of "" in app 1001`, `failed: #server-to-user-ada of "" in app 1001`}},
		{"what is wrong otherwise is no failure of that kind", plain, "", func(t *testing.T, h *channels.Hub, c *hubtest.Client) {
			c.Say(`{"event":"pusher:subscribe","data":{"channel":"no such name"}}`)
			c.Say(`{"event":"pusher:signin","data":{}}`)
			c.Subscribe("x")
			c.Subscribe("x")
		}, "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var w witness
				h := startWith(t, tt.config(), w.watch)
				c := hubtest.Dial(t, h, hubtest.Request(tt.token))
				synctest.Wait()
				tt.come(t, h, c)
				synctest.Wait()
				slices.Sort(w.told)
				slices.Sort(tt.told)
				w.expect(t, tt.told...)
				if id := c.Socket().Identity(); id.ID != tt.user {
					t.Errorf("the socket speaks for %q, want %q", id.ID, tt.user)
				}
				if code, reason := c.Closed(); code != 0 {
					t.Errorf("closed with %d %s", code, reason)
				}
			})
		})
	}
}

// What the auth endpoint has kept of a user is there after the signin, and a
// signature alone takes nothing of it away.
func TestGrantedSignin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ada := authz.Identity{ID: "ada", Tenant: "acme", Roles: []string{"admin"}}
		h := hubtest.Start(t, hubtest.Delegated(open(), nil))
		for _, channel := range []string{"", "private-x"} {
			c := hubtest.Connect(t, h)
			grant(t, h, c, channel, authz.Grant{Identity: ada})
			if channel != "" {
				c.Subscribe(channel)
				synctest.Wait()
			}
			c.Signin(`{"id":"ada"}`)
			synctest.Wait()
			if id := c.Socket().Identity(); id.Tenant != "acme" || !id.HasRole("admin") {
				t.Errorf("granted for %q: the socket speaks for %+v, want %+v", channel, id, ada)
			}
		}
	})
}

// An app that signs by itself may sign a presence channel for any user, whoever the
// socket speaks for. The upgrade alone makes nobody a member.
func TestPresenceIsTheBackends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hubtest.Start(t, withAuthenticator(says(authz.Identity{ID: "ada"}, nil)))
		c := hubtest.Connect(t, h)
		c.Join("presence-x", "bob")
		if got := c.Take(); len(got) != 1 || !strings.Contains(got[0], `[\"bob\"]`) {
			t.Errorf("got %q, want that bob is a member", got)
		}
		c.Subscribe("presence-y")
		if got := c.Take(); len(got) != 2 || !strings.Contains(got[0], "must include channel_data") {
			t.Errorf("got %q, want that channel_data is missing", got)
		}
	})
}
