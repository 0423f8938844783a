package presence

import "hark/protocol"

// A Diff is what one step changed in a [Roster]: a user was added, a user was removed, or (the zero value) nothing
// that anybody has to be told. It is a value; the UserInfo of its member is shared and must not be modified.
type Diff struct {
	change change
	member protocol.Member // of a removed user only the UserID
}

type change uint8

const (
	nothing change = iota
	added
	removed
)

// AddedDiff says that the user became present with this user_info. A broker that keeps its rosters elsewhere builds
// its diffs with it.
func AddedDiff(m protocol.Member) Diff { return Diff{change: added, member: m} }

// RemovedDiff says that the user's last socket has left.
func RemovedDiff(userID string) Diff {
	return Diff{change: removed, member: protocol.Member{UserID: userID}}
}

// Added returns the member that became present; false if the Diff does not add one.
func (d Diff) Added() (protocol.Member, bool) {
	if d.change != added {
		return protocol.Member{}, false
	}
	return d.member, true
}

// Removed returns the id of the user who is gone; false if the Diff does not remove one.
func (d Diff) Removed() (userID string, ok bool) {
	if d.change != removed {
		return "", false
	}
	return d.member.UserID, true
}

// IsZero reports whether nothing happened that anybody has to be told.
func (d Diff) IsZero() bool { return d.change == nothing }
