package protocol_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"hark/protocol"
)

func TestKindOf(t *testing.T) {
	for _, c := range []struct {
		channel string
		want    protocol.Kind
	}{
		{"orders", protocol.Public},
		{"", protocol.Public},
		{"cache-orders", protocol.Cache},
		{"private-orders", protocol.Private},
		{"private-cache-orders", protocol.PrivateCache},
		{"private-encrypted-orders", protocol.Encrypted},
		{"private-encrypted-cache-orders", protocol.EncryptedCache},
		{"presence-orders", protocol.Presence},
		{"presence-cache-orders", protocol.PresenceCache},
		{"#server-to-user-42", protocol.ServerToUser},

		{"private-", protocol.Private},
		{"private-encrypted", protocol.Private},
		{"private-encrypted-cache", protocol.Encrypted},
		{"private-cache", protocol.Private},
		{"private-presence-x", protocol.Private},
		{"private-cache-encrypted-x", protocol.PrivateCache},
		{"presence-encrypted-x", protocol.Presence},
		{"presence-private-x", protocol.Presence},
		{"cache-private-x", protocol.Cache},

		{"privateer", protocol.Public},
		{"private", protocol.Public},
		{"private_x", protocol.Public},
		{"presence", protocol.Public},
		{"Private-x", protocol.Public},
		{"PRESENCE-x", protocol.Public},
		{"cache", protocol.Public},
		{"my-private-x", protocol.Public},
		{"x-cache-y", protocol.Public},
		{" private-x", protocol.Public},
		{"server-to-user-42", protocol.Public},
		{"#private-x", protocol.Public},
	} {
		if got := protocol.KindOf(c.channel); got != c.want {
			t.Errorf("KindOf(%q) = %v, want %v", c.channel, got, c.want)
		}
	}
}

func TestKinds(t *testing.T) {
	const yes, no = true, false
	for _, c := range []struct {
		kind                                           protocol.Kind
		name                                           string
		auth, presence, encrypted, cache, clientEvents bool
	}{
		{protocol.Public, "public", no, no, no, no, no},
		{protocol.Cache, "cache", no, no, no, yes, no},
		{protocol.Private, "private", yes, no, no, no, yes},
		{protocol.PrivateCache, "private-cache", yes, no, no, yes, yes},
		{protocol.Encrypted, "private-encrypted", yes, no, yes, no, no},
		{protocol.EncryptedCache, "private-encrypted-cache", yes, no, yes, yes, no},
		{protocol.Presence, "presence", yes, yes, no, no, yes},
		{protocol.PresenceCache, "presence-cache", yes, yes, no, yes, yes},
		{protocol.ServerToUser, "server-to-user", no, no, no, no, no},
	} {
		k := c.kind
		if k.String() != c.name || k.NeedsAuth() != c.auth || k.IsPresence() != c.presence ||
			k.IsEncrypted() != c.encrypted || k.IsCache() != c.cache || k.AllowsClientEvents() != c.clientEvents {
			t.Errorf("%s: %v auth %v, presence %v, encrypted %v, cache %v, client events %v", c.name,
				k, k.NeedsAuth(), k.IsPresence(), k.IsEncrypted(), k.IsCache(), k.AllowsClientEvents())
		}
	}
}

func TestCheckChannel(t *testing.T) {
	for _, name := range []string{
		"a", "orders", "private-a@b.c,d;e=f_g-1", "-azAZ9_=@,.;", "0", ";",
		"#server-to-user-42", "#server-to-user-a@b.c", strings.Repeat("x", 164),
	} {
		if err := protocol.CheckChannel(name, 164); err != nil {
			t.Errorf("CheckChannel(%q) = %v", name, err)
		}
	}
	if err := protocol.CheckChannel(strings.Repeat("x", 1000), math.MaxInt); err != nil {
		t.Errorf("without a limit: %v", err)
	}
	for _, name := range []string{
		"", " ", "a b", "a:b", "a/b", "a\n", "\na", "a\x00", "é", "🎈", "a\xff", "a#", "a*", "a+b", "a%20", `a"`,
		"#", "#a", "##server-to-user-1", "#server-to-user-", "#server-to-user-a#b", "#server-to-user-a b", "#Server-to-user-1",
		strings.Repeat("x", 165), "#server-to-user-" + strings.Repeat("x", 149),
	} {
		err := protocol.CheckChannel(name, 164)
		r, ok := errors.AsType[*protocol.Rejection](err)
		if !ok || r.Type != protocol.InvalidChannel || r.Status != 400 || r.Channel != name || r.Message == "" {
			t.Errorf("CheckChannel(%q) = %#v, want an invalid channel", name, err)
		}
	}
}

func TestCheckEvent(t *testing.T) {
	for _, name := range []string{
		"e", "order-paid", `App\Events\OrderPaid`, ".order.paid", "client-x", "pusher", "pusher-x", "Pusher:x",
		"my pusher:x", "é", strings.Repeat("x", 200), strings.Repeat("🎈", 200),
	} {
		if err := protocol.CheckEvent(name, 200); err != nil {
			t.Errorf("CheckEvent(%q) = %v", name, err)
		}
	}
	for _, name := range []string{
		"", "pusher:", "pusher:ping", "pusher_internal:member_added", strings.Repeat("x", 201), strings.Repeat("🎈", 201),
	} {
		err := protocol.CheckEvent(name, 200)
		if e, ok := errors.AsType[*protocol.Error](err); !ok || e.Code != 0 || e.Message == "" {
			t.Errorf("CheckEvent(%q) = %#v, want an Error of code 0", name, err)
		}
	}
}

func TestIsClientEvent(t *testing.T) {
	for name, want := range map[string]bool{
		"client-x": true, "client-": true, "client": false, "x-client-y": false, "Client-x": false, "client_x": false, "": false,
	} {
		if got := protocol.IsClientEvent(name); got != want {
			t.Errorf("IsClientEvent(%q) = %v, want %v", name, got, want)
		}
	}
}
