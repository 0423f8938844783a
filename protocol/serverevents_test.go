package protocol_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"hark/protocol"
)

// The texts are those of the protocol's documentation, byte for byte.
func TestServerEvents(t *testing.T) {
	ada := protocol.Member{UserID: "42", UserInfo: jsontext.Value(`{"name":"Ada"}`)}
	bob := protocol.Member{UserID: "7"}
	for _, c := range []struct {
		name  string
		event protocol.Event
		want  string
	}{
		{"established", protocol.ConnectionEstablished("123456.7890123", 120*time.Second),
			`{"event":"pusher:connection_established","data":"{\"socket_id\":\"123456.7890123\",\"activity_timeout\":120}"}`},
		{"an activity timeout of 0 hangs pusher-js", protocol.ConnectionEstablished("1.2", 10*time.Millisecond),
			`{"event":"pusher:connection_established","data":"{\"socket_id\":\"1.2\",\"activity_timeout\":1}"}`},
		{"ping", protocol.Ping(), `{"event":"pusher:ping","data":"{}"}`},
		{"pong", protocol.Pong(), `{"event":"pusher:pong","data":"{}"}`},
		{"succeeded", protocol.SubscriptionSucceeded("orders"),
			`{"event":"pusher_internal:subscription_succeeded","channel":"orders","data":"{}"}`},
		{"presence", protocol.PresenceSucceeded("presence-room", slices.Values([]protocol.Member{ada, bob}), 2),
			`{"event":"pusher_internal:subscription_succeeded","channel":"presence-room","data":` +
				`"{\"presence\":{\"count\":2,\"ids\":[\"42\",\"7\"],\"hash\":{\"42\":{\"name\":\"Ada\"},\"7\":{}}}}"}`},
		{"presence of nobody", protocol.PresenceSucceeded("presence-room", slices.Values([]protocol.Member(nil)), 0),
			`{"event":"pusher_internal:subscription_succeeded","channel":"presence-room","data":` +
				`"{\"presence\":{\"count\":0,\"ids\":[],\"hash\":{}}}"}`},
		{"added", protocol.MemberAdded("presence-room", ada),
			`{"event":"pusher_internal:member_added","channel":"presence-room","data":` +
				`"{\"user_id\":\"42\",\"user_info\":{\"name\":\"Ada\"}}"}`},
		{"added without info", protocol.MemberAdded("presence-room", bob),
			`{"event":"pusher_internal:member_added","channel":"presence-room","data":"{\"user_id\":\"7\",\"user_info\":{}}"}`},
		{"removed", protocol.MemberRemoved("presence-room", "42"),
			`{"event":"pusher_internal:member_removed","channel":"presence-room","data":"{\"user_id\":\"42\"}"}`},
	} {
		if got := string(c.event.Frame().JSON()); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

// Ids 0, 1, 2 and ids that need escapes must come out as the keys of an object, in Java's parser as in any other.
func TestPresenceHash(t *testing.T) {
	ids := []string{"0", "1", "2", `a"b\`, "é🎈", "\n"}
	members := func(yield func(protocol.Member) bool) {
		for _, id := range ids {
			if !yield(protocol.Member{UserID: id}) {
				return
			}
		}
	}
	_, channel, data := readBack(t, protocol.PresenceSucceeded("presence-a", members, -1).Frame())
	var got struct {
		Presence struct {
			Count int
			IDs   []string
			Hash  map[string]map[string]any
		}
	}
	if err := json.Unmarshal([]byte(data), &got); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	if channel != "presence-a" || got.Presence.Count != len(ids) || !slices.Equal(got.Presence.IDs, ids) {
		t.Errorf("presence on %s = %+v, want the ids %q", channel, got.Presence, ids)
	}
	for _, id := range ids {
		if info, ok := got.Presence.Hash[id]; !ok || info == nil {
			t.Errorf("hash has no object for %q: %s", id, data)
		}
	}
}
