package protocol_test

import (
	jsonv1 "encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"hark/protocol"
)

// Whatever Decode takes is a message that can be sent on, and comes out of another JSON parser as it went in.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"event":"pusher:ping","data":{}}`,
		`{"event":"pusher:subscribe","data":{"auth":"","channel":"orders"}}`,
		`{"event":"client-typing","channel":"presence-room","data":"{\"on\":true}"}`,
		`{"event":"e","channel":null,"data":null,"user_id":"1"}`,
		`{"event":"\ud83c\udf88","data":[1,2.50,"\u2028"]}`,
		`{"event":5}`, `{"event":"e","event":"f"}`, `[]`, `null`, ``, `{"event":"e","data":"\ud800"}`, "\xff",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		m, err := protocol.Decode(in)
		if err != nil {
			if e, ok := errors.AsType[*protocol.Error](err); !ok || e.Code != 0 || m != (protocol.Message{}) {
				t.Fatalf("Decode(%q) = %+v, %#v", in, m, err)
			}
			return
		}
		if m.Name == "" || !m.HasData && m.Data != "" {
			t.Fatalf("Decode(%q) = %+v", in, m)
		}
		event, channel, data := readBack(t, protocol.Event{Name: m.Name, Channel: m.Channel, Data: m.Data}.Frame())
		if event != m.Name || channel != m.Channel || data != m.Data {
			t.Fatalf("%+v comes out as %q %q %q", m, event, channel, data)
		}
	})
}

// Every frame is valid JSON in valid UTF-8, of which a client reads back what was valid, whatever the strings are.
func FuzzFrame(f *testing.F) {
	f.Add("order-paid", "orders", `{"id":7}`, "")
	f.Add("client-x", "presence-a", "\"\\\x00\x1f\x7f\u2028<&>", "42")
	f.Add("", "\xff", "\xed\xa0\x80", "\x80")
	f.Fuzz(func(t *testing.T, name, channel, data, userID string) {
		e := protocol.Event{Name: name, Channel: channel, Data: data, UserID: userID}
		frame := e.Frame()
		text := frame.JSON()
		if !utf8.Valid(text) || !jsontext.Value(text).IsValid() || !jsonv1.Valid(text) {
			t.Fatalf("%q is not JSON", text)
		}
		if got := e.AppendJSON(nil); string(got) != string(text) {
			t.Fatalf("AppendJSON = %s, Frame = %s", got, text)
		}
		if got := wireOf(t, frame.Wire()); len(got) != 1 || got[0] != string(text) {
			t.Fatalf("a client takes %q from the wire, want %q", got, text)
		}
		gotName, gotChannel, gotData := readBack(t, frame)
		for _, s := range [][2]string{{name, gotName}, {channel, gotChannel}, {data, gotData}} {
			if want := strings.ToValidUTF8(s[0], "\uFFFD"); s[1] != want {
				t.Fatalf("%q comes out as %q, want %q", s[0], s[1], want)
			}
		}
	})
}

var (
	channelPattern = regexp.MustCompile(`\A(#server-to-user-)?[-a-zA-Z0-9_=@,.;]+\z`)
	socketPattern  = regexp.MustCompile(`\A[0-9]+\.[0-9]+\z`)
)

// What the prefixes say is said a second time here, by segments.
func FuzzChannelNames(f *testing.F) {
	for _, s := range []string{
		"orders", "private-orders", "presence-cache-x", "private-encrypted-cache-x", "#server-to-user-42", "#x", "", "é", "a\n",
		"privateer", "private-encrypted", "cache-private-x", strings.Repeat("x", 165),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		wantErr := !channelPattern.MatchString(name) || len(name) > 164
		err := protocol.CheckChannel(name, 164)
		if (err != nil) != wantErr {
			t.Fatalf("CheckChannel(%q) = %v", name, err)
		}
		if r, ok := errors.AsType[*protocol.Rejection](err); err != nil && (!ok || len(r.Frames()) != 2) {
			t.Fatalf("CheckChannel(%q) = %#v", name, err)
		}
		k := protocol.KindOf(name)
		rest, private := strings.CutPrefix(name, "private-")
		_, presence := strings.CutPrefix(name, "presence-")
		if k.NeedsAuth() != (private || presence) || k.IsPresence() != presence {
			t.Fatalf("KindOf(%q) = %v", name, k)
		}
		if encrypted := private && strings.HasPrefix(rest, "encrypted-"); k.IsEncrypted() != encrypted {
			t.Fatalf("KindOf(%q) = %v, encrypted is %v", name, k, encrypted)
		}
		if !strings.Contains(name, "cache-") && k.IsCache() {
			t.Fatalf("KindOf(%q) = %v", name, k)
		}
		if user := strings.HasPrefix(name, protocol.ServerToUserPrefix); user != (k == protocol.ServerToUser) {
			t.Fatalf("KindOf(%q) = %v", name, k)
		}
	})
}

// Whatever a backend sends is refused in words, or keeps every limit.
func FuzzParseTrigger(f *testing.F) {
	for _, s := range []string{
		`{"name":"order-paid","channels":["a","b","a"],"data":"{\"id\":7}","socket_id":"1.1","info":"user_count"}`,
		`{"name":"e","channel":"a","data":""}`,
		`{"name":"e","channel":"#server-to-user-1","data":"x","info":"cache"}`,
		`{"name":5}`, `{"name":"e","channels":["a",5]}`, `{"name":"e","channels":[`, `[]`, `null`, ``,
		`{"batch":[{"name":"e","channel":"a","data":"1"},{"name":"e","channel":"b","data":"2","info":"user_count"}]}`,
		`{"n\u0061me":"\u0065","channels":["\u0061","b"],"data":"\\\ud83d\ude00\t"} `, `{"name":"e","n\u0061me":"e"}`, `{} {}`, `[{]`,
		`{"x":{"a":1,"a":2}}`, `{"name":"e",}`, `{"channels":[1,{"a":[}]}`, ` `, `nul`, `5 5`, `"\ud800"`, `{"data":"\ud800"}`, "{\"\xff\":1}",
		`{"batch":[null]}`, `{"batch":[5]}`, `{"batch":{}}`, `{"batch":[[]]}`,
	} {
		f.Add([]byte(s))
	}
	l := protocol.Limits{}.WithDefaults()
	check := func(t *testing.T, body []byte, r protocol.TriggerRequest) {
		t.Helper()
		if protocol.CheckEvent(r.Name, l.EventName) != nil || len(r.Data) > l.EventData || !utf8.ValidString(r.Data) {
			t.Fatalf("%q gives %+v", body, r)
		}
		if n := len(r.Channels); n == 0 || n > l.TriggerChannels {
			t.Fatalf("%q gives %d channels", body, n)
		}
		seen := make(map[string]bool)
		for _, c := range r.Channels {
			if seen[c] || protocol.CheckChannel(c, l.ChannelName) != nil {
				t.Fatalf("%q gives the channels %q", body, r.Channels)
			}
			seen[c] = true
		}
		if r.SocketID != "" && !socketPattern.MatchString(string(r.SocketID)) {
			t.Fatalf("%q gives the socket id %q", body, r.SocketID)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := protocol.ParseTrigger(body, protocol.Limits{})
		if err == nil {
			check(t, body, r)
		}
		checkRESTError(t, body, err)
		checkAsLibrary(t, body, r, err)
		batch, err := protocol.ParseBatch(body, protocol.Limits{})
		if err == nil && (len(batch) == 0 || len(batch) > l.BatchEvents) {
			t.Fatalf("%q gives a batch of %d", body, len(batch))
		}
		for _, r := range batch {
			check(t, body, r)
		}
		checkRESTError(t, body, err)
	})
}

// checkAsLibrary compares what ParseTrigger reads with what the library reads into a struct.
func checkAsLibrary(t *testing.T, body []byte, r protocol.TriggerRequest, err error) {
	t.Helper()
	var want struct {
		Name     jsontext.Value `json:"name"`
		Data     jsontext.Value `json:"data"`
		Channel  jsontext.Value `json:"channel"`
		Channels jsontext.Value `json:"channels"`
		SocketID jsontext.Value `json:"socket_id"`
		Info     jsontext.Value `json:"info"`
	}
	refused := json.Unmarshal(body, &want)
	if unread := err != nil && strings.HasPrefix(err.Error(), "Invalid request body"); unread != (refused != nil) {
		t.Fatalf("%q: %v, the library says %v", body, err, refused)
	}
	_, syntax := errors.AsType[*jsontext.SyntacticError](refused)
	if syntax && !strings.HasPrefix(err.Error(), "Invalid request body: it is not JSON from byte") {
		t.Fatalf("%q: %v, the library says %v", body, err, refused)
	}
	if err != nil {
		return
	}
	unquoted := func(v jsontext.Value) string {
		s, err := jsontext.AppendUnquote(nil, v)
		if err != nil {
			return ""
		}
		return string(s)
	}
	if r.Name != unquoted(want.Name) || r.Data != unquoted(want.Data) || string(r.SocketID) != unquoted(want.SocketID) {
		t.Fatalf("%q gives %+v", body, r)
	}
	channels := []string{unquoted(want.Channel)}
	if want.Channels.Kind() == '[' {
		if err := json.Unmarshal(want.Channels, &channels); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range channels {
		if !slices.Contains(r.Channels, name) {
			t.Fatalf("%q gives the channels %q, without %q", body, r.Channels, name)
		}
	}
}

func checkRESTError(t *testing.T, body []byte, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if r, ok := errors.AsType[*protocol.RESTError](err); !ok || r.Status != 400 && r.Status != 413 || r.Text == "" {
		t.Fatalf("%q: %#v", body, err)
	}
}

// Whoever is let onto a presence channel can be told to the others, in JSON that any parser takes.
func FuzzParseMember(f *testing.F) {
	for _, s := range []string{
		`{"user_id":"42","user_info":{"name":"Ada"}}`, `{"user_id":10}`, `{"user_id":1e400,"user_info":null}`,
		`{"user_id":"1","user_info":[]}`, `{"user_id":"1","user_info":{"a":"\u00e9\/"}}`, `{"user_id":""}`, `{}`, `null`, ``, "\xff",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, data string) {
		m, err := protocol.ParseMember(data, protocol.Limits{})
		if err != nil {
			if r, ok := errors.AsType[*protocol.Rejection](err); !ok || r.Message == "" || len(r.Frames()) != 2 {
				t.Fatalf("ParseMember(%q): %#v", data, err)
			}
			return
		}
		if m.UserID == "" || utf8.RuneCountInString(m.UserID) > 128 || len(m.UserInfo) > 1024 {
			t.Fatalf("ParseMember(%q) = %+v", data, m)
		}
		_, _, added := readBack(t, protocol.MemberAdded("presence-a", m).Frame())
		var got struct {
			UserID   string            `json:"user_id"`
			UserInfo jsonv1.RawMessage `json:"user_info"`
		}
		if err := jsonv1.Unmarshal([]byte(added), &got); err != nil || got.UserID != m.UserID {
			t.Fatalf("ParseMember(%q) is told as %s: %v", data, added, err)
		}
		if want := string(m.UserInfo); string(got.UserInfo) != want && (want != "" || string(got.UserInfo) != "{}") {
			t.Fatalf("ParseMember(%q) is told with user_info %s, want %s", data, got.UserInfo, want)
		}
	})
}

func FuzzParseSubscribe(f *testing.F) {
	for _, s := range []string{
		`{"auth":"","channel":"orders"}`,
		`{"auth":"KEY:ab","channel_data":"{\"user_id\":\"42\"}","channel":"presence-room"}`,
		`{"channel":"a","auth":null,"channel_data":null}`, `{"channel":5}`, `"a"`, `null`, ``, "\xff",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, data string) {
		s, err := protocol.ParseSubscribe(data)
		e, refused := errors.AsType[*protocol.Error](err)
		switch {
		case err == nil && (s.Channel == "" || !s.HasChannelData && s.ChannelData != ""):
			t.Fatalf("ParseSubscribe(%q) = %+v", data, s)
		case err != nil && (!refused || e.Code != 0 || s != (protocol.Subscribe{})):
			t.Fatalf("ParseSubscribe(%q) = %+v, %#v", data, s, err)
		}
		channel, err := protocol.ParseUnsubscribe(data)
		if (err == nil) != (channel != "") {
			t.Fatalf("ParseUnsubscribe(%q) = %q, %v", data, channel, err)
		}
	})
}
