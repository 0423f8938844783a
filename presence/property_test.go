package presence_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"hark/presence"
	"hark/protocol"
)

// A room is the naive model: every live socket in a list, counted anew each time. The member who made a user present
// stands in members until no socket of that user is left.
type room struct {
	sockets []socket
	members []protocol.Member
}

type socket struct{ node, user string }

func (m *room) count(user string) (n int) {
	for _, s := range m.sockets {
		if s.user == user {
			n++
		}
	}
	return n
}

// join returns the diff, in words, that the authority must report.
func (m *room) join(node string, who protocol.Member) string {
	first := m.count(who.UserID) == 0
	m.sockets = append(m.sockets, socket{node, who.UserID})
	if !first {
		return ""
	}
	m.members = append(m.members, who)
	return describe(presence.AddedDiff(who))
}

func (m *room) leave(i int) (user, diff string) {
	user = m.sockets[i].user
	m.sockets = slices.Delete(m.sockets, i, i+1)
	if m.count(user) > 0 {
		return user, ""
	}
	m.members = slices.DeleteFunc(m.members, func(who protocol.Member) bool { return who.UserID == user })
	return user, describe(presence.RemovedDiff(user))
}

// TestRosterAgainstModel lets sockets of a few users come and go on a few nodes, one by one and a whole node at a
// time. The authority must agree with the model after every step; a follower that only ever sees the diffs, some of
// them twice, must agree with the authority.
func TestRosterAgainstModel(t *testing.T) {
	t.Parallel()
	users := rapid.SampledFrom([]string{"1", "2", "42", "042", "ada", "é"})
	nodes := rapid.SampledFrom([]string{"n1", "n2", "n3"})
	infos := rapid.SampledFrom([]string{"", `{}`, `{"tab":1}`, `{"tab":2}`})

	rapid.Check(t, func(t *rapid.T) {
		var model room
		var authority, follower presence.Roster
		added := map[string]int{} // diffs that added the user, less those that removed: must stay 0 or 1

		step := func(what string, got presence.Diff, want string) {
			if describe(got) != want {
				t.Fatalf("%s: diff %q, want %q", what, describe(got), want)
			}
			if m, ok := got.Added(); ok {
				added[m.UserID]++
			}
			if id, ok := got.Removed(); ok {
				added[id]--
			}
			if got.IsZero() {
				return
			}
			follower.Apply(got)
			if rapid.Bool().Draw(t, "delivered twice") {
				follower.Apply(got)
			}
		}
		leave := func(i int) {
			user, want := model.leave(i)
			step("leave "+user, authority.Leave(user), want)
		}

		t.Repeat(map[string]func(*rapid.T){
			"join": func(t *rapid.T) {
				who := member(users.Draw(t, "user"), infos.Draw(t, "info"))
				step("join "+who.UserID, authority.Join(who), model.join(nodes.Draw(t, "node"), who))
			},
			"leave": func(t *rapid.T) {
				if n := len(model.sockets); n > 0 {
					leave(rapid.IntRange(0, n-1).Draw(t, "socket"))
				}
			},
			"leave of an unknown user": func(t *rapid.T) {
				if user := users.Draw(t, "user"); model.count(user) == 0 {
					step("unknown leave "+user, authority.Leave(user), "")
				}
			},
			"node dies": func(t *rapid.T) {
				node := nodes.Draw(t, "node")
				for i := len(model.sockets) - 1; i >= 0; i-- {
					if model.sockets[i].node == node {
						leave(i)
					}
				}
			},
			"": func(t *rapid.T) {
				agree(t, "authority", &authority, &model)
				agree(t, "follower", &follower, &model)
				for user, n := range added {
					if present := n == 1; n < 0 || n > 1 || present != authority.Has(user) {
						t.Fatalf("%s was added %d times more than removed, present: %v", user, n, authority.Has(user))
					}
				}
			},
		})
	})
}

// agree fails unless the roster holds the model's members, in its order, with their info.
func agree(t *rapid.T, name string, r *presence.Roster, m *room) {
	t.Helper()
	var want []string
	for _, who := range m.members {
		want = append(want, who.UserID+" "+string(who.UserInfo))
		if !r.Has(who.UserID) {
			t.Fatalf("%s: Has(%q) = false, want true", name, who.UserID)
		}
	}
	if got := all(r); !slices.Equal(got, want) {
		t.Fatalf("%s: All() = %q, want %q", name, got, want)
	}
	if r.Len() != len(m.members) {
		t.Fatalf("%s: Len() = %d, want %d distinct users", name, r.Len(), len(m.members))
	}
	if r.Has("nobody") {
		t.Fatalf("%s: Has(nobody) = true", name)
	}
}
