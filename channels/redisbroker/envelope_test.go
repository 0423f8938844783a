package redisbroker

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"hark/authz"
	"hark/channels"
	"hark/presence"
	"hark/protocol"
)

var envelopes = []channels.Envelope{
	{Kind: channels.KindEvent, Name: "e", Data: "{\"x\":\"1:2 \n\"}", UserID: "7", Except: "1.2", Cache: time.Minute},
	{Kind: channels.KindEvent, Name: "e", To: new(channels.Users("7").But(channels.On("news")))},
	{Kind: channels.KindEvent},
	{Kind: channels.KindChange, Diff: presence.AddedDiff(protocol.Member{UserID: "7:7", UserInfo: []byte(`{"name":"Ada"}`)})},
	{Kind: channels.KindChange, Diff: presence.AddedDiff(protocol.Member{UserID: "7"})},
	{Kind: channels.KindChange, Diff: presence.RemovedDiff("7")},
	{Kind: channels.KindCount, Sockets: 12},
	{Kind: channels.KindTerminate},
	{Kind: channels.KindControl, Control: &channels.Control{Version: 1, ID: 1<<64 - 1, Do: "revoke", To: channels.Everyone()}},
}

func TestEncode(t *testing.T) {
	for _, e := range envelopes {
		body, err := encode(e)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decode(body)
		if err != nil || !reflect.DeepEqual(got, e) {
			t.Errorf("decode(%q) = %+v, %v, want %+v", body, got, err, e)
		}
	}
}

// Newer nodes may say more; what older ones must not misunderstand they do not read.
func TestVersions(t *testing.T) {
	for _, tt := range []struct {
		body string
		want error
	}{
		{"1En1:e", nil},
		{"1En1:ez3:new", nil},
		{"2En1:e", errVersion},
		{"1Z", errVersion},
		{`1En1:et15:{"newer":["x"]}`, errVersion},
		{"", errBody},
		{"1", errBody},
		{"1En9:e", errBody},
		{"1En-1:e", errBody},
		{"1M", errBody},
		{"1K", errBody},
		{"1Cc1:x", errBody},
	} {
		if _, err := decode(tt.body); !errors.Is(err, tt.want) {
			t.Errorf("decode(%q): %v, want %v", tt.body, err, tt.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, e := range envelopes {
		body, err := encode(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		e, err := decode(body)
		if err != nil {
			return
		}
		again, err := encode(e)
		if err != nil {
			t.Fatalf("encode(%+v): %v", e, err)
		}
		if got, err := decode(again); err != nil || !reflect.DeepEqual(got, e) {
			t.Errorf("decode(%q) = %+v, %v, want %+v", again, got, err, e)
		}
	})
}

func FuzzMessage(f *testing.F) {
	f.Add("1 2 3 1En1:e")
	f.Fuzz(func(t *testing.T, s string) {
		if m, err := parseMessage(s); err == nil && len(m.body) > len(s) {
			t.Errorf("%+v of %q", m, s)
		}
		_, _, _ = sized(s)
		_, _ = decodeGrant(s)
	})
}

// What a question and an answer say arrives as it was; one of another version is none.
func TestAskText(t *testing.T) {
	q := inquiry{id: "x", text: "1:2 \n\x00", within: 1999 * time.Millisecond}
	if got, err := decodeInquiry(q.encode()); err != nil || got != q {
		t.Errorf("%q is %+v, %v, want %+v", q.encode(), got, err, q)
	}
	for _, a := range []nodeAnswer{{node: "n", text: "1:2 \n\x00"}, {node: "n", failed: "why"}, {node: "n"}} {
		if got, err := decodeAnswer(a.encode()); err != nil || got != a {
			t.Errorf("%q is %+v, %v, want %+v", a.encode(), got, err, a)
		}
	}
	for body, want := range map[string]error{
		"1Qi1:xz3:new": nil, "1Ai1:xn1:n": nil,
		"2Qi1:x": errVersion, "2An1:n": errVersion,
		"1Q": errBody, "1A": errBody, "1Qi1:xm2:-1": errBody, "1An9:n": errBody, "": errBody,
	} {
		_, err := decodeInquiry(body)
		if len(body) > 1 && body[1] == 'A' {
			_, err = decodeAnswer(body)
		}
		if !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", body, err, want)
		}
	}
}

func FuzzAsk(f *testing.F) {
	f.Add(inquiry{id: "x", text: "?", within: time.Second}.encode())
	f.Add(nodeAnswer{node: "n", text: "!"}.encode())
	f.Add(nodeAnswer{node: "n", failed: "!"}.encode())
	f.Fuzz(func(t *testing.T, body string) {
		if q, err := decodeInquiry(body); err == nil {
			if again, err := decodeInquiry(q.encode()); err != nil || again != q {
				t.Errorf("decodeInquiry(%q) = %+v, %v, want %+v", q.encode(), again, err, q)
			}
		}
		if a, err := decodeAnswer(body); err == nil {
			if again, err := decodeAnswer(a.encode()); err != nil || again != a {
				t.Errorf("decodeAnswer(%q) = %+v, %v, want %+v", a.encode(), again, err, a)
			}
		}
	})
}

func TestGrantText(t *testing.T) {
	for _, g := range []authz.Grant{
		{},
		{
			Identity: authz.Identity{ID: "7", Tenant: "acme", Roles: []string{"admin"}, Attrs: map[string]string{"a": "b"},
				Info: []byte(`{"x":1}`), ExpiresAt: time.Unix(2000000000, 0)},
			Info: []byte(`{"y":2}`), TTL: 1500 * time.Microsecond, Moment: 1800000000000001,
		},
	} {
		text, err := encodeGrant(g)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeGrant(decimal(g.Moment) + " " + text)
		if err != nil || !got.Identity.ExpiresAt.Equal(g.Identity.ExpiresAt) {
			t.Fatalf("%s: %+v, %v", text, got, err)
		}
		got.Identity.ExpiresAt = g.Identity.ExpiresAt
		if !reflect.DeepEqual(got, g) {
			t.Errorf("%s is %+v, want %+v", text, got, g)
		}
	}
}
