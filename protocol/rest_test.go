package protocol_test

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"hark/protocol"
)

const (
	wantName = "Expected name parameter to be a string"
	wantData = "Expected data parameter to be a string: encode other values as JSON first"
	tooLarge = "The data content of this event exceeds the allowed maximum (10240 bytes). " +
		"See https://pusher.com/docs/channels/server_api/http-api#publishing-events for more info"
)

// channelList returns a JSON array of n channel names.
func channelList(n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf(`"c%d"`, i)
	}
	return "[" + strings.Join(names, ",") + "]"
}

func TestParseTrigger(t *testing.T) {
	one := func(name, data string, channels ...string) protocol.TriggerRequest {
		return protocol.TriggerRequest{Name: name, Data: data, Channels: channels}
	}
	for _, c := range []struct {
		name string
		body string
		want protocol.TriggerRequest
	}{
		{"Node, Go and Python name channels", `{"name":"order-paid","channels":["orders"],"data":"{\"id\":7}"}`,
			one("order-paid", `{"id":7}`, "orders")},
		{"PHP names one channel", `{"name":"order-paid","data":"\"hello\"","channel":"orders"}`,
			one("order-paid", `"hello"`, "orders")},
		{"everything", `{"name":"order-paid","channels":["a","b"],"data":"x","socket_id":"123456.7890123","info":"user_count,subscription_count"}`,
			protocol.TriggerRequest{Name: "order-paid", Data: "x", Channels: []string{"a", "b"}, SocketID: "123456.7890123",
				Info: protocol.InfoUserCount | protocol.InfoSubscriptionCount}},
		{"plain text", `{"name":"e","channel":"a","data":"hello"}`, one("e", "hello", "a")},
		{"empty data", `{"name":"e","channel":"a","data":""}`, one("e", "", "a")},
		{"UTF-8", `{"name":"é","channels":["orders"],"data":"ü🎈\u2028"}`, one("é", "ü🎈\u2028", "orders")},
		{"escapes inside of data stay", `{"name":"e","channel":"a","data":"{\"a\":\"\\u00e9\\/\"}"}`, one("e", `{"a":"\u00e9\/"}`, "a")},
		{"channels wins", `{"name":"e","channel":"a b","channels":["b"],"data":"x"}`, one("e", "x", "b")},
		{"null channels", `{"name":"e","channel":"a","channels":null,"data":"x"}`, one("e", "x", "a")},
		{"the same channel twice", `{"name":"e","channels":["a","b","a","b"],"data":"x"}`, one("e", "x", "a", "b")},
		{"to a user", `{"name":"e","channels":["#server-to-user-42"],"data":"x"}`, one("e", "x", "#server-to-user-42")},
		{"null for what is optional", `{"name":"e","channel":"a","data":"x","socket_id":null,"info":null}`, one("e", "x", "a")},
		{"no info", `{"name":"e","channel":"a","data":"x","info":""}`, one("e", "x", "a")},
		{"unknown fields", `{"name":"e","channel":"a","data":"x","tags":{"a":1},"user_id":"1"}`, one("e", "x", "a")},
		{"a client event from the backend", `{"name":"client-x","channel":"private-a","data":"x"}`, one("client-x", "x", "private-a")},
	} {
		got, err := protocol.ParseTrigger([]byte(c.body), protocol.Limits{})
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: ParseTrigger(%s) = %+v, %v, want %+v", c.name, c.body, got, err, c.want)
		}
	}
}

func TestParseTriggerRefuses(t *testing.T) {
	for _, c := range []struct {
		name, body, text string
	}{
		{"empty", ``, "Invalid request body: it is not JSON from byte 0 on"},
		{"not JSON", `name=e`, "Invalid request body: it is not JSON from byte"},
		{"array", `[]`, "Invalid request body: it must be a JSON object"},
		{"name twice", `{"name":"e","name":"f","channel":"a","data":"x"}`, "Invalid request body"},
		{"not UTF-8", "{\"name\":\"e\",\"channel\":\"a\",\"data\":\"\xff\"}", "Invalid request body"},
		{"something after", `{"name":"e","channel":"a","data":"x"}}`, "Invalid request body"},
		{"nested too deep", strings.Repeat(`{"a":`, 20000), "Invalid request body"},

		{"null", `null`, wantName},
		{"no name", `{"channel":"a","data":"x"}`, wantName},
		{"name a number", `{"name":5,"channel":"a","data":"x"}`, wantName},
		{"name null", `{"name":null,"channel":"a","data":"x"}`, wantName},
		{"name empty", `{"name":"","channel":"a","data":"x"}`, "Invalid event name: it is empty"},
		{"name reserved", `{"name":"pusher:ping","channel":"a","data":"x"}`, "are reserved"},
		{"name reserved inside", `{"name":"pusher_internal:x","channel":"a","data":"x"}`, "are reserved"},
		{"name of 201", `{"name":"` + strings.Repeat("x", 201) + `","channel":"a","data":"x"}`, "longer than 200 characters"},

		{"no data", `{"name":"e","channel":"a"}`, wantData},
		{"data null", `{"name":"e","channel":"a","data":null}`, wantData},
		{"data an object", `{"name":"e","channel":"a","data":{"id":7}}`, wantData},
		{"data a number", `{"name":"e","channel":"a","data":7}`, wantData},

		{"no channel", `{"name":"e","data":"x"}`, "Expected channel parameter to be a string"},
		{"channel a number", `{"name":"e","channel":5,"data":"x"}`, "Expected channel parameter to be a string"},
		{"channel an array", `{"name":"e","channel":["a"],"data":"x"}`, "Expected channel parameter to be a string"},
		{"channels a string", `{"name":"e","channels":"a","data":"x"}`, "Expected channels parameter to be an array of strings"},
		{"channels an object", `{"name":"e","channels":{"0":"a"},"data":"x"}`, "Expected channels parameter to be an array of strings"},
		{"channels with a number", `{"name":"e","channels":["a",5],"data":"x"}`, "Expected channel parameter to be a string"},
		{"no channels", `{"name":"e","channels":[],"data":"x"}`, "Expected channels parameter to have at least one item"},
		{"101 channels", `{"name":"e","channels":` + channelList(101) + `,"data":"x"}`, "at most 100 items, not 101"},
		{"channels cut", `{"name":"e","channels":["a"`, "Invalid request body"},
		{"bad channel", `{"name":"e","channels":["a","b c"],"data":"x"}`, `Invalid channel name "b c"`},
		{"empty channel", `{"name":"e","channel":"","data":"x"}`, "Invalid channel name: it is empty"},
		{"long channel", `{"name":"e","channel":"` + strings.Repeat("x", 165) + `","data":"x"}`, "longer than 164 characters"},
		{"reserved channel", `{"name":"e","channel":"#private-a","data":"x"}`, "# is reserved"},

		{"socket_id a number", `{"name":"e","channel":"a","data":"x","socket_id":1.1}`, "Expected socket_id parameter to be a string"},
		{"socket_id empty", `{"name":"e","channel":"a","data":"x","socket_id":""}`, "Invalid socket_id"},
		{"socket_id a UUID", `{"name":"e","channel":"a","data":"x","socket_id":"5f0c9b3e-7b62"}`, "Invalid socket_id"},
		{"socket_id with more", `{"name":"e","channel":"a","data":"x","socket_id":"1.1:x"}`, "Invalid socket_id"},
		{"info unknown", `{"name":"e","channel":"a","data":"x","info":"user_count,members"}`, `unknown attribute "members"`},
		{"info empty inside", `{"name":"e","channel":"a","data":"x","info":"user_count,"}`, `unknown attribute ""`},
		{"info an array", `{"name":"e","channel":"a","data":"x","info":["user_count"]}`, "Expected info parameter to be a string"},
		{"info cache", `{"name":"e","channel":"a","data":"x","info":"cache"}`, "cache is not available here"},
	} {
		got, err := protocol.ParseTrigger([]byte(c.body), protocol.Limits{})
		checkRefused(t, c.name, err, 400, c.text)
		if !reflect.DeepEqual(got, protocol.TriggerRequest{}) && err == nil {
			t.Errorf("%s: got %+v", c.name, got)
		}
	}
}

func checkRefused(t *testing.T, name string, err error, status int, text string) {
	t.Helper()
	r, ok := errors.AsType[*protocol.RESTError](err)
	if !ok || r.Status != status || !strings.Contains(r.Text, text) || strings.HasSuffix(r.Text, "\n") {
		t.Errorf("%s: %#v, want %d %q", name, err, status, text)
	}
}

// The last that each limit lets pass, and the first it does not.
func TestTriggerLimits(t *testing.T) {
	trigger := func(data string) []byte {
		return fmt.Appendf(nil, `{"name":"e","channel":"a","data":"%s"}`, data)
	}
	for name, data := range map[string]string{
		"text":                          strings.Repeat("x", 10240),
		"two bytes a character":         strings.Repeat("é", 5120),
		"escapes count as what they be": strings.Repeat(`\"`, 10240),
		"every byte in six":             strings.Repeat(`\u0041`, 10240),
	} {
		got, err := protocol.ParseTrigger(trigger(data), protocol.Limits{})
		if err != nil || len(got.Data) != 10240 {
			t.Errorf("%s: 10240 bytes of data: %d bytes, %v", name, len(got.Data), err)
		}
		_, err = protocol.ParseTrigger(trigger(data+"x"), protocol.Limits{})
		checkRefused(t, name+" and one more", err, 413, tooLarge)
	}
	_, err := protocol.ParseTrigger(trigger("four!"), protocol.Limits{EventData: 4})
	checkRefused(t, "a limit of 4", err, 413, "(4 bytes)")
	if _, err := protocol.ParseTrigger(trigger(strings.Repeat("x", 1<<20)), protocol.Limits{EventData: -1}); err != nil {
		t.Errorf("without a limit: %v", err)
	}

	hundred := []byte(`{"name":"` + strings.Repeat("é", 200) + `","channels":` + channelList(100) + `,"data":"x"}`)
	if got, err := protocol.ParseTrigger(hundred, protocol.Limits{}); err != nil || len(got.Channels) != 100 {
		t.Errorf("100 channels and a name of 200: %d channels, %v", len(got.Channels), err)
	}
	many := []byte(`{"name":"e","channels":` + channelList(50000) + `,"data":"x"}`)
	if got, err := protocol.ParseTrigger(many, protocol.Limits{TriggerChannels: -1}); err != nil || len(got.Channels) != 50000 {
		t.Errorf("without a limit of channels: %d channels, %v", len(got.Channels), err)
	}
}

func batchOf(items ...string) []byte { return []byte(`{"batch":[` + strings.Join(items, ",") + `]}`) }

func TestParseBatch(t *testing.T) {
	got, err := protocol.ParseBatch(batchOf(
		`{"name":"e","channel":"a","data":"1"}`,
		`{"name":"f","channel":"presence-b","data":"","socket_id":"1.1","info":"user_count"}`,
		`{"name":"e","channel":"a","data":"2","channels":["ignored here",5]}`,
	), protocol.Limits{})
	want := protocol.BatchRequest{
		{Name: "e", Data: "1", Channels: []string{"a"}},
		{Name: "f", Channels: []string{"presence-b"}, SocketID: "1.1", Info: protocol.InfoUserCount},
		{Name: "e", Data: "2", Channels: []string{"a"}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("ParseBatch = %+v, %v, want %+v", got, err, want)
	}
}

func TestBatchLimits(t *testing.T) {
	full := `{"name":"e","channel":"a","data":"` + strings.Repeat("x", 10240) + `"}`
	items := make([]string, 0, 11)
	for range 10 {
		items = append(items, full)
	}
	if got, err := protocol.ParseBatch(batchOf(items...), protocol.Limits{}); err != nil || len(got) != 10 {
		t.Errorf("10 full events: %d, %v", len(got), err)
	}
	_, err := protocol.ParseBatch(batchOf(append(items, full)...), protocol.Limits{})
	checkRefused(t, "11 events", err, 400, "Expected batch parameter to have at most 10 items, not 11")
	if got, err := protocol.ParseBatch(batchOf(append(items, full)...), protocol.Limits{BatchEvents: -1}); err != nil || len(got) != 11 {
		t.Errorf("11 events without a limit: %d, %v", len(got), err)
	}
}

func TestParseBatchRefuses(t *testing.T) {
	const good = `{"name":"e","channel":"a","data":"1"}`
	for _, c := range []struct {
		name   string
		body   []byte
		status int
		text   string
	}{
		{"empty", nil, 400, "Invalid request body"},
		{"not JSON", []byte(`{"batch":[`), 400, "Invalid request body"},
		{"array", []byte(`[` + good + `]`), 400, "Invalid request body: it must be a JSON object"},
		{"no batch", []byte(`{}`), 400, "Expected batch parameter to be an array of events"},
		{"batch null", []byte(`{"batch":null}`), 400, "Expected batch parameter to be an array of events"},
		{"batch an object", []byte(`{"batch":` + good + `}`), 400, "Expected batch parameter to be an array of events"},
		{"no events", batchOf(), 400, "Expected batch parameter to have at least one item"},
		{"an event that is a number", batchOf(good, `5`), 400, "Invalid request body: it must be a JSON object"},
		{"an event that is null", batchOf(good, `null`), 400, "batch[1]: " + wantName},
		{"the last is wrong", batchOf(good, good, `{"name":"e","channel":"a b","data":"1"}`), 400, `batch[2]: Invalid channel name "a b"`},
		{"no channel", batchOf(`{"name":"e","data":"1"}`), 400, "batch[0]: Expected channel parameter to be a string"},
		{"channels", batchOf(`{"name":"e","channels":["a"],"data":"1"}`), 400, "batch[0]: Expected channel parameter to be a string"},
		{"data an object", batchOf(`{"name":"e","channel":"a","data":{}}`), 400, "batch[0]: " + wantData},
		{"too large", batchOf(good, `{"name":"e","channel":"a","data":"`+strings.Repeat("x", 10241)+`"}`), 413, "batch[1]: " + tooLarge},
		{"socket_id", batchOf(`{"name":"e","channel":"a","data":"1","socket_id":"x"}`), 400, "batch[0]: Invalid socket_id"},
	} {
		got, err := protocol.ParseBatch(c.body, protocol.Limits{})
		checkRefused(t, c.name, err, c.status, c.text)
		if got != nil {
			t.Errorf("%s: got %+v beside an error", c.name, got)
		}
	}
}

// A body may be a megabyte of brackets; reading it must not take many times that.
func TestBatchOfManyEmptyEvents(t *testing.T) {
	body := []byte(`{"batch":[` + strings.Repeat(`{},`, 300000) + `{}]}`)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := protocol.ParseBatch(body, protocol.Limits{})
	runtime.ReadMemStats(&after)
	checkRefused(t, "300001 events", err, 400, "at most 10 items, not 300001")
	if got := after.TotalAlloc - before.TotalAlloc; got > 64<<10 {
		t.Errorf("reading it allocates %d bytes", got)
	}
}

func TestParseInfo(t *testing.T) {
	for s, want := range map[string]protocol.Info{
		"":                              0,
		"user_count":                    protocol.InfoUserCount,
		"subscription_count,user_count": protocol.InfoUserCount | protocol.InfoSubscriptionCount,
		"user_count, cache":             protocol.InfoUserCount | protocol.InfoCache,
		"cache,cache":                   protocol.InfoCache,
	} {
		if got, err := protocol.ParseInfo(s); err != nil || got != want {
			t.Errorf("ParseInfo(%q) = %b, %v, want %b", s, got, err, want)
		}
	}
	for _, s := range []string{"users", "user_count,", ",", "User_Count", "user_count;cache"} {
		_, err := protocol.ParseInfo(s)
		checkRefused(t, s, err, 400, "Invalid info parameter")
	}
	both := protocol.InfoUserCount | protocol.InfoCache
	if !both.Has(protocol.InfoCache) || both.Has(protocol.InfoSubscriptionCount) || both.Has(both|protocol.InfoSubscriptionCount) {
		t.Error("Has is wrong")
	}
}

// The shapes that the PHP and Go SDKs insist on.
func TestResponses(t *testing.T) {
	for _, c := range []struct {
		response any
		want     string
	}{
		{protocol.TriggerResponse{}, `{}`},
		{protocol.TriggerResponse{Channels: map[string]protocol.ChannelState{
			"presence-a": {UserCount: new(42), SubscriptionCount: new(51)}, "b": {}}},
			`{"channels":{"b":{},"presence-a":{"user_count":42,"subscription_count":51}}}`},
		{protocol.BatchResponse{}, `{}`},
		{protocol.BatchResponse{Batch: []protocol.ChannelState{{SubscriptionCount: new(1)}, {}}},
			`{"batch":[{"subscription_count":1},{}]}`},
		{protocol.ChannelsResponse{}, `{"channels":{}}`},
		{protocol.ChannelsResponse{Channels: map[string]protocol.ChannelState{"presence-a": {UserCount: new(2)}}},
			`{"channels":{"presence-a":{"user_count":2}}}`},
		{protocol.ChannelState{Occupied: new(false), UserCount: new(0), SubscriptionCount: new(0)},
			`{"occupied":false,"user_count":0,"subscription_count":0}`},
		{protocol.UsersResponse{}, `{"users":[]}`},
		{protocol.UsersResponse{Users: []protocol.UserResponse{{ID: "1"}, {ID: "2"}}}, `{"users":[{"id":"1"},{"id":"2"}]}`},
	} {
		got, err := json.Marshal(c.response, json.Deterministic(true))
		if err != nil || string(got) != c.want {
			t.Errorf("%T:\n got %s, %v\nwant %s", c.response, got, err, c.want)
		}
		if !jsontext.Value(got).IsValid() {
			t.Errorf("%T is not JSON", c.response)
		}
	}
}
