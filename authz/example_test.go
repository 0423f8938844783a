package authz_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"hark/authz"
	"hark/protocol"
)

// An auth endpoint signs what a socket may subscribe to; the server checks it when the subscribe comes.
func ExampleVerifier_VerifyChannel() {
	keys := authz.Keys{{Key: "app-key", Secret: "app-secret"}}
	verifier := authz.NewVerifier(keys)
	auth := keys[0].ChannelAuth("123.456", "private-orders", "", false)

	fmt.Println(verifier.VerifyChannel("123.456", protocol.Subscribe{Channel: "private-orders", Auth: auth}))
	fmt.Println(verifier.VerifyChannel("123.456", protocol.Subscribe{Channel: "private-orders"}))
	fmt.Println(verifier.VerifyChannel("123.456", protocol.Subscribe{Channel: "private-orders", Auth: "other:0000"}))
	// Output:
	// <nil>
	// Auth info required to subscribe to private-orders
	// Invalid key in subscription auth data: 'other'
}

// A backend signs a request; a handler of the REST API checks it.
func ExampleVerifier_VerifyREST() {
	keys := authz.Keys{{Key: "app-key", Secret: "app-secret"}}
	verifier := authz.NewVerifier(keys)
	const body = `{"name":"order-paid","channels":["orders"],"data":"{\"id\":7}"}`
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := verifier.VerifyREST(authz.RESTRequest{
			Method:   r.Method,
			Path:     r.URL.Path,
			RawPath:  r.URL.EscapedPath(),
			RawQuery: r.URL.RawQuery,
			Body:     []byte(body), // read from r.Body with a limit
		}, time.Now())
		switch refused, _ := errors.AsType[*protocol.RESTError](err); {
		case errors.Is(err, authz.ErrUnknownKey):
			fmt.Println("not a key of this app")
		case refused != nil:
			fmt.Println(refused.Status, refused.Text)
		default:
			fmt.Println("accepted")
		}
	})

	send := func(k authz.Key) {
		query := authz.SignREST(k, "POST", "/apps/1/events", nil, []byte(body), time.Now())
		r := httptest.NewRequest("POST", "/apps/1/events?"+query.Encode(), strings.NewReader(body))
		handler.ServeHTTP(httptest.NewRecorder(), r)
	}
	send(keys[0])
	send(authz.Key{Key: "other-key", Secret: "other-secret"})
	// Output:
	// accepted
	// not a key of this app
}

func ExampleRESTString() {
	fmt.Println(authz.RESTString("GET", "/apps/1/channels", []authz.Param{
		{Key: "info", Value: "user_count"},
		{Key: "auth_version", Value: "1.0"},
		{Key: "auth_timestamp", Value: "1700000000"},
		{Key: "auth_key", Value: "app-key"},
	}))
	// Output:
	// GET
	// /apps/1/channels
	// auth_key=app-key&auth_timestamp=1700000000&auth_version=1.0&info=user_count
}

// A Secret does not show itself.
func ExampleSecret() {
	key := authz.Key{Key: "app-key", Secret: "app-secret"}
	fmt.Printf("%v %+v %q\n", key, key, key.Secret)
	// Output: {app-key [secret]} {Key:app-key Secret:[secret]} [secret]
}
