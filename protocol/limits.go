package protocol

import "math"

// Limits bound what one app's clients and backend may ask for. In each field 0 means the default and a negative number
// no limit. The last value that a limit names is accepted, the next one is refused.
//
// Pusher: https://pusher.com/docs/channels/server_api/http-api/ and …/using_channels/presence-channels/#limitations
type Limits struct {
	ChannelName     int // characters in a channel's name; default 164
	EventName       int // characters in an event's name; default 200
	EventData       int // bytes in an event's data, decoded; default 10 240
	TriggerChannels int // channels in one trigger; default 100
	BatchEvents     int // events in one batch; default 10
	Members         int // users on one presence channel, not sockets; default 100
	UserInfo        int // bytes in a member's user_info, as sent; default 1 024
	UserID          int // characters in a user's id; default 128
	ClientEvents    int // client events a second and socket; default 10
	Message         int // bytes in one message from a client; default 65 536
	Watchlist       int // users that one signed-in user watches; default 100
	Channels        int // channels one socket subscribes to; default 1 000
	Connections     int // sockets of the app at one time, on each node; default no limit
	RESTBody        int // bytes in one REST request's body; default 1 MiB
}

// WithDefaults returns l with every default filled in and "no limit" as math.MaxInt, so that callers only compare.
// Doing it twice changes nothing.
func (l Limits) WithDefaults() Limits {
	return Limits{
		ChannelName:     limit(l.ChannelName, 164),
		EventName:       limit(l.EventName, 200),
		EventData:       limit(l.EventData, 10240),
		TriggerChannels: limit(l.TriggerChannels, 100),
		BatchEvents:     limit(l.BatchEvents, 10),
		Members:         limit(l.Members, 100),
		UserInfo:        limit(l.UserInfo, 1024),
		UserID:          limit(l.UserID, 128),
		ClientEvents:    limit(l.ClientEvents, 10),
		Message:         limit(l.Message, 64<<10),
		Watchlist:       limit(l.Watchlist, 100),
		Channels:        limit(l.Channels, 1000),
		Connections:     limit(l.Connections, math.MaxInt),
		RESTBody:        limit(l.RESTBody, 1<<20),
	}
}

func limit(n, byDefault int) int {
	switch {
	case n == 0:
		return byDefault
	case n < 0:
		return math.MaxInt
	}
	return n
}
