package main

import (
	"fmt"
	"testing"

	"hark/authz"
	"hark/channels/redisbroker/redistest"
)

// join subscribes to a presence channel as a user, and waits for the success, with those who are there.
func (c *tab) join(channel, user, there string) {
	c.t.Helper()
	data := fmt.Sprintf(`{"user_id":%q}`, user)
	c.say("pusher:subscribe", "", fmt.Sprintf(`{"channel":%q,"auth":%q,"channel_data":%q}`, channel, c.key.ChannelAuth(c.id, channel, data, true), data))
	c.expect(channel + " pusher_internal:subscription_succeeded " + there)
}

// Of two servers that share a Redis one is told to end: its clients are sent to the other, where nobody hears that they have
// been away.
func TestEndHandsOver(t *testing.T) {
	redis := redistest.Start(t, redistest.Options{}) // outlives the servers
	file := `
redis: redis://` + redis.Addr() + `
apps:
  - id: 1
    keys: [{key: key-1, secret: secret-1}]
`
	key := authz.Key{Key: "key-1", Secret: "secret-1"}
	stays, ends := serveFile(t, file, nil), serveFile(t, file, nil)
	stays.await("Redis can be reached")
	ends.await("Redis can be reached")
	watcher, _ := stays.open(key, "", nil)
	watcher.join("presence-room", "eve", `{"presence":{"count":1,"ids":["eve"],"hash":{"eve":{}}}}`)
	ada, _ := ends.open(key, "", nil)
	ada.join("presence-room", "ada", `{"presence":{"count":2,"ids":["eve","ada"],"hash":{"eve":{},"ada":{}}}}`)
	watcher.expect(`presence-room pusher_internal:member_added {"user_id":"ada","user_info":{}}`)

	ends.end()
	if code := ada.closed(); code != 4200 {
		t.Errorf("closed with %d, want 4200", code)
	}
	<-ends.ended
	back, _ := stays.open(key, "", nil)
	back.join("presence-room", "ada", `{"presence":{"count":2,"ids":["eve","ada"],"hash":{"eve":{},"ada":{}}}}`)
	if status, answer := stays.rest(key, "/apps/1/events", `{"name":"e","channel":"presence-room","data":"x"}`); status != 200 {
		t.Fatalf("%d %s", status, answer)
	}
	watcher.expect("presence-room e x")
	back.expect("presence-room e x")
}
