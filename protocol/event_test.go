package protocol_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"hark/protocol"
)

func TestEventJSON(t *testing.T) {
	for _, c := range []struct {
		name  string
		event protocol.Event
		want  string
	}{
		{"a channel's event", protocol.Event{Name: "order-paid", Channel: "orders", Data: `{"id":7}`},
			`{"event":"order-paid","channel":"orders","data":"{\"id\":7}"}`},
		{"a client event on a presence channel",
			protocol.Event{Name: "client-typing", Channel: "presence-room", Data: `{"on":true}`, UserID: "42"},
			`{"event":"client-typing","channel":"presence-room","data":"{\"on\":true}","user_id":"42"}`},
		{"data is always there", protocol.Event{Name: "e"}, `{"event":"e","data":""}`},
		{"not for HTML", protocol.Event{Name: "e", Data: "<a href='/'>&</a>"}, `{"event":"e","data":"<a href='/'>&</a>"}`},
		{"line separators", protocol.Event{Name: "e", Data: "\u2028\u2029"}, "{\"event\":\"e\",\"data\":\"\u2028\u2029\"}"},
		{"other scripts", protocol.Event{Name: "é", Data: "ü🎈"}, `{"event":"é","data":"ü🎈"}`},
		{"escapes stay as published", protocol.Event{Name: "e", Data: `"\u00e9\/"`}, `{"event":"e","data":"\"\\u00e9\\/\""}`},
		{"control characters", protocol.Event{Name: "e", Data: "\x00\b\t\n\v\f\r\x1f\x7f"},
			`{"event":"e","data":"\u0000\b\t\n\u000b\f\r\u001f` + "\x7f" + `"}`},
		{"class names", protocol.Event{Name: `App\Events\OrderPaid`}, `{"event":"App\\Events\\OrderPaid","data":""}`},
		{"not UTF-8", protocol.Event{Name: "a\xff", Channel: "\xc3", Data: "x\xed\xa0\x80y", UserID: "\x80"},
			`{"event":"a�","channel":"�","data":"x�y","user_id":"�"}`},
	} {
		if got := string(c.event.AppendJSON(nil)); got != c.want {
			t.Errorf("%s: AppendJSON = %s, want %s", c.name, got, c.want)
		}
		if got := string(c.event.Frame().JSON()); got != c.want {
			t.Errorf("%s: Frame = %s, want %s", c.name, got, c.want)
		}
	}
	if got := string(protocol.Pong().AppendJSON([]byte("a["))); got != `a[{"event":"pusher:pong","data":"{}"}` {
		t.Errorf("AppendJSON did not append: %s", got)
	}
}

func TestDecode(t *testing.T) {
	for _, c := range []struct {
		name string
		in   string
		want protocol.Message
	}{
		{"ping of pusher-js", `{"event":"pusher:ping","data":{}}`, protocol.Message{Name: "pusher:ping", Data: "{}", HasData: true}},
		{"ping of the Java client", `{"event":"pusher:ping"}`, protocol.Message{Name: "pusher:ping"}},
		{"client event", `{"event":"client-typing","channel":"presence-room","data":{"on":true}}`,
			protocol.Message{Name: "client-typing", Channel: "presence-room", Data: `{"on":true}`, HasData: true}},
		{"the same with a string", `{"event":"client-typing","channel":"presence-room","data":"{\"on\":true}"}`,
			protocol.Message{Name: "client-typing", Channel: "presence-room", Data: `{"on":true}`, HasData: true}},
		{"number", `{"event":"e","data":17}`, protocol.Message{Name: "e", Data: "17", HasData: true}},
		{"number kept as written", `{"event":"e","data":12345678901234567890.10}`,
			protocol.Message{Name: "e", Data: "12345678901234567890.10", HasData: true}},
		{"null data", `{"event":"e","data":null}`, protocol.Message{Name: "e", Data: "null", HasData: true}},
		{"empty data", `{"event":"e","data":""}`, protocol.Message{Name: "e", HasData: true}},
		{"spaces inside data stay", `{"event":"e","data":{ "a" : [1, 2] }}`,
			protocol.Message{Name: "e", Data: `{ "a" : [1, 2] }`, HasData: true}},
		{"escapes inside an object stay", `{"event":"e","data":{"a":"\u00e9\/"}}`,
			protocol.Message{Name: "e", Data: `{"a":"\u00e9\/"}`, HasData: true}},
		{"null channel", `{"event":"e","channel":null}`, protocol.Message{Name: "e"}},
		{"forged user_id", `{"event":"e","user_id":"1","data":"x"}`, protocol.Message{Name: "e", Data: "x", HasData: true}},
		{"names are case-sensitive", `{"Event":1,"event":"e","DATA":"x"}`, protocol.Message{Name: "e"}},
		{"spaces around", " \r\n\t{ \"event\" : \"e\" } \n", protocol.Message{Name: "e"}},
		{"balloon", `{"event":"\ud83c\udf88"}`, protocol.Message{Name: "🎈"}},
	} {
		got, err := protocol.Decode([]byte(c.in))
		if err != nil || got != c.want {
			t.Errorf("%s: Decode(%s) = %+v, %v, want %+v", c.name, c.in, got, err, c.want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"nothing":              ``,
		"not JSON":             `hello`,
		"cut":                  `{"event":"e"`,
		"two":                  `{"event":"e"}{"event":"e"}`,
		"null":                 `null`,
		"array":                `[{"event":"e"}]`,
		"string":               `"e"`,
		"number":               `5`,
		"no event":             `{"channel":"c","data":"d"}`,
		"event null":           `{"event":null}`,
		"event a number":       `{"event":5}`,
		"event an object":      `{"event":{"a":1}}`,
		"event empty":          `{"event":""}`,
		"channel a number":     `{"event":"e","channel":5}`,
		"channel an array":     `{"event":"e","channel":["a"]}`,
		"event twice":          `{"event":"a","event":"b"}`,
		"a name twice in data": `{"event":"a","data":{"x":1,"x":2}}`,
		"not UTF-8":            "{\"event\":\"e\",\"data\":\"\xff\"}",
		"not UTF-8, unread":    "{\"event\":\"e\",\"other\":\"\xff\"}",
		"half a surrogate":     `{"event":"e","data":"\ud800"}`,
		"control character":    "{\"event\":\"e\",\"data\":\"\n\"}",
		"single quotes":        `{'event':'e'}`,
		"comma at the end":     `{"event":"e",}`,
		"NaN":                  `{"event":"e","data":NaN}`,
		"byte order mark":      "\ufeff" + `{"event":"e"}`,
		"nested too deep":      `{"event":"e","data":` + strings.Repeat("[", 10001) + strings.Repeat("]", 10001) + `}`,
		"never ending":         strings.Repeat(`{"event":`, 100000),
	} {
		m, err := protocol.Decode([]byte(in))
		refused, ok := errors.AsType[*protocol.Error](err)
		if !ok || refused.Code != 0 || refused.Message != "Received invalid JSON" {
			t.Errorf("%s: Decode(%.60q) = %+v, %v, want invalid JSON", name, in, m, err)
		}
	}
}

// Transports read into buffers they use again.
func TestDecodeKeepsNothing(t *testing.T) {
	in := []byte(`{"event":"client-x","channel":"private-a","data":{"on":true}}`)
	m, err := protocol.Decode(in)
	if err != nil {
		t.Fatal(err)
	}
	for i := range in {
		in[i] = '#'
	}
	want := protocol.Message{Name: "client-x", Channel: "private-a", Data: `{"on":true}`, HasData: true}
	if m != want {
		t.Errorf("after its bytes were overwritten the message is %+v", m)
	}
}

// readBack decodes a frame the way a client does: with a JSON parser that is not ours.
func readBack(t *testing.T, f protocol.Frame) (event, channel, data string) {
	t.Helper()
	var m struct{ Event, Channel, Data string }
	if err := json.Unmarshal(f.JSON(), &m); err != nil {
		t.Fatalf("a client cannot read %s: %v", f.JSON(), err)
	}
	return m.Event, m.Channel, m.Data
}
