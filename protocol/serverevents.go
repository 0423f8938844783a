package protocol

import (
	"iter"
	"strconv"
	"time"
)

// The names of the protocol's own events. Nobody else may use their prefixes.
const (
	// Server to client, about the connection.
	EventConnectionEstablished = "pusher:connection_established"
	EventError                 = "pusher:error"
	EventSigninSuccess         = "pusher:signin_success"
	EventWatchlist             = "pusher_internal:watchlist_events"

	// Either way.
	EventPing = "pusher:ping"
	EventPong = "pusher:pong"

	// Server to client, about a channel.
	EventSubscriptionSucceeded = "pusher_internal:subscription_succeeded"
	EventSubscriptionError     = "pusher:subscription_error"
	EventSubscriptionCount     = "pusher_internal:subscription_count"
	EventMemberAdded           = "pusher_internal:member_added"
	EventMemberRemoved         = "pusher_internal:member_removed"
	EventCacheMiss             = "pusher:cache_miss"

	// Client to server.
	EventSubscribe   = "pusher:subscribe"
	EventUnsubscribe = "pusher:unsubscribe"
	EventSignin      = "pusher:signin"
)

// noData is what an event has for data that has nothing to say: the Swift client takes a channel for subscribed, and the
// Java client does not throw, only if data is there.
const noData = "{}"

// ConnectionEstablished must be the first message on every connection. activity is how long the client may hear nothing before
// it asks with a ping; it is sent in whole seconds and never as 0, with which pusher-js would hang.
func ConnectionEstablished(id SocketID, activity time.Duration) Event {
	data := append([]byte(nil), `{"socket_id":`...)
	data = appendQuoted(data, validUTF8(string(id)))
	data = append(data, `,"activity_timeout":`...)
	data = strconv.AppendInt(data, max(1, int64(activity/time.Second)), 10)
	return Event{Name: EventConnectionEstablished, Data: string(append(data, '}'))}
}

// CacheMiss tells a socket that has come to a cache channel that no event is
// kept there. The Java client reads the data, so there is one.
func CacheMiss(channel string) Event {
	return Event{Name: EventCacheMiss, Channel: channel, Data: "{}"}
}

// SubscriptionCount tells those on a channel how many sockets there are.
func SubscriptionCount(channel string, sockets int) Event {
	return Event{Name: EventSubscriptionCount, Channel: channel,
		Data: `{"subscription_count":` + strconv.Itoa(sockets) + `}`}
}

// Ping asks a silent client whether it is there.
func Ping() Event { return Event{Name: EventPing, Data: noData} }

// Pong answers a client's ping.
func Pong() Event { return Event{Name: EventPong, Data: noData} }

// SubscriptionSucceeded tells a socket that it is on a channel that has no members.
func SubscriptionSucceeded(channel string) Event {
	return Event{Name: EventSubscriptionSucceeded, Channel: channel, Data: noData}
}

// PresenceSucceeded tells a socket that it is on a presence channel, and who else is: the members, itself included, each
// user once. n is how many there are to come; the count sent is that of those that came.
//
//	{"presence":{"count":2,"ids":["42","7"],"hash":{"42":{"name":"Ada"},"7":{}}}}
func PresenceSucceeded(channel string, members iter.Seq[Member], n int) Event {
	const perID, perMember = 16, 64 // a first guess at the room that is needed
	ids := make([]byte, 0, max(0, n)*perID)
	hash := make([]byte, 0, max(0, n)*perMember)
	count := 0
	for m := range members {
		if count > 0 {
			ids = append(ids, ',')
			hash = append(hash, ',')
		}
		id := validUTF8(m.UserID)
		ids = appendQuoted(ids, id)
		hash = appendQuoted(hash, id)
		hash = append(hash, ':')
		hash = m.appendInfo(hash)
		count++
	}
	data := make([]byte, 0, len(ids)+len(hash)+64)
	data = append(data, `{"presence":{"count":`...)
	data = strconv.AppendInt(data, int64(count), 10)
	data = append(data, `,"ids":[`...)
	data = append(data, ids...)
	data = append(data, `],"hash":{`...)
	data = append(data, hash...)
	return Event{Name: EventSubscriptionSucceeded, Channel: channel, Data: string(append(data, `}}}`...))}
}

// MemberAdded tells the others on a presence channel that a user came.
func MemberAdded(channel string, m Member) Event {
	data := append([]byte(nil), `{"user_id":`...)
	data = appendQuoted(data, validUTF8(m.UserID))
	data = append(data, `,"user_info":`...)
	data = m.appendInfo(data)
	return Event{Name: EventMemberAdded, Channel: channel, Data: string(append(data, '}'))}
}

// MemberRemoved tells those on a presence channel that a user's last socket has left.
func MemberRemoved(channel, userID string) Event {
	data := append([]byte(nil), `{"user_id":`...)
	data = appendQuoted(data, validUTF8(userID))
	return Event{Name: EventMemberRemoved, Channel: channel, Data: string(append(data, '}'))}
}
