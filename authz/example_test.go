package authz_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"hark/authz"
	"hark/protocol"
)

// Three policies: everybody has a channel of their own, documents are for everybody who is signed in, and salaries for some.
func ExampleRegistry() {
	policies := authz.NewRegistry()
	policies.Handle("private-user={id}", authz.Owner("id"))
	policies.Handle("private-doc.{type}.{name...}", authz.SignedIn())
	policies.Handle("private-doc.salary.{name...}", authz.RoleIn("hr"))

	ada := authz.Identity{ID: "ada", Roles: []string{"editor"}}
	for _, channel := range []string{
		"private-user=ada",
		"private-user=eve",
		"private-doc." + protocol.EscapeSegment("Sales Order") + "." + protocol.EscapeSegment("SO/1"),
		"private-doc.salary.eve",
		"private-nosuch",
	} {
		_, err := policies.Decide(context.Background(), authz.Request{Channel: channel, Identity: ada})
		switch {
		case err == nil:
			fmt.Println(channel, "yes")
		case errors.Is(err, authz.ErrDenied):
			fmt.Println(channel, "no")
		case errors.Is(err, authz.ErrUnavailable):
			fmt.Println(channel, "ask again")
		}
	}
	// Output:
	// private-user=ada yes
	// private-user=eve no
	// private-doc.Sales;20Order.SO;2F1 yes
	// private-doc.salary.eve no
	// private-nosuch no
}

// A policy of one's own says what others see of a member, and how long the answer is good for.
func ExampleRegistry_Decide() {
	policies := authz.NewRegistry()
	policies.HandleFunc("presence-room.{room}", func(ctx context.Context, r authz.Request) (authz.Decision, error) {
		if r.Captures["room"] != "Mission Control" { // look it up, and return the error if that fails
			return authz.Deny("no member of the room"), nil
		}
		seat := map[string]string{"seat": "CAPCOM"}
		return authz.Allow().WithInfo(seat).For(15 * time.Minute), nil
	})

	grant, err := policies.Decide(context.Background(), authz.Request{
		Channel:  "presence-room.Mission;20Control",
		Identity: authz.Identity{ID: "ada"},
	})
	fmt.Println(grant.Identity.ID, string(grant.Info), grant.TTL, err)
	// Output: ada {"seat":"CAPCOM"} 15m0s <nil>
}

// What each policy said, for somebody who wonders why.
func ExampleRegistry_Explain() {
	policies := authz.NewRegistry()
	policies.Handle("private-doc.{type}.{name...}", authz.SignedIn())
	policies.Handle("private-doc.salary.{name...}", authz.RoleIn("hr"))

	why := policies.Explain(context.Background(), authz.Request{
		Channel:  "private-doc.salary.eve",
		Identity: authz.Identity{ID: "ada"},
	})
	for _, rule := range why.Rules {
		fmt.Println(rule.Pattern, rule.Decision)
	}
	fmt.Println(why.Err)
	// Output:
	// private-doc.{type}.{name...} allow
	// private-doc.salary.{name...} deny: has none of the roles hr
	// authz: denied: policy private-doc.salary.{name...}: has none of the roles hr
}

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
