package authz_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"hark/authz"
)

// An application answers what pusher-js asks before it subscribes: who it is says a session's cookie, who may do what say
// policies.
func ExampleEndpoint() {
	policies := authz.NewRegistry()
	policies.Handle("private-user={id}", authz.Owner("id"))
	policies.Handle("presence-lobby", authz.SignedIn())
	policies.HandleFunc("private-orders.{id}", func(_ context.Context, r authz.Request) (authz.Decision, error) {
		if r.Identity.HasRole("sales") {
			return authz.Allow(), nil
		}
		return authz.Deny("orders are for sales"), nil
	})
	endpoint, err := authz.NewEndpoint(authz.EndpointConfig{
		App:      "1",
		Key:      authz.Key{Key: "app-key", Secret: "app-secret"},
		Policies: policies,
		Authenticator: authz.AuthenticatorFunc(func(_ context.Context, r *http.Request) (authz.Identity, error) {
			session, err := r.Cookie("session")
			switch {
			case err != nil:
				return authz.Identity{}, nil // a guest
			case session.Value != "ada's": // looked up where sessions are kept
				return authz.Identity{}, authz.ErrUnauthenticated
			}
			return authz.Identity{ID: "7", Info: []byte(`{"name":"Ada"}`)}, nil
		}),
		Origins: []string{"https://app.example"},
	})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/pusher/auth", endpoint.ServeChannels)
	mux.HandleFunc("/pusher/user-auth", endpoint.ServeUsers)

	ask := func(path, session, body string) {
		r := httptest.NewRequest("POST", path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.AddCookie(&http.Cookie{Name: "session", Value: session})
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Body)
	}
	ask("/pusher/auth", "ada's", "socket_id=123.456&channel_name=private-user%3D7")
	ask("/pusher/auth", "ada's", "socket_id=123.456&channel_name=presence-lobby")
	ask("/pusher/auth", "ada's", "socket_id=123.456&channel_name=private-orders.12")
	ask("/pusher/auth", "eve's", "socket_id=123.456&channel_name=private-user%3D7")
	ask("/pusher/user-auth", "ada's", "socket_id=123.456")
	// Output:
	// 200 {"auth":"app-key:fb3ce1204efacd54702734d6e35454c362e9c511de6241d31beee1887a66ff42"}
	// 200 {"auth":"app-key:59d8ea5bce948f13c843af850f199476cae6762a380b91dbfa4f87bf8c0e00a4","channel_data":"{\"user_id\":\"7\",\"user_info\":{\"name\":\"Ada\"}}"}
	// 403 {"error":"Not allowed: sign in as somebody who may"}
	// 401 {"error":"The credentials are wrong or have expired: sign in again"}
	// 200 {"auth":"app-key:72ed372a1f75b705bcc663f1eea0a645fa60fe51364fd348091f7606951da68e","user_data":"{\"id\":\"7\",\"user_info\":{\"name\":\"Ada\"}}"}
}
