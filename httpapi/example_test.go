package httpapi_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/coder/websocket"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"hark/authz"
	"hark/channels"
	"hark/channels/ws"
	"hark/httpapi"
	"hark/protocol"
)

// What the application knows: who is signed in, and whose orders there are.
var (
	sessions = map[string]authz.Identity{
		"ada": {ID: "7", Tenant: "acme", Roles: []string{"editor"}, Info: jsontext.Value(`{"name":"Ada"}`)},
		"bob": {ID: "9", Tenant: "acme"},
	}
	orders = map[string]string{"A/1": "7"}
)

// newApplication returns an application that has Hark in it: its pages are beside the websockets of its clients, and who
// may hear what is said in Go. The caller runs the hub.
func newApplication() (*channels.Hub, http.Handler, error) {
	who := authz.AuthenticatorFunc(func(_ context.Context, r *http.Request) (authz.Identity, error) {
		cookie, err := r.Cookie("session")
		if err != nil {
			return authz.Identity{}, nil // a guest
		}
		id, ok := sessions[cookie.Value]
		if !ok {
			return id, authz.ErrUnauthenticated
		}
		return id, nil
	})

	policies := authz.NewRegistry() // what matches none of these is closed
	policies.Handle("private-user.{id}", authz.Owner("id"))
	policies.Handle("private-tenant.{tenant}.{room...}", authz.InTenant("tenant"))
	policies.Handle("private-newsroom", authz.RoleIn("editor", "admin"))
	policies.Handle("presence-office", authz.SignedIn())
	policies.HandleFunc("private-order.{id}", func(_ context.Context, r authz.Request) (authz.Decision, error) {
		if owner := orders[r.Captures["id"]]; owner == "" || owner != r.Identity.ID {
			return authz.Deny("somebody else's order"), nil
		}
		return authz.Allow().For(15 * time.Minute), nil // then it is asked again
	})

	hub, err := channels.New(channels.Config{Apps: []channels.AppConfig{{
		ID: "1", Keys: authz.Keys{{Key: "app-key", Secret: "app-secret"}}, Authenticator: who, Policies: policies,
	}}})
	if err != nil {
		return nil, nil, err
	}
	app, _ := hub.App("1")
	endpoint, err := authz.NewEndpoint(app.EndpointConfig())
	if err != nil {
		return nil, nil, err
	}

	pages := http.NewServeMux()
	pages.Handle("/app/", ws.New(hub))                         // where pusher-js connects
	pages.HandleFunc("/pusher/auth", endpoint.ServeChannels)   // where it asks
	pages.Handle("/apps/", httpapi.New(hub, httpapi.Config{})) // for backends in other languages
	pages.HandleFunc("POST /orders/{id}/paid", func(w http.ResponseWriter, r *http.Request) {
		channel := "private-order." + protocol.EscapeSegment(r.PathValue("id"))
		err := app.Trigger(r.Context(), channels.Trigger{Name: "paid", Data: `{"by":"card"}`, Channels: []string{channel}})
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	return hub, pages, nil
}

// An application with Hark in it: [channels.Hub], [ws.Handler] and [authz.Endpoint] in its own http.Server.
func Example() {
	hub, pages, err := newApplication()
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- hub.Run(ctx) }()
	server := httptest.NewServer(pages)
	defer server.Close()

	bob := open(server.URL, "bob")
	fmt.Println("Bob asks for Ada's order:", bob.subscribe("private-order.A;2F1"))
	ada := open(server.URL, "ada")
	fmt.Println("Ada does:", ada.subscribe("private-order.A;2F1"))
	fmt.Println(ada.hear())
	response, err := http.Post(server.URL+"/orders/A%2F1/paid", "", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	response.Body.Close()
	fmt.Println(ada.hear())

	stop()
	fmt.Println("ended:", <-ended)
	// Output:
	// Bob asks for Ada's order: 403
	// Ada does: 200
	// {"event":"pusher_internal:subscription_succeeded","channel":"private-order.A;2F1","data":"{}"}
	// {"event":"paid","channel":"private-order.A;2F1","data":"{\"by\":\"card\"}"}
	// ended: <nil>
}

// A page does what pusher-js does in a browser's page.
type page struct {
	url, session string
	conn         *websocket.Conn
	socket       string
}

func open(server, session string) *page {
	p := &page{url: server, session: session}
	header := http.Header{"Cookie": {"session=" + session}}
	conn, _, err := websocket.Dial(context.Background(), server+"/app/app-key?protocol=7", &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		panic(err)
	}
	p.conn = conn
	var established struct {
		Data string `json:"data"`
	}
	var data struct {
		SocketID string `json:"socket_id"`
	}
	if json.Unmarshal([]byte(p.hear()), &established) != nil || json.Unmarshal([]byte(established.Data), &data) != nil {
		panic("no connection_established")
	}
	p.socket = data.SocketID
	return p
}

// subscribe asks for permission, subscribes if there is one, and returns the status of the answer.
func (p *page) subscribe(channel string) int {
	form := url.Values{"socket_id": {p.socket}, "channel_name": {channel}}
	r, err := http.NewRequest("POST", p.url+"/pusher/auth", strings.NewReader(form.Encode()))
	if err != nil {
		panic(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Cookie", "session="+p.session)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		panic(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		panic(err)
	}
	var answer struct {
		Auth string `json:"auth"`
	}
	if response.StatusCode == http.StatusOK && json.Unmarshal(body, &answer) == nil {
		subscribe := fmt.Sprintf(`{"event":"pusher:subscribe","data":{"channel":%q,"auth":%q}}`, channel, answer.Auth)
		if err := p.conn.Write(context.Background(), websocket.MessageText, []byte(subscribe)); err != nil {
			panic(err)
		}
	}
	return response.StatusCode
}

// hear returns the next message.
func (p *page) hear() string {
	_, text, err := p.conn.Read(context.Background())
	if err != nil {
		panic(err)
	}
	return string(text)
}
