package protocol_test

import (
	"errors"
	"math"
	"reflect"
	"testing"

	"hark/protocol"
)

func TestCheckVersion(t *testing.T) {
	const absent = "absent"
	for _, c := range []struct {
		name, protocol, version string
		want                    int
		code                    protocol.CloseCode
	}{
		{"pusher-js", "7", "8.6.0", 7, 0},
		{"Java, .NET", "5", "2.4.4", 5, 0},
		{"Pysher", "6", "0.5.0", 6, 0},
		{"the oldest", "4", "", 4, 0},
		{"no version", "7", "", 7, 0},
		{"release candidate", "7", "8.4.0-rc2", 7, 0},
		{"snapshot", "7", "0.0.0-SNAPSHOT+9b", 7, 0},

		{"too old", "3", "1.0", 0, protocol.CloseUnsupportedProtocol},
		{"too new", "8", "9.0.0", 0, protocol.CloseUnsupportedProtocol},
		{"negative", "-1", "", 0, protocol.CloseUnsupportedProtocol},
		{"zero", "0", "", 0, protocol.CloseUnsupportedProtocol},
		{"huge", "99999999999999999999", "", 0, protocol.CloseUnsupportedProtocol},

		{"empty", "", "8.6.0", 0, protocol.CloseInvalidVersion},
		{"a word", "seven", "8.6.0", 0, protocol.CloseInvalidVersion},
		{"a fraction", "7.0", "8.6.0", 0, protocol.CloseInvalidVersion},
		{"a space", " 7", "8.6.0", 0, protocol.CloseInvalidVersion},
		{"a dash", "-", "", 0, protocol.CloseInvalidVersion},
		{"malformed version", "7", "latest", 0, protocol.CloseInvalidVersion},
		{"version with a space", "7", "8 6", 0, protocol.CloseInvalidVersion},

		{"inferred", absent, "8.6.0", 7, 0},
		{"not inferred", absent, "latest", 0, protocol.CloseInvalidVersion},
		{"neither", absent, "", 0, protocol.CloseNoProtocol},
	} {
		number, given := c.protocol, true
		if number == absent {
			number, given = "", false
		}
		got, err := protocol.CheckVersion(number, c.version, given)
		var code protocol.CloseCode
		if e, ok := errors.AsType[*protocol.Error](err); ok {
			code = e.Code
		}
		if got != c.want || code != c.code || (err != nil) != (c.code != 0) {
			t.Errorf("%s: CheckVersion(%q, %q, %v) = %d, %v, want %d, code %d",
				c.name, number, c.version, given, got, err, c.want, c.code)
		}
	}
}

func TestLimits(t *testing.T) {
	want := protocol.Limits{
		ChannelName: 164, EventName: 200, EventData: 10240, TriggerChannels: 100, BatchEvents: 10, Members: 100,
		UserInfo: 1024, UserID: 128, ClientEvents: 10, Message: 65536, Watchlist: 100, Channels: 1000, Connections: math.MaxInt, RESTBody: 1 << 20,
	}
	if got := (protocol.Limits{}).WithDefaults(); got != want {
		t.Errorf("defaults = %+v", got)
	}
	if got := want.WithDefaults(); got != want {
		t.Errorf("the second time = %+v", got)
	}

	// Every field must follow the rule, one that is added later too.
	set := func(n int64) protocol.Limits {
		var l protocol.Limits
		for _, f := range reflect.ValueOf(&l).Elem().Fields() {
			f.SetInt(n)
		}
		return l
	}
	if got := set(3).WithDefaults(); got != set(3) {
		t.Errorf("3 everywhere = %+v", got)
	}
	if got := set(-1).WithDefaults(); got != set(math.MaxInt) {
		t.Errorf("no limit = %+v", got)
	}
	for name, f := range reflect.ValueOf(protocol.Limits{}.WithDefaults()).Fields() {
		if f.Int() <= 0 {
			t.Errorf("%s has no default", name.Name)
		}
	}
}

func TestParseSocketID(t *testing.T) {
	for _, s := range []string{"1.1", "123456.7890123", "0.0", "45055.28877557", "00.00"} {
		if got, err := protocol.ParseSocketID(s); err != nil || string(got) != s {
			t.Errorf("ParseSocketID(%q) = %q, %v", s, got, err)
		}
	}
	for _, s := range []string{
		"", ".", "1", "1.", ".1", "1.1.1", "1.1\n", "\n1.1", "a.1", "1.a", "1,1", "-1.1", "+1.1", " 1.1", "1.1 ", "1.1:", "١.١",
		"5f0c9b3e-7b62-4f0e-9a3c-2f1d8f6f0a11",
	} {
		if got, err := protocol.ParseSocketID(s); err == nil || got != "" {
			t.Errorf("ParseSocketID(%q) = %q, want an error", s, got)
		}
	}
}

func TestNewSocketID(t *testing.T) {
	seen := make(map[protocol.SocketID]bool)
	for range 10000 {
		id := protocol.NewSocketID()
		if _, err := protocol.ParseSocketID(string(id)); err != nil {
			t.Fatalf("NewSocketID() = %q: %v", id, err)
		}
		if seen[id] {
			t.Fatalf("%q came twice", id)
		}
		seen[id] = true
	}
}
