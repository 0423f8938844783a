package presence

import (
	"iter"

	"hark/protocol"
)

// A Roster holds the users present on one channel and how many sockets each of them has there. The zero value is
// empty and ready. It is not for concurrent use, and must not be copied once it is in use.
//
// Every method but All takes constant time, however many users there are.
type Roster struct {
	users map[string]*user // nil while nobody has ever been here

	// The users in the order in which they became present. A list rather than a slice, so that leaving a room of
	// thousands does not move the others; the user_ids clients see keep their order.
	first, last *user
}

// A user is present: sockets is at least 1.
type user struct {
	member     protocol.Member
	sockets    int
	prev, next *user
}

// Join counts one more socket of the member's user. If it is the user's first, the user is present from now on with
// this member's user_info and the Diff says so; otherwise the Diff is zero and m.UserInfo is ignored.
// The roster keeps m.UserInfo, which must not be modified afterwards.
func (r *Roster) Join(m protocol.Member) Diff {
	if u := r.users[m.UserID]; u != nil {
		u.sockets++
		return Diff{}
	}
	r.add(m)
	return AddedDiff(m)
}

// Leave counts one socket of the user less. If it was the last, the user is gone and the Diff says so. The Diff is
// zero if the user has other sockets here, and if the user is not present at all.
func (r *Roster) Leave(userID string) Diff {
	u := r.users[userID]
	if u == nil {
		return Diff{}
	}
	u.sockets--
	if u.sockets > 0 {
		return Diff{}
	}
	r.remove(u)
	return RemovedDiff(userID)
}

// Apply makes the roster say what the diff says: an added user is present with the diff's user_info, a removed one is
// not. It is for a copy that follows an authority, which counts the sockets; so Apply does not count, and the same
// diff twice in a row is as good as once. Do not mix it with Join and Leave on one roster.
// The roster keeps the UserInfo of an added member, which must not be modified afterwards.
func (r *Roster) Apply(d Diff) {
	if m, ok := d.Added(); ok {
		if u := r.users[m.UserID]; u != nil {
			u.member = m
			return
		}
		r.add(m)
		return
	}
	if id, ok := d.Removed(); ok {
		if u := r.users[id]; u != nil {
			r.remove(u)
		}
	}
}

// Has reports whether the user is present.
func (r *Roster) Has(userID string) bool { return r.users[userID] != nil }

// Len is the number of users present, each counted once.
func (r *Roster) Len() int { return len(r.users) }

// All yields the members in the order in which they became present. The roster must not be changed while it runs.
func (r *Roster) All() iter.Seq[protocol.Member] {
	return func(yield func(protocol.Member) bool) {
		for u := r.first; u != nil; u = u.next {
			if !yield(u.member) {
				return
			}
		}
	}
}

// add appends a user who is not present yet, with one socket.
func (r *Roster) add(m protocol.Member) {
	if r.users == nil {
		r.users = make(map[string]*user)
	}
	u := &user{member: m, sockets: 1, prev: r.last}
	if r.last == nil {
		r.first = u
	} else {
		r.last.next = u
	}
	r.last = u
	r.users[m.UserID] = u
}

func (r *Roster) remove(u *user) {
	if u.prev == nil {
		r.first = u.next
	} else {
		u.prev.next = u.next
	}
	if u.next == nil {
		r.last = u.prev
	} else {
		u.next.prev = u.prev
	}
	delete(r.users, u.member.UserID)
}
