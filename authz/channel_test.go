package authz_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hark/authz"
	"hark/protocol"
)

// hmacHex signs without this package.
func hmacHex(secret, text string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

const socketID protocol.SocketID = "123456.7890123"

// Two live keys: both may sign, each with its own secret only.
var twoKeys = authz.Keys{
	{Key: "old-key", Secret: "old-secret"},
	{Key: "new-key", Secret: "new-secret"},
}

// both verifies with either.
var both = authz.NewVerifier(twoKeys)

func TestVerifyChannel(t *testing.T) {
	t.Parallel()
	sign := func(text string) string { return "new-key:" + hmacHex("new-secret", text) }
	const php = `{"user_id":"42","user_info":{"name":"Zo\u00eb \/ x"}}`
	tests := []struct {
		name, why string
		s         protocol.Subscribe
	}{
		{
			name: "private",
			s:    protocol.Subscribe{Channel: "private-x", Auth: sign("123456.7890123:private-x")},
		},
		{
			name: "the older key",
			why:  "every live key may sign",
			s:    protocol.Subscribe{Channel: "private-x", Auth: "old-key:" + hmacHex("old-secret", "123456.7890123:private-x")},
		},
		{
			name: "every prefix that needs a signature",
			s:    protocol.Subscribe{Channel: "private-encrypted-cache-x", Auth: sign("123456.7890123:private-encrypted-cache-x")},
		},
		{
			name: "presence",
			s: protocol.Subscribe{Channel: "presence-x", ChannelData: `{"user_id":"42"}`, HasChannelData: true,
				Auth: sign(`123456.7890123:presence-x:{"user_id":"42"}`)},
		},
		{
			name: "presence of a signed-in user",
			why:  "no channel_data: only socket and channel are signed",
			s:    protocol.Subscribe{Channel: "presence-x", Auth: sign("123456.7890123:presence-x")},
		},
		{
			name: "channel_data on a private channel",
			why:  "PHP and Node sign it for any channel",
			s: protocol.Subscribe{Channel: "private-x", ChannelData: `{"team":3}`, HasChannelData: true,
				Auth: sign(`123456.7890123:private-x:{"team":3}`)},
		},
		{
			name: "empty channel_data",
			why:  "the official server expects the trailing colon",
			s:    protocol.Subscribe{Channel: "private-x", HasChannelData: true, Auth: sign("123456.7890123:private-x:")},
		},
		{
			name: "escapes of PHP",
			why:  "channel_data is signed as it came: encoding it again would write ë and / plainly",
			s: protocol.Subscribe{Channel: "presence-x", ChannelData: php, HasChannelData: true,
				Auth: sign("123456.7890123:presence-x:" + php)},
		},
		{
			name: "spaces, order and doubled keys",
			why:  "not even what no encoder would write is touched",
			s: protocol.Subscribe{Channel: "presence-x", ChannelData: ` {"b" : 1.0, "a":1,"a":2} `, HasChannelData: true,
				Auth: sign(`123456.7890123:presence-x: {"b" : 1.0, "a":1,"a":2} `)},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := both.VerifyChannel(socketID, tt.s); err != nil {
				t.Errorf("VerifyChannel(%+v): %v, want nil: %s", tt.s, err, tt.why)
			}
		})
	}
}

func TestVerifyChannelRefuses(t *testing.T) {
	t.Parallel()
	good := hmacHex("new-secret", "123456.7890123:private-x")
	invalid := func(text, sig string) string {
		return "Invalid signature: Expected HMAC SHA256 hex digest of " + text + ", but got " + sig
	}
	const format = "Auth value for subscription to private-x is invalid: should be of format 'key:signature'"
	tests := []struct {
		name, why string
		id        protocol.SocketID // "" for socketID
		s         protocol.Subscribe
		keys      authz.Keys // nil for twoKeys
		want      string
	}{
		{
			name: "no auth", why: "official text",
			s:    protocol.Subscribe{Channel: "private-x"},
			want: "Auth info required to subscribe to private-x",
		},
		{
			name: "no colon", why: "official text",
			s:    protocol.Subscribe{Channel: "private-x", Auth: "new-key" + good},
			want: format,
		},
		{
			name: "key of nobody", why: "official text; the key is checked before the signature",
			s:    protocol.Subscribe{Channel: "private-x", Auth: "other-key:" + good},
			want: "Invalid key in subscription auth data: 'other-key'",
		},
		{
			name: "no key", why: "an empty key is nobody's",
			s:    protocol.Subscribe{Channel: "private-x", Auth: ":" + good},
			want: "Invalid key in subscription auth data: ''",
		},
		{
			name: "no keys at all", why: "closed by default",
			s: protocol.Subscribe{Channel: "private-x", Auth: "new-key:" + good}, keys: authz.Keys{},
			want: "Invalid key in subscription auth data: 'new-key'",
		},
		{
			name: "wrong signature", why: "official text, the signature without its key",
			s:    protocol.Subscribe{Channel: "private-x", Auth: "new-key:deadbeef"},
			want: invalid("123456.7890123:private-x", "deadbeef"),
		},
		{
			name: "no signature", why: "there is a colon, so the form is right",
			s:    protocol.Subscribe{Channel: "private-x", Auth: "new-key:"},
			want: invalid("123456.7890123:private-x", ""),
		},
		{
			name: "the other key's secret", why: "any key may sign, but with its own secret",
			s:    protocol.Subscribe{Channel: "private-x", Auth: "old-key:" + good},
			want: invalid("123456.7890123:private-x", good),
		},
		{
			name: "another socket's", why: "a signature is good for one socket", id: "1.1",
			s:    protocol.Subscribe{Channel: "private-x", Auth: "new-key:" + good},
			want: invalid("1.1:private-x", good),
		},
		{
			name: "another channel's", why: "and for one channel",
			s:    protocol.Subscribe{Channel: "private-xx", Auth: "new-key:" + good},
			want: invalid("123456.7890123:private-xx", good),
		},
		{
			name: "channel_data that was not signed", why: "it would make the client whoever it likes",
			s:    protocol.Subscribe{Channel: "private-x", Auth: "new-key:" + good, ChannelData: `{"user_id":"1"}`, HasChannelData: true},
			want: invalid(`123456.7890123:private-x:{"user_id":"1"}`, good),
		},
		{
			name: "empty channel_data that was not signed", why: "present is present",
			s:    protocol.Subscribe{Channel: "private-x", Auth: "new-key:" + good, HasChannelData: true},
			want: invalid("123456.7890123:private-x:", good),
		},
		{
			name: "a second colon", why: "the key ends at the first; the rest is the signature",
			s:    protocol.Subscribe{Channel: "private-x", Auth: "new-key:" + good + ":x"},
			want: invalid("123456.7890123:private-x", good+":x"),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			id, keys := tt.id, tt.keys
			if id == "" {
				id = socketID
			}
			if keys == nil {
				keys = twoKeys
			}
			err := authz.NewVerifier(keys).VerifyChannel(id, tt.s)
			got, ok := errors.AsType[*protocol.Rejection](err)
			if !ok {
				t.Fatalf("VerifyChannel(%+v) = %v, want a *protocol.Rejection: %s", tt.s, err, tt.why)
			}
			want := &protocol.Rejection{Channel: tt.s.Channel, Type: protocol.AuthError, Status: 401, Message: tt.want}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("VerifyChannel(%+v): %s (-want +got):\n%s", tt.s, tt.why, diff)
			}
			for _, secret := range []string{"old-secret", "new-secret"} {
				if strings.Contains(got.Message, secret) {
					t.Errorf("the message shows a secret: %s", got.Message)
				}
			}
		})
	}
}

// Nothing marks the ends of the parts that are signed. A colon in a channel's name would let the signature of one
// subscribe fit another, or a user's signin.
func TestColonsInNames(t *testing.T) {
	t.Parallel()
	key := twoKeys[1]
	tests := []struct {
		name, why   string
		id          protocol.SocketID
		channel     string
		channelData string
		has         bool
	}{
		{"channel and data in the name", "fits presence-x with that channel_data", socketID, `presence-x:{"user_id":"1"}`, "", false},
		{"signin", "fits the signin of user 1", socketID, `:user::{"id":"1"}`, "", false},
		{"signin in channel_data", "the same string again", socketID, "", `user::{"id":"1"}`, true},
		{"channel in the socket id", "fits private-secret with a channel_data", "1.1:private-secret", "private-x", "", false},
		{"no socket id", "no socket has it", "", "private-x", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := key.ChannelAuth(tt.id, tt.channel, tt.channelData, tt.has); got != "" {
				t.Errorf("ChannelAuth(%q, %q) = %s, want nothing: %s", tt.id, tt.channel, got, tt.why)
			}
			if tt.id != socketID {
				return
			}
			text := authz.ChannelString(tt.id, tt.channel, tt.channelData, tt.has)
			s := protocol.Subscribe{Channel: tt.channel, Auth: "new-key:" + hmacHex("new-secret", text),
				ChannelData: tt.channelData, HasChannelData: tt.has}
			err := both.VerifyChannel(tt.id, s)
			if r, ok := errors.AsType[*protocol.Rejection](err); !ok || r.Type != protocol.InvalidChannel {
				t.Errorf("VerifyChannel(%q) = %v, want InvalidChannel: %s", tt.channel, err, tt.why)
			}
		})
	}
}

func TestChannelString(t *testing.T) {
	t.Parallel()
	tests := []struct {
		channel, data string
		has           bool
		want          string
	}{
		{"private-x", "", false, "1.2:private-x"},
		{"private-x", "", true, "1.2:private-x:"},
		{"private-x", "ignored", false, "1.2:private-x"},
		{"presence-x", `{"user_id":"ü"}`, true, `1.2:presence-x:{"user_id":"ü"}`},
	}
	for _, tt := range tests {
		if got := authz.ChannelString("1.2", tt.channel, tt.data, tt.has); got != tt.want {
			t.Errorf("ChannelString(1.2, %q, %q, %v) = %q, want %q", tt.channel, tt.data, tt.has, got, tt.want)
		}
	}
}

func BenchmarkVerifyChannel(b *testing.B) {
	const data = `{"user_id":"42","user_info":{"name":"Ada"}}`
	s := protocol.Subscribe{Channel: "presence-room", ChannelData: data, HasChannelData: true,
		Auth: twoKeys[1].ChannelAuth(socketID, "presence-room", data, true)}
	b.ReportAllocs()
	for b.Loop() {
		if err := both.VerifyChannel(socketID, s); err != nil {
			b.Fatal(err)
		}
	}
}
