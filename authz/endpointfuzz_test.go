package authz_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"hark/authz"
	"hark/protocol"
)

// FuzzEndpoint sends any body. The answer is JSON and, since everybody of the application answers, no 5xx; what is signed
// is for the socket and the channel that the answer is about, and for no more.
func FuzzEndpoint(f *testing.F) {
	for _, body := range []string{
		"", subscribe("private-open"), subscribe("presence-room"), subscribe("private-encrypted-secret"), "socket_id=1.2&channel_name=%zz",
		"&socket_id=1.2&channel_name[0]=private-open&channel_name[1]=presence-room&channel_name[]=public&a=b;c",
		`{"socket_id":"1.2","channel_name":"private-open"}`, `{"socket_id":1.2,"channel_name":["private-open"]}`, `{"socket_id":"1.2"}`, "null",
		"socket_id=1.2&channel_name=private-open:{}", "\xff", `{"channel_name":"\ud800"}`,
	} {
		for _, contentType := range []string{formType, "application/json", "text/plain"} {
			f.Add(contentType, body)
		}
	}
	g := authz.NewRegistry()
	g.Handle("{anything...}", allow)
	c := endpointConfig()
	c.Policies = g
	e := newEndpoint(f, c)
	verifier := authz.NewVerifier(authz.Keys{endpointKey})
	type answer struct {
		Auth        string  `json:"auth"`
		ChannelData *string `json:"channel_data"`
	}
	check := func(t *testing.T, channel string, a answer) {
		s := protocol.Subscribe{Channel: channel, Auth: a.Auth, HasChannelData: a.ChannelData != nil}
		if a.ChannelData != nil {
			s.ChannelData = *a.ChannelData
		}
		if s.HasChannelData != protocol.KindOf(channel).IsPresence() {
			t.Errorf("channel_data of %q: %v", channel, s.HasChannelData)
		}
		if err := verifier.VerifyChannel("1.2", s); err != nil {
			t.Errorf("signed for %q: %v", channel, err)
		}
	}
	f.Fuzz(func(t *testing.T, contentType, body string) {
		for name, serve := range map[string]http.HandlerFunc{"channels": e.ServeChannels, "users": e.ServeUsers} {
			w := send(serve, "7", contentType, body)
			text := w.Body.Bytes()
			if w.Code >= 500 || !jsontext.Value(text).IsValid() || w.Header().Get("Content-Type") != "application/json" {
				t.Fatalf("%s: %d %s", name, w.Code, text)
			}
			if w.Code != http.StatusOK || name == "users" || !strings.Contains(body, "1.2") {
				continue
			}
			if form, err := readFields(contentType, body); err == nil && form["socket_id"] == "1.2" && form["channel_name"] != "" {
				var a answer
				if err := json.Unmarshal(text, &a); err != nil {
					t.Fatal(err)
				}
				check(t, form["channel_name"], a)
			}
			var many map[string]struct {
				Status int    `json:"status"`
				Data   answer `json:"data"`
				Error  string `json:"error"`
			}
			if json.Unmarshal(text, &many) != nil {
				continue
			}
			for channel, result := range many {
				if (result.Status == http.StatusOK) != (result.Data.Auth != "") || result.Status >= 500 {
					t.Errorf("%q: %+v", channel, result)
				}
			}
		}
	})
}

// readFields reads the fields of a JSON body by other means than the Endpoint does.
func readFields(contentType, body string) (map[string]string, error) {
	if contentType != "application/json" {
		return nil, fmt.Errorf("%s is no JSON", contentType)
	}
	var fields map[string]any
	if err := json.Unmarshal([]byte(body), &fields); err != nil {
		return nil, err
	}
	texts := make(map[string]string)
	for name, value := range fields {
		if text, ok := value.(string); ok {
			texts[name] = text
		}
	}
	return texts, nil
}
