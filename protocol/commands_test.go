package protocol_test

import (
	"errors"
	"strings"
	"testing"

	"hark/protocol"
)

func TestParseSubscribe(t *testing.T) {
	const ada = `{"user_id":"42","user_info":{"name":"Ada"}}`
	for _, c := range []struct {
		name string
		data string
		want protocol.Subscribe
	}{
		{"pusher-js, public", `{"auth":"","channel":"orders"}`, protocol.Subscribe{Channel: "orders"}},
		{"Swift and Java, public", `{"channel":"orders"}`, protocol.Subscribe{Channel: "orders"}},
		{"private", `{"auth":"KEY:64hex","channel":"private-orders"}`,
			protocol.Subscribe{Channel: "private-orders", Auth: "KEY:64hex"}},
		{"presence", `{"auth":"KEY:64hex","channel_data":"{\"user_id\":\"42\",\"user_info\":{\"name\":\"Ada\"}}","channel":"presence-room"}`,
			protocol.Subscribe{Channel: "presence-room", Auth: "KEY:64hex", ChannelData: ada, HasChannelData: true}},
		{"PHP's escapes are part of what was signed", `{"channel":"presence-a","channel_data":"{\"user_id\":\"\\u00e9\\/\"}"}`,
			protocol.Subscribe{Channel: "presence-a", ChannelData: `{"user_id":"\u00e9\/"}`, HasChannelData: true}},
		{"empty channel_data is signed too", `{"channel":"private-a","channel_data":""}`,
			protocol.Subscribe{Channel: "private-a", HasChannelData: true}},
		{"null", `{"channel":"a","auth":null,"channel_data":null}`, protocol.Subscribe{Channel: "a"}},
		{"more fields", `{"channel":"a","shared_secret":"x","n":1}`, protocol.Subscribe{Channel: "a"}},
		{"the name is not checked here", `{"channel":"a b"}`, protocol.Subscribe{Channel: "a b"}},
	} {
		got, err := protocol.ParseSubscribe(c.data)
		if err != nil || got != c.want {
			t.Errorf("%s: ParseSubscribe(%s) = %+v, %v, want %+v", c.name, c.data, got, err, c.want)
		}
	}
}

func TestParseSubscribeRefuses(t *testing.T) {
	for name, data := range map[string]string{
		"no data":                  ``,
		"not JSON":                 `orders`,
		"a string":                 `"orders"`,
		"null":                     `null`,
		"an array":                 `["orders"]`,
		"no channel":               `{"auth":""}`,
		"channel null":             `{"channel":null}`,
		"channel empty":            `{"channel":""}`,
		"channel a number":         `{"channel":5}`,
		"auth a number":            `{"channel":"a","auth":5}`,
		"channel_data an object":   `{"channel":"presence-a","channel_data":{"user_id":"1"}}`,
		"channel twice":            `{"channel":"a","channel":"private-a"}`,
		"not UTF-8":                "{\"channel\":\"\xff\"}",
		"cut":                      `{"channel":"a"`,
		"something after":          `{"channel":"a"} 5`,
		"nested deeper than taken": `{"channel":"a","x":` + strings.Repeat("[", 10001) + strings.Repeat("]", 10001) + `}`,
	} {
		got, err := protocol.ParseSubscribe(data)
		e, ok := errors.AsType[*protocol.Error](err)
		if !ok || e.Code != 0 || !strings.HasPrefix(e.Message, "Invalid pusher:subscribe: ") || got != (protocol.Subscribe{}) {
			t.Errorf("%s: ParseSubscribe(%.60q) = %+v, %v, want an Error of code 0", name, data, got, err)
		}
	}
}

func TestParseUnsubscribe(t *testing.T) {
	if got, err := protocol.ParseUnsubscribe(`{"channel":"orders"}`); err != nil || got != "orders" {
		t.Errorf("ParseUnsubscribe = %q, %v", got, err)
	}
	for _, data := range []string{``, `5`, `null`, `{}`, `{"channel":""}`, `{"channel":null}`, `{"channel":["a"]}`, `{"channel":"a"`} {
		got, err := protocol.ParseUnsubscribe(data)
		e, ok := errors.AsType[*protocol.Error](err)
		if !ok || e.Code != 0 || !strings.HasPrefix(e.Message, "Invalid pusher:unsubscribe: ") || got != "" {
			t.Errorf("ParseUnsubscribe(%s) = %q, %v, want an Error of code 0", data, got, err)
		}
	}
}
