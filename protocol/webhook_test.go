package protocol_test

import (
	"testing"

	"github.com/go-json-experiment/json"

	"hark/protocol"
)

func TestWebhookBody(t *testing.T) {
	for _, c := range []struct {
		event protocol.WebhookEvent
		want  string
	}{
		{protocol.WebhookEvent{Name: protocol.WebhookChannelOccupied, Channel: "orders"},
			`{"name":"channel_occupied","channel":"orders"}`},
		{protocol.WebhookEvent{Name: protocol.WebhookChannelVacated, Channel: "orders"},
			`{"name":"channel_vacated","channel":"orders"}`},
		{protocol.WebhookEvent{Name: protocol.WebhookMemberAdded, Channel: "presence-room", UserID: "42"},
			`{"name":"member_added","channel":"presence-room","user_id":"42"}`},
		{protocol.WebhookEvent{Name: protocol.WebhookMemberRemoved, Channel: "presence-room", UserID: "42"},
			`{"name":"member_removed","channel":"presence-room","user_id":"42"}`},
		{protocol.WebhookEvent{Name: protocol.WebhookClientEvent, Channel: "presence-room", Event: "client-typing",
			Data: new(`{"on":true}`), SocketID: "123456.7890123", UserID: "42"},
			`{"name":"client_event","channel":"presence-room","event":"client-typing","data":"{\"on\":true}",` +
				`"socket_id":"123456.7890123","user_id":"42"}`},
		{protocol.WebhookEvent{Name: protocol.WebhookClientEvent, Channel: "private-a", Event: "client-x",
			Data: new(""), SocketID: "1.1"},
			`{"name":"client_event","channel":"private-a","event":"client-x","data":"","socket_id":"1.1"}`},
		{protocol.WebhookEvent{Name: protocol.WebhookCacheMiss, Channel: "cache-x"}, `{"name":"cache_miss","channel":"cache-x"}`},
		{protocol.WebhookEvent{Name: protocol.WebhookSubscriptionCount, Channel: "orders", SubscriptionCount: new(0)},
			`{"name":"subscription_count","channel":"orders","subscription_count":0}`},
	} {
		got, err := json.Marshal(protocol.WebhookBody{TimeMS: 1700000000123, Events: []protocol.WebhookEvent{c.event}})
		want := `{"time_ms":1700000000123,"events":[` + c.want + `]}`
		if err != nil || string(got) != want {
			t.Errorf("%s:\n got %s, %v\nwant %s", c.event.Name, got, err, want)
		}
	}
}
