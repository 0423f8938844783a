package protocol_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"hark/protocol"
)

// What pusher-js 8.6 was seen to do with each code.
func TestReconnect(t *testing.T) {
	for _, c := range []struct {
		from, to protocol.CloseCode
		want     protocol.Reconnect
	}{
		{1000, 3999, protocol.AfterBackoff},
		{4000, 4000, protocol.OverTLS},
		{4001, 4099, protocol.Never},
		{4100, 4199, protocol.AfterBackoff},
		{4200, 4299, protocol.Immediately},
		{4300, 4999, protocol.Never},
	} {
		for code := c.from; code <= c.to; code++ {
			if got := code.Reconnect(); got != c.want {
				t.Fatalf("after %d a client reconnects %v, want %v", code, got, c.want)
			}
		}
	}
}

func TestReconnectString(t *testing.T) {
	for r, want := range map[protocol.Reconnect]string{
		protocol.Never: "never", protocol.AfterBackoff: "after backoff",
		protocol.Immediately: "immediately", protocol.OverTLS: "over TLS",
	} {
		if got := r.String(); got != want {
			t.Errorf("String of %d = %q, want %q", r, got, want)
		}
	}
}

func TestReasons(t *testing.T) {
	codes := []protocol.CloseCode{
		protocol.CloseNormal, protocol.CloseGoingAway, protocol.CloseProtocolError, protocol.CloseUnsupported,
		protocol.CloseInvalidPayload, protocol.CloseTooBig, protocol.CloseInternalError,
		protocol.CloseTLSOnly, protocol.CloseUnknownApp, protocol.CloseAppDisabled, protocol.CloseOverQuota,
		protocol.ClosePathNotFound, protocol.CloseInvalidVersion, protocol.CloseUnsupportedProtocol,
		protocol.CloseNoProtocol, protocol.CloseUnauthorized, protocol.CloseOverCapacity, protocol.CloseReconnect,
		protocol.ClosePongNotReceived, protocol.CloseInactive, protocol.ErrorClientEventRate, protocol.ErrorWatchlistTooLong,
	}
	for _, c := range codes {
		if r := c.Reason(); r == "" || len(r) > protocol.MaxReason {
			t.Errorf("the reason of %d is %q", int(c), r)
		}
	}
	if got := protocol.ClosePongNotReceived.String(); got != "4201 Pong reply not received" {
		t.Errorf("String = %q", got)
	}
	if got := protocol.CloseCode(4999).String(); got != "4999" {
		t.Errorf("String of an unknown code = %q", got)
	}
}

func TestCutReason(t *testing.T) {
	x123 := strings.Repeat("x", 123)
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{x123, x123},
		{x123 + "y", x123},
		{strings.Repeat("x", 122) + "é", strings.Repeat("x", 122)},
		{strings.Repeat("x", 121) + "é", strings.Repeat("x", 121) + "é"},
		{strings.Repeat("🎈", 40), strings.Repeat("🎈", 30)},
		{"a\xffb", "a�b"},
		{strings.Repeat("x", 122) + "\xff", strings.Repeat("x", 122)},
		{strings.Repeat("\x80", 200), "�"},
	} {
		got := protocol.CutReason(c.in)
		if got != c.want || !utf8.ValidString(got) {
			t.Errorf("CutReason(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}
