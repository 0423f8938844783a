package protocol

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Info is a set of what a REST request asks about channels.
type Info uint8

// What can be asked for; which of it makes sense is a question of the endpoint and of the channel's kind.
const (
	InfoUserCount         Info = 1 << iota // user_count: users on a presence channel
	InfoSubscriptionCount                  // subscription_count: sockets on the channel
	InfoCache                              // cache: the event a cache channel keeps
)

// Has reports whether all of what is in the set.
func (i Info) Has(what Info) bool { return i&what == what }

// ParseInfo reads an info parameter, names with commas between. "" asks for nothing; a name that is not known is a
// [*RESTError].
func ParseInfo(s string) (Info, error) {
	if s == "" {
		return 0, nil
	}
	var i Info
	for name := range strings.SplitSeq(s, ",") {
		switch strings.TrimSpace(name) {
		case "user_count":
			i |= InfoUserCount
		case "subscription_count":
			i |= InfoSubscriptionCount
		case "cache":
			i |= InfoCache
		default:
			return 0, badRequest("Invalid info parameter: unknown attribute %q, use user_count, subscription_count or cache", name)
		}
	}
	return i, nil
}

// A ChannelState is what an answer says about one channel: the fields that were asked for, the others nil.
type ChannelState struct {
	Occupied          *bool `json:"occupied,omitzero"`           // has at least one socket
	UserCount         *int  `json:"user_count,omitzero"`         // users on a presence channel
	SubscriptionCount *int  `json:"subscription_count,omitzero"` // sockets

	// Cache is the text of a CacheState, or null where nothing is cached.
	Cache jsontext.Value `json:"cache,omitzero"`
}

// A CacheState is the event that a cache channel keeps.
type CacheState struct {
	Data string `json:"data"`
	TTL  int    `json:"ttl"` // seconds left
}

// The bodies of answers. They are for json v2, where a nil map or slice is {} or []: the PHP SDK takes an array in place
// of an object, and the Go SDK null in place of an array, for an error.

// A TriggerResponse answers POST /events: {}, or with info a state for each channel.
type TriggerResponse struct {
	Channels map[string]ChannelState `json:"channels,omitzero"` // nil when there was no info
}

// A BatchResponse answers POST /batch_events: {}, or a state for each event, if only one of them has info.
type BatchResponse struct {
	Batch []ChannelState `json:"batch,omitzero"` // as long as the batch; nil when no event had info
}

// A ChannelsResponse answers GET /channels: the occupied channels.
type ChannelsResponse struct {
	Channels map[string]ChannelState `json:"channels"`
}

// A UsersResponse answers GET /channels/NAME/users: the members' ids.
type UsersResponse struct {
	Users []UserResponse `json:"users"`
}

// A UserResponse is one user of a [UsersResponse].
type UserResponse struct {
	ID string `json:"id"`
}
