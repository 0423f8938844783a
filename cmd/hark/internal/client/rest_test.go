package client_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hark/authz"
	"hark/cmd/hark/internal/client"
	"hark/cmd/hark/internal/credentials"
	"hark/protocol"
)

var key = authz.Key{Key: "app-key", Secret: "app-secret"}

func target(base string) credentials.URL {
	u, err := credentials.Parse(strings.Replace(base, "://", "://app-key:app-secret@", 1) + "/apps/1001")
	if err != nil {
		panic(err)
	}
	return u
}

// backend answers requests whose signature is right, below a prefix as a proxy would have it.
func backend(t *testing.T, answers map[string]string) *client.Client {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/ws/", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		signed := authz.RESTRequest{
			Method: r.Method, Path: strings.TrimPrefix(r.URL.Path, "/ws"), RawQuery: r.URL.RawQuery, Body: body,
		}
		if _, err := authz.NewVerifier(authz.Keys{key}).VerifyREST(signed, time.Now()); err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		query := r.URL.Query()
		call := r.Method + " " + signed.Path + " " + query.Get("filter_by_prefix") + " " + query.Get("info") + " " + string(body)
		answer, ok := answers[call]
		if !ok {
			t.Errorf("unexpected call %q", call)
		}
		_, _ = io.WriteString(w, answer)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return &client.Client{URL: target(server.URL + "/ws")}
}

func TestREST(t *testing.T) {
	c := backend(t, map[string]string{
		`POST /apps/1001/events   {"name":"e","data":"{\"a\": 1}","channels":["a","b"],"socket_id":"1.2","info":"subscription_count"}`: `{"channels":{"a":{"subscription_count":3},"b":{}}}`,
		`GET /apps/1001/channels presence- user_count `:       `{"channels":{"presence-x":{"user_count":2}}}`,
		`GET /apps/1001/channels/presence-a@b,c;d=1/users   `: `{"users":[{"id":"1"},{"id":"2"}]}`,
	})
	triggered, err := c.Trigger(t.Context(), client.Trigger{
		Name: "e", Data: `{"a": 1}`, Channels: []string{"a", "b"}, SocketID: "1.2", Info: "subscription_count",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]protocol.ChannelState{"a": {SubscriptionCount: new(3)}, "b": {}}
	if diff := cmp.Diff(want, triggered.Channels); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	channels, err := c.Channels(t.Context(), "presence-", "user_count")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]protocol.ChannelState{"presence-x": {UserCount: new(2)}}, channels.Channels); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	users, err := c.Users(t.Context(), "presence-a@b,c;d=1")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]protocol.UserResponse{{ID: "1"}, {ID: "2"}}, users.Users); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestRESTErrors(t *testing.T) {
	c := backend(t, map[string]string{"GET /apps/1001/channels   ": "<html>not a channels server</html>"})
	if _, err := c.Channels(t.Context(), "", ""); err == nil || !strings.Contains(err.Error(), "not the JSON of a Pusher server") {
		t.Errorf("got %v for an answer that is a page", err)
	}
	c.URL.App.Key.Secret = "another"
	_, err := c.Users(t.Context(), "presence-x")
	refused, ok := errors.AsType[*client.ServerError](err)
	if !ok || refused.Status != http.StatusUnauthorized || !refused.Unauthorized() || !strings.HasPrefix(refused.Text, "Invalid signature") {
		t.Errorf("got %v for a wrong secret, want the server's words with 401", err)
	}
	c.URL.Host = "127.0.0.1:1"
	_, err = c.Users(t.Context(), "presence-x")
	if e, ok := errors.AsType[*client.ConnectError](err); !ok || strings.Contains(e.Error(), "auth_signature") {
		t.Errorf("got %v where nobody listens, want a ConnectError without the signed query", err)
	}
}
