package bench

import (
	"strings"
	"testing"
)

func TestStamp(t *testing.T) {
	want := stamp{0xABC, 0xFEDCBA98}
	data := want.data(40)
	if got := string(data); got != "~hb0abcfedcba98"+strings.Repeat("x", 25) {
		t.Fatalf("data: %q", got)
	}
	if got := len(want.data(1)); got != stampLength {
		t.Errorf("the least data has %d bytes, want %d", got, stampLength)
	}
	var learned stamps
	for _, message := range []string{
		`{"event":"bench","channel":"c","data":"` + string(data) + `"}`,
		`{"event":"bench","channel":"c","data":"` + string(data) + `"}`, // in the place that was learned
		`{"data":"` + string(data) + `","event":"bench"}`,               // in another one
	} {
		if got, ok := learned.find([]byte(message)); !ok || got != want {
			t.Errorf("find(%s) = %v, %v; want %v", message, got, ok, want)
		}
	}
	for _, message := range []string{"", "{}", "~hb", "~hb0abcfedcba9", "~hb0abcfedcba9G", "~hb0abcFEDCBA98"} {
		if got, ok := learned.find([]byte(message)); ok {
			t.Errorf("find(%q) = %v, want none", message, got)
		}
	}
}

func FuzzStamps(f *testing.F) {
	f.Add([]byte("..~hb0abcfedcba98"), 2)
	f.Fuzz(func(t *testing.T, message []byte, at int) {
		learned := stamps{at: max(at, 0) % (len(message) + 1)}
		st, ok := learned.find(message)
		if ok && !strings.Contains(string(message), string(st.append(nil))) {
			t.Errorf("%q does not hold %v", message, st)
		}
	})
}

func TestEventName(t *testing.T) {
	for message, want := range map[string]string{
		`{"event":"pusher:ping","data":{}}`:              "pusher:ping",
		`{"data":"{\"event\":\"no\"}", "event" : "yes"}`: "yes",
		`{"channel":"event","event":"x"}`:                "x",
		`{"data":"{}"}`:                                  "",
		`{"event":7}`:                                    "",
		`{"event"`:                                       "",
		`{"event":"`:                                     "",
	} {
		if got := eventName([]byte(message)); got != want {
			t.Errorf("eventName(%s) = %q, want %q", message, got, want)
		}
	}
}
