package callback_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/go-json-experiment/json"

	"hark/authz"
	"hark/httpapi/callback"
)

// An application that answers one kind, and the policies that ask it.
func Example() {
	key := authz.Key{Key: "app-key", Secret: "app-secret"}
	application := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if !authz.VerifyWebhook(key.Secret, body, r.Header.Get("X-Pusher-Signature")) {
			http.Error(w, "not from our server", http.StatusBadRequest)
			return
		}
		var q struct {
			User *struct {
				ID string `json:"id"`
			} `json:"user"`
			Params map[string]string `json:"params"`
		}
		if err := json.Unmarshal(body, &q); err != nil || q.User == nil || q.Params["owner"] != q.User.ID {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		io.WriteString(w, `{"allow":true,"cache":30}`)
	}))
	defer application.Close()

	asks, err := callback.New(callback.Config{App: "1", Key: key, URL: application.URL})
	if err != nil {
		panic(err)
	}
	policies := authz.NewRegistry()
	policies.Handle("private-orders.{owner}", asks.Policy())

	for _, channel := range []string{"private-orders.7", "private-orders.9"} {
		_, err := policies.Decide(context.Background(), authz.Request{App: "1", Channel: channel, Identity: authz.Identity{ID: "7"}})
		fmt.Println(channel, err == nil)
	}
	// Output:
	// private-orders.7 true
	// private-orders.9 false
}
