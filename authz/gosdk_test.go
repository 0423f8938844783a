package authz_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/pusher/pusher-http-go/v5"

	"hark/authz"
	"hark/protocol"
)

// A verifier is a server that answers whoever has signed.
type verifier struct{ *authz.Verifier }

func (v verifier) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	status, answer := http.StatusOK, "{}"
	if _, err := v.VerifyREST(authz.RESTRequest{Method: r.Method, Path: r.URL.Path, RawPath: r.URL.EscapedPath(),
		RawQuery: r.URL.RawQuery, Body: body}, time.Now()); err != nil {
		status, answer = http.StatusUnauthorized, err.Error()
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(answer)), Request: r}, nil
}

func goSDK(secret string) *pusher.Client {
	return &pusher.Client{AppID: "1", Key: "new-key", Secret: secret, Host: "example.com",
		HTTPClient: &http.Client{Transport: verifier{both}}}
}

// The official Go SDK signs its requests itself; every call must be let in, and none with another secret.
func TestGoSDK(t *testing.T) {
	t.Parallel()
	counts := "user_count,subscription_count"
	prefix := "presence-a;b"
	calls := map[string]func(*pusher.Client) error{
		"trigger": func(c *pusher.Client) error {
			return c.Trigger("a@b.c,d;e=f_g-1", "e", map[string]string{"ü": "🎈"})
		},
		"exclusive": func(c *pusher.Client) error {
			return c.TriggerMultiExclusive([]string{"a", "b"}, "e", "x", "123.456")
		},
		"batch": func(c *pusher.Client) error {
			_, err := c.TriggerBatch([]pusher.Event{{Channel: "a", Name: "e", Data: "1"}})
			return err
		},
		"channels": func(c *pusher.Client) error {
			_, err := c.Channels(pusher.ChannelsParams{FilterByPrefix: &prefix, Info: &counts})
			return err
		},
		"channel": func(c *pusher.Client) error {
			_, err := c.Channel("presence-a@b.c,d;e=f_g-1", pusher.ChannelParams{Info: &counts})
			return err
		},
		"users":        func(c *pusher.Client) error { _, err := c.GetChannelUsers("presence-a"); return err },
		"send to user": func(c *pusher.Client) error { return c.SendToUser("42", "e", "x") },
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := call(goSDK("new-secret")); err != nil {
				t.Errorf("%v, want to be let in", err)
			}
			if err := call(goSDK("old-secret")); err == nil || !strings.Contains(err.Error(), "Invalid signature") {
				t.Errorf("with another secret: %v, want Invalid signature", err)
			}
		})
	}
}

// What the official Go SDK signs for clients, and what it accepts as signed by the server.
func TestGoSDKSignatures(t *testing.T) {
	t.Parallel()
	sdk := goSDK("new-secret")
	answer, err := sdk.AuthorizePresenceChannel([]byte("socket_id=123456.7890123&channel_name=presence-a"),
		pusher.MemberData{UserID: "42", UserInfo: map[string]string{"name": "<Zoë>"}})
	if err != nil {
		t.Fatal(err)
	}
	var granted struct {
		Auth        string `json:"auth"`
		ChannelData string `json:"channel_data"`
		UserData    string `json:"user_data"`
	}
	if err := json.Unmarshal(answer, &granted); err != nil {
		t.Fatal(err)
	}
	s := protocol.Subscribe{Channel: "presence-a", Auth: granted.Auth, ChannelData: granted.ChannelData, HasChannelData: true}
	if err := both.VerifyChannel(socketID, s); err != nil {
		t.Errorf("presence channel: %v", err)
	}

	answer, err = sdk.AuthenticateUser([]byte("socket_id=123456.7890123"), map[string]any{"id": "42"})
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(answer, &granted); err != nil {
		t.Fatal(err)
	}
	_, signature, _ := strings.Cut(granted.Auth, ":")
	if !authz.Verify("new-secret", authz.UserString(socketID, granted.UserData), signature) {
		t.Errorf("user: Verify of %s = false", answer)
	}

	body := []byte(`{"time_ms":1700000000123,"events":[{"name":"channel_occupied","channel":"orders"}]}`)
	header := http.Header{"X-Pusher-Key": {"new-key"}, "X-Pusher-Signature": {authz.SignWebhook("new-secret", body)}}
	if _, err := sdk.Webhook(header, body); err != nil {
		t.Errorf("webhook: %v", err)
	}
	if _, err := sdk.Webhook(header, bytes.ToUpper(body)); err == nil {
		t.Error("webhook with another body: nil, want an error")
	}
}
