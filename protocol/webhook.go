package protocol

// The names of what webhooks tell.
const (
	WebhookChannelOccupied   = "channel_occupied"   // a channel's first socket came
	WebhookChannelVacated    = "channel_vacated"    // its last one left
	WebhookMemberAdded       = "member_added"       // a user's first socket came to a presence channel
	WebhookMemberRemoved     = "member_removed"     // their last one left
	WebhookClientEvent       = "client_event"       // a client event was accepted
	WebhookCacheMiss         = "cache_miss"         // a socket found a cache channel empty
	WebhookSubscriptionCount = "subscription_count" // the number of sockets on a channel changed
)

// A WebhookBody is the body of one POST to an application. The signature covers its bytes as sent, so encode it once.
//
// Pusher: https://pusher.com/docs/channels/server_api/webhooks/
type WebhookBody struct {
	TimeMS int64          `json:"time_ms"` // milliseconds since 1970, of the first attempt; SDKs refuse what is 300 s old
	Events []WebhookEvent `json:"events"`  // in the order in which they happened on each channel
}

// A WebhookEvent is one thing that happened on a channel. Name and Channel are always there, the rest goes by the name.
type WebhookEvent struct {
	Name              string   `json:"name"`
	Channel           string   `json:"channel"`
	Event             string   `json:"event,omitzero"`              // client_event: its name
	Data              *string  `json:"data,omitzero"`               // client_event: its data, a string, "" too
	SocketID          SocketID `json:"socket_id,omitzero"`          // client_event: who sent it
	UserID            string   `json:"user_id,omitzero"`            // member_*; client_event on a presence channel
	SubscriptionCount *int     `json:"subscription_count,omitzero"` // subscription_count: sockets, 0 too
}
