package channels_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"hark/authz"
	"hark/channels"
	"hark/channels/hubtest"
)

// Who a subscription was granted or signed for may be another user than the connection
// speaks for: somebody has signed in anew on a page that stays open. What is taken back
// from either is taken back.
func TestTakeBackFromAnotherUser(t *testing.T) {
	for _, tt := range []struct {
		name  string
		start func(t *testing.T) *channels.Hub
		join  func(t *testing.T, h *channels.Hub, c *hubtest.Client) // bob's subscription on ada's connection
	}{
		{"granted", func(t *testing.T) *channels.Hub { return asked(t, &asker{d: authz.Allow()}) },
			func(t *testing.T, h *channels.Hub, c *hubtest.Client) {
				grant(t, h, c, "private-a", authz.Grant{Identity: authz.Identity{ID: "ada"}})
				c.Subscribe("private-a")
				grant(t, h, c, "presence-x", authz.Grant{Identity: authz.Identity{ID: "bob"}})
				c.Join("presence-x", "bob")
			}},
		{"signed", func(t *testing.T) *channels.Hub { return hubtest.Start(t, hubtest.Config()) },
			func(t *testing.T, h *channels.Hub, c *hubtest.Client) {
				c.Signin(`{"id":"ada"}`)
				c.Subscribe("private-a")
				c.Join("presence-x", "bob")
			}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := tt.start(t)
				c := hubtest.Connect(t, h)
				tt.join(t, h, c)
				c.Take()
				if who := c.Socket().Identity().ID; who != "ada" {
					t.Fatalf("the connection speaks for %q, want ada", who)
				}
				check(t, mine(h).Revoke(t.Context(), channels.Users("bob"), "{x...}", "no"))
				c.Expect(takenBack("presence-x", "no"))
				if on := strings.Join(c.Socket().Subscriptions(), " "); on != "private-a" {
					t.Errorf("it is on %s, want private-a, which is ada's", on)
				}
				c.Join("presence-x", "bob") // with what was signed before
				c.Expect(notAuthorized("presence-x")...)
			})
		})
	}
}

// What was signed for another user, and is used only after it was taken back, is worth
// nothing either.
func TestTakeBackBeforeAnotherUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hubtest.Start(t, hubtest.Config())
		c := hubtest.Connect(t, h)
		c.Signin(`{"id":"ada"}`)
		c.Take()
		check(t, mine(h).Revoke(t.Context(), channels.Users("bob"), "presence-x", "no"))
		c.Join("presence-x", "bob")
		c.Expect(notAuthorized("presence-x")...)
		c.Join("presence-x", "ada")
		if got := strings.Join(c.Take(), ""); !strings.Contains(got, "succeeded") {
			t.Errorf("ada heard %s", got)
		}
	})
}

// The policies are asked again about whoever it is that is to be looked at.
func TestRecheckOfAnotherUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &asker{d: authz.Allow()}
		h := asked(t, a)
		c := hubtest.Connect(t, h)
		grant(t, h, c, "private-a", authz.Grant{Identity: authz.Identity{ID: "ada"}})
		grant(t, h, c, "private-b", authz.Grant{Identity: authz.Identity{ID: "bob"}})
		c.Subscribe("private-a")
		c.Subscribe("private-b")
		c.Take()
		check(t, mine(h).Recheck(t.Context(), channels.Users("bob"), "{x...}"))
		if got := a.take(); len(got) != 1 || got[0].Identity.ID != "bob" || got[0].Channel != "private-b" {
			t.Errorf("the policies were asked %+v, want about bob on private-b", got)
		}
	})
}
