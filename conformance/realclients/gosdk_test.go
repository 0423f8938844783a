package realclients

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/pusher/pusher-http-go/v5"
)

// masterKey encrypts the channels of tests, base64 of 32 bytes.
const masterKey = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// join subscribes a socket to a channel, authorized by the Go SDK where that is needed.
func (s *server) join(c *client, channel, user string) {
	c.t.Helper()
	data := map[string]string{"channel": channel}
	form := []byte(url.Values{"socket_id": {c.ID}, "channel_name": {channel}}.Encode())
	var answer []byte
	var err error
	switch {
	case strings.HasPrefix(channel, "presence-"):
		member := pusher.MemberData{UserID: user, UserInfo: map[string]string{"name": user}}
		answer, err = s.sdk.AuthorizePresenceChannel(form, member)
	case strings.HasPrefix(channel, "private-"):
		answer, err = s.sdk.AuthorizePrivateChannel(form)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	if answer != nil {
		if err := json.Unmarshal(answer, &data); err != nil {
			c.t.Fatal(err)
		}
		delete(data, "shared_secret") // which is for the client only
	}
	c.subscribe(data)
}

func TestGoSDKTriggers(t *testing.T) {
	s := serve(t)
	c := s.dial(t)
	s.join(c, "orders", "")
	s.join(c, "private-orders", "")
	other := s.dial(t)
	s.join(other, "orders", "")

	if err := s.sdk.Trigger("orders", "App\\Events\\OrderPaid", map[string]any{"id": 7, "who": "Zoë <b>"}); err != nil {
		t.Fatal(err)
	}
	c.expect(`App\Events\OrderPaid`, "orders", `{"id":7,"who":"Zoë \u003cb\u003e"}`) // as encoding/json writes it
	if err := s.sdk.TriggerMulti([]string{"orders", "private-orders"}, "both", "plain text"); err != nil {
		t.Fatal(err)
	}
	// There is no order between channels, so each has its turn in a map.
	got := map[string]string{}
	for range 2 {
		e := c.Next()
		got[e.Channel] = c.Text(e)
	}
	if diff := cmp.Diff(map[string]string{"orders": "plain text", "private-orders": "plain text"}, got); diff != "" {
		t.Errorf("TriggerMulti (-want +got):\n%s", diff)
	}

	// Not to the socket that is named, and to it again after.
	if _, err := s.sdk.TriggerWithParams("orders", "others", "", pusher.TriggerParams{SocketID: &c.ID}); err != nil {
		t.Fatal(err)
	}
	if err := s.sdk.Trigger("orders", "all", ""); err != nil {
		t.Fatal(err)
	}
	c.expect("all", "orders", "")
	other.expect(`App\Events\OrderPaid`, "orders", `{"id":7,"who":"Zoë \u003cb\u003e"}`)
	other.expect("both", "orders", "plain text")
	other.expect("others", "orders", "")
	other.expect("all", "orders", "")
}

func TestGoSDKBatch(t *testing.T) {
	s := serve(t)
	c := s.dial(t)
	s.join(c, "orders", "")
	s.join(c, "presence-room", "ada")

	plain, err := s.sdk.TriggerBatch([]pusher.Event{
		{Channel: "orders", Name: "first", Data: map[string]int{"n": 1}},
		{Channel: "orders", Name: "second", Data: "2"},
	})
	if err != nil || len(plain.Batch) != 0 {
		t.Fatalf("TriggerBatch: %+v, %v", plain, err)
	}
	c.expect("first", "orders", `{"n":1}`)
	c.expect("second", "orders", "2")

	info := "user_count,subscription_count"
	counted, err := s.sdk.TriggerBatch([]pusher.Event{
		{Channel: "presence-room", Name: "e", Data: "", Info: &info},
		{Channel: "orders", Name: "e", Data: ""},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []pusher.TriggerBatchChannelListItem{{UserCount: new(1), SubscriptionCount: new(1)}, {}}
	if diff := cmp.Diff(want, counted.Batch); diff != "" {
		t.Errorf("TriggerBatch with info (-want +got):\n%s", diff)
	}
}

func TestGoSDKQueries(t *testing.T) {
	s := serve(t)
	for _, user := range []string{"ada", "ada", "bob"} {
		s.join(s.dial(t), "presence-room", user)
	}
	s.join(s.dial(t), "orders", "")

	prefix, userCount, both := "presence-", "user_count", "user_count,subscription_count"
	list, err := s.sdk.Channels(pusher.ChannelsParams{FilterByPrefix: &prefix, Info: &userCount})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]pusher.ChannelListItem{"presence-room": {UserCount: 2}}, list.Channels); diff != "" {
		t.Errorf("Channels (-want +got):\n%s", diff)
	}
	all, err := s.sdk.Channels(pusher.ChannelsParams{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]pusher.ChannelListItem{"presence-room": {}, "orders": {}}, all.Channels); diff != "" {
		t.Errorf("all Channels (-want +got):\n%s", diff)
	}

	for _, want := range []pusher.Channel{
		{Name: "presence-room", Occupied: true, UserCount: 2, SubscriptionCount: 3},
		{Name: "presence-nobody"},
	} {
		got, err := s.sdk.Channel(want.Name, pusher.ChannelParams{Info: &both})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, *got); diff != "" {
			t.Errorf("Channel %s (-want +got):\n%s", want.Name, diff)
		}
	}
	users, err := s.sdk.GetChannelUsers("presence-room")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]pusher.User{{ID: "ada"}, {ID: "bob"}}, users.List); diff != "" {
		t.Errorf("GetChannelUsers (-want +got):\n%s", diff)
	}
	counts, err := s.sdk.TriggerMultiWithParams([]string{"presence-room", "orders"}, "e", "", pusher.TriggerParams{Info: &both})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]pusher.TriggerChannelListItem{
		"presence-room": {UserCount: new(2), SubscriptionCount: new(3)},
		"orders":        {SubscriptionCount: new(1)},
	}
	if diff := cmp.Diff(want, counts.Channels); diff != "" {
		t.Errorf("TriggerMultiWithParams with info (-want +got):\n%s", diff)
	}
}

func (s *server) signin(c *client, user string) {
	c.t.Helper()
	form := []byte(url.Values{"socket_id": {c.ID}}.Encode())
	answer, err := s.sdk.AuthenticateUser(form, map[string]any{"id": user, "user_info": map[string]string{"name": user}})
	if err != nil {
		c.t.Fatal(err)
	}
	c.signin(answer, user)
}

// The Go SDK cannot terminate connections; the other SDKs' requests for it are in their tests.
func TestGoSDKUsers(t *testing.T) {
	s := serve(t)
	tabs := []*client{s.dial(t), s.dial(t)}
	bob := s.dial(t)
	for _, c := range tabs {
		s.signin(c, "ada")
	}
	s.signin(bob, "bob")
	for _, to := range []string{"ada", "bob"} {
		if err := s.sdk.SendToUser(to, "mail", map[string]string{"to": to}); err != nil {
			t.Fatal(err)
		}
		if to == "ada" { // who has both before anything goes to bob
			for _, c := range tabs {
				c.expect("mail", "#server-to-user-ada", `{"to":"ada"}`)
			}
		}
	}
	bob.expect("mail", "#server-to-user-bob", `{"to":"bob"}`)

	// Signed by AuthorizePrivateChannel there is no channel_data, so that the member is who has signed in.
	form := []byte(url.Values{"socket_id": {bob.ID}, "channel_name": {"presence-room"}}.Encode())
	answer, err := s.sdk.AuthorizePrivateChannel(form)
	if err != nil {
		t.Fatal(err)
	}
	data := map[string]string{"channel": "presence-room"}
	if err := json.Unmarshal(answer, &data); err != nil {
		t.Fatal(err)
	}
	bob.subscribe(data)
	users, err := s.sdk.GetChannelUsers("presence-room")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]pusher.User{{ID: "bob"}}, users.List); diff != "" {
		t.Errorf("GetChannelUsers (-want +got):\n%s", diff)
	}
}

// What the SDK encrypts is carried as it is, to those who are there and, from a cache, to those who come.
func TestGoSDKEncrypted(t *testing.T) {
	s := serve(t)
	s.sdk.EncryptionMasterKeyBase64 = masterKey
	for _, channel := range []string{"private-encrypted-mail", "private-encrypted-cache-mail"} {
		first, second := s.dial(t), s.dial(t)
		s.join(first, channel, "")
		if channel == "private-encrypted-cache-mail" {
			first.expect("pusher:cache_miss", channel, "{}")
		} else {
			s.join(second, channel, "")
		}
		if err := s.sdk.Trigger(channel, "mail", map[string]string{"subject": "a secret"}); err != nil {
			t.Fatal(err)
		}
		sent := first.Text(first.Next())
		var sealed struct {
			Nonce      []byte `json:"nonce"`
			Ciphertext []byte `json:"ciphertext"`
		}
		err := json.Unmarshal([]byte(sent), &sealed, json.RejectUnknownMembers(true))
		if err != nil || len(sealed.Nonce) != 24 || len(sealed.Ciphertext) == 0 || strings.Contains(sent, "secret") {
			t.Errorf("%s: %s, want nothing but a nonce of 24 bytes and a ciphertext (%v)", channel, sent, err)
		}
		if channel == "private-encrypted-cache-mail" {
			s.join(second, channel, "")
		}
		second.expect("mail", channel, sent)
	}
}

func TestGoSDKErrors(t *testing.T) {
	s := serve(t)
	stranger := *s.sdk
	stranger.Secret = "not-the-secret"
	nobody := *s.sdk
	nobody.Key = "no-such-key"
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"secret", stranger.Trigger("orders", "e", ""), "Status Code: 401 - Invalid signature: you should have sent HmacSHA256Hex"},
		{"key", nobody.Trigger("orders", "e", ""), "Status Code: 401 - Unknown auth_key"},
	} {
		if c.err == nil || !strings.Contains(fmt.Sprint(c.err), c.want) {
			t.Errorf("wrong %s: %v, want %q in it", c.name, c.err, c.want)
		}
	}
}
