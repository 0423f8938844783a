package presence_test

import (
	"fmt"

	"hark/presence"
	"hark/protocol"
)

func ExampleRoster() {
	var r presence.Roster
	tell := func(d presence.Diff) {
		if m, ok := d.Added(); ok {
			fmt.Printf("member_added %s, %d here\n", m.UserID, r.Len())
		}
		if id, ok := d.Removed(); ok {
			fmt.Printf("member_removed %s, %d here\n", id, r.Len())
		}
	}
	tell(r.Join(protocol.Member{UserID: "ada"}))
	tell(r.Join(protocol.Member{UserID: "ada"})) // a second tab
	tell(r.Join(protocol.Member{UserID: "bob"}))
	tell(r.Leave("ada"))
	tell(r.Leave("ada"))
	// Output:
	// member_added ada, 1 here
	// member_added bob, 2 here
	// member_removed ada, 1 here
}

// A copy follows the authority's diffs; one that arrives twice does no harm.
func ExampleRoster_Apply() {
	var authority, follower presence.Roster
	d := authority.Join(protocol.Member{UserID: "ada"})
	follower.Apply(d)
	follower.Apply(d)
	follower.Apply(authority.Join(protocol.Member{UserID: "bob"}))
	follower.Apply(authority.Leave("ada"))
	for m := range follower.All() {
		fmt.Println(m.UserID)
	}
	// Output:
	// bob
}
