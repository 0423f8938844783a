package presence_test

import (
	"slices"
	"strconv"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"hark/presence"
	"hark/protocol"
)

func member(id, info string) protocol.Member {
	return protocol.Member{UserID: id, UserInfo: jsontext.Value(info)}
}

// describe puts a diff into words, so that a failure can be read.
func describe(d presence.Diff) string {
	m, added := d.Added()
	id, removed := d.Removed()
	switch {
	case added && removed:
		return "both added and removed"
	case added:
		return "+" + m.UserID + " " + string(m.UserInfo)
	case removed:
		return "-" + id
	case d.IsZero():
		return ""
	default:
		return "neither added, removed nor zero"
	}
}

func all(r *presence.Roster) []string {
	var s []string
	for m := range r.All() {
		s = append(s, m.UserID+" "+string(m.UserInfo))
	}
	return s
}

func TestRoster(t *testing.T) {
	type step struct {
		join, leave string // a user id
		info        string
		want        string // the diff
	}
	tests := []struct {
		name, why string
		steps     []step
		want      []string
	}{
		{
			name: "second tab",
			why:  "member_added on 0->1 and member_removed on 1->0 only",
			steps: []step{
				{join: "42", info: `{"tab":1}`, want: `+42 {"tab":1}`},
				{join: "42", info: `{"tab":2}`},
				{leave: "42"},
				{leave: "42", want: "-42"},
			},
		},
		{
			name: "the first socket's info stays when that socket goes",
			why:  "everybody was told the first user_info, nobody is told another until the user is gone",
			steps: []step{
				{join: "42", info: `{"tab":1}`, want: `+42 {"tab":1}`},
				{join: "42", info: `{"tab":2}`},
				{leave: "42"},
			},
			want: []string{`42 {"tab":1}`},
		},
		{
			name: "back with new info",
			why:  "after 1->0 the next socket makes the user present anew",
			steps: []step{
				{join: "42", info: `{"v":1}`, want: `+42 {"v":1}`},
				{join: "7", info: `{}`, want: `+7 {}`},
				{leave: "42", want: "-42"},
				{join: "42", info: `{"v":2}`, want: `+42 {"v":2}`},
			},
			want: []string{`7 {}`, `42 {"v":2}`},
		},
		{
			name: "leave of nobody",
			why:  "a leave that arrives twice must not tell anybody anything",
			steps: []step{
				{leave: "42"},
				{join: "42", want: "+42 "},
				{leave: "7"},
				{leave: "42", want: "-42"},
				{leave: "42"},
				{join: "42", want: "+42 "},
			},
			want: []string{"42 "},
		},
		{
			name: "order of joining",
			why:  "the ids of subscription_succeeded do not jump about when someone in the middle leaves",
			steps: []step{
				{join: "a", want: "+a "}, {join: "b", want: "+b "}, {join: "c", want: "+c "}, {join: "d", want: "+d "},
				{join: "a"},
				{leave: "b", want: "-b"},
				{leave: "d", want: "-d"},
				{join: "b", want: "+b "},
			},
			want: []string{"a ", "c ", "b "},
		},
		{
			name: "ids are text",
			why:  "42 and 042 are two users, and a large number is not rounded",
			steps: []step{
				{join: "9007199254740993", want: "+9007199254740993 "},
				{join: "9007199254740992", want: "+9007199254740992 "},
				{join: "042", want: "+042 "},
				{join: "42", want: "+42 "},
			},
			want: []string{"9007199254740993 ", "9007199254740992 ", "042 ", "42 "},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var r presence.Roster
			for i, s := range tt.steps {
				var got string
				if s.join != "" {
					got = describe(r.Join(member(s.join, s.info)))
				} else {
					got = describe(r.Leave(s.leave))
				}
				if got != s.want {
					t.Errorf("step %d (%+v): diff %q, want %q: %s", i, s, got, s.want, tt.why)
				}
			}
			if diff := cmp.Diff(tt.want, all(&r)); diff != "" {
				t.Errorf("All() (-want +got): %s\n%s", tt.why, diff)
			}
			if r.Len() != len(tt.want) {
				t.Errorf("Len() = %d, want %d", r.Len(), len(tt.want))
			}
		})
	}
}

func TestZeroRoster(t *testing.T) {
	t.Parallel()
	var r presence.Roster
	if r.Len() != 0 || r.Has("42") || r.Has("") || all(&r) != nil {
		t.Errorf("zero Roster: Len %d, Has %v, All %q; want an empty one", r.Len(), r.Has("42"), all(&r))
	}
	r.Apply(presence.Diff{})
	r.Apply(presence.RemovedDiff("42"))
	if d := r.Leave("42"); !d.IsZero() || r.Len() != 0 {
		t.Errorf("Leave on a zero Roster = %q and Len %d, want nothing", describe(d), r.Len())
	}
}

func TestAllStops(t *testing.T) {
	t.Parallel()
	var r presence.Roster
	for _, id := range []string{"a", "b", "c"} {
		r.Join(member(id, ""))
	}
	var got []string
	for m := range r.All() {
		got = append(got, m.UserID)
		if m.UserID == "b" {
			break
		}
	}
	if !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("All() broken off at b yielded %q", got)
	}
}

func TestApply(t *testing.T) {
	t.Parallel()
	var r presence.Roster
	steps := []struct {
		name string
		diff presence.Diff
		want []string
	}{
		{"added", presence.AddedDiff(member("a", "1")), []string{"a 1"}},
		{"added again", presence.AddedDiff(member("a", "1")), []string{"a 1"}},
		{"another", presence.AddedDiff(member("b", "2")), []string{"a 1", "b 2"}},
		{"the diff's info counts", presence.AddedDiff(member("a", "3")), []string{"a 3", "b 2"}},
		{"nothing", presence.Diff{}, []string{"a 3", "b 2"}},
		{"removed, however often added", presence.RemovedDiff("a"), []string{"b 2"}},
		{"removed again", presence.RemovedDiff("a"), []string{"b 2"}},
		{"nobody left", presence.RemovedDiff("b"), nil},
		{"anew", presence.AddedDiff(member("b", "4")), []string{"b 4"}},
	}
	for _, s := range steps {
		r.Apply(s.diff)
		if got := all(&r); !slices.Equal(got, s.want) {
			t.Errorf("%s: All() = %q, want %q", s.name, got, s.want)
		}
	}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	tests := []struct {
		diff presence.Diff
		want string
		zero bool
	}{
		{presence.Diff{}, "", true},
		{presence.AddedDiff(member("42", `{"name":"Ada"}`)), `+42 {"name":"Ada"}`, false},
		{presence.RemovedDiff("42"), "-42", false},
	}
	for _, tt := range tests {
		if got := describe(tt.diff); got != tt.want || tt.diff.IsZero() != tt.zero {
			t.Errorf("%+v: %q, zero %v; want %q, zero %v", tt.diff, got, tt.diff.IsZero(), tt.want, tt.zero)
		}
	}
}

// One user comes and goes in rooms of two sizes: the cost must not depend on who else is there.
func BenchmarkJoinLeave(b *testing.B) {
	for _, size := range []int{100, 10_000} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			var r presence.Roster
			for i := range size {
				r.Join(member(strconv.Itoa(i), ""))
			}
			m := member("guest", "")
			b.ReportAllocs()
			for b.Loop() {
				r.Join(m)
				r.Leave(m.UserID)
			}
		})
	}
}

// The whole room leaves, first come first gone: the worst order for a roster that keeps its users in a slice.
func BenchmarkEmptyRoom(b *testing.B) {
	ids := make([]string, 10_000)
	for i := range ids {
		ids[i] = strconv.Itoa(i)
	}
	b.ReportAllocs()
	for b.Loop() {
		var r presence.Roster
		for _, id := range ids {
			r.Join(member(id, ""))
		}
		for _, id := range ids {
			r.Leave(id)
		}
	}
}
