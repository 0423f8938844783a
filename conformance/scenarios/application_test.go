package scenarios

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"hark/authz"
	"hark/channels"
	"hark/channels/ws"
	"hark/httpapi"
)

// people are the users of the application.
var people = map[string]authz.Identity{
	"7":  {ID: "7", Info: jsontext.Value(`{"name":"alice"}`), Roles: []string{"editor"}},
	"9":  {ID: "9", Info: jsontext.Value(`{"name":"bob"}`)},
	"11": {ID: "11", Info: jsontext.Value(`{"name":"carol"}`), Roles: []string{"admin"}, Attrs: map[string]string{"user_type": "system"}},
	"13": {ID: "13", Info: jsontext.Value(`{"name":"dave"}`)},
}

// An embedded is an application in Go that embeds Hark: in its own HTTP server, with its own users and sessions.
type embedded struct {
	config   func(c *channels.AppConfig)           // what it wants otherwise than below
	bounds   func(c *channels.Config)              // the same for the hub
	policies func(w *world, rules *authz.Registry) // who may join what
	hooks    func(w *world, hub *channels.Hub)     // what it wants to be asked and told
	sessions *sessions                             // nil: of its own
}

func (embedded) mode() string { return "E" }

func (e embedded) start(t *testing.T) *world {
	if e.sessions == nil {
		e.sessions = new(sessions)
	}
	w := newWorld(t)
	// Who may join what.
	rules := authz.NewRegistry()
	if e.policies != nil {
		e.policies(w, rules)
	}
	app := channels.AppConfig{
		ID:            "1",
		Keys:          authz.Keys{{Key: "k1", Secret: "s1"}},
		ClientEvents:  true,
		Authenticator: e.sessions,
		Policies:      rules,
	}
	if e.config != nil {
		e.config(&app)
	}

	// The hub, and what it asks and tells the application.
	config := channels.Config{Apps: []channels.AppConfig{app}, Flushers: 2, Drain: -1}
	if e.bounds != nil {
		e.bounds(&config)
	}
	hub, err := channels.New(config)
	if err != nil {
		t.Fatal(err)
	}
	if e.hooks != nil {
		e.hooks(w, hub)
	}
	one, _ := hub.App("1")

	// The endpoint that pusher-js asks before it subscribes or signs in, at paths of the application.
	endpoint, err := authz.NewEndpoint(authz.EndpointConfig{
		App:           app.ID,
		Key:           app.Keys[0],
		Authenticator: app.Authenticator,
		Policies:      app.Policies,
		Keeper:        one,
	})
	if err != nil {
		t.Fatal(err)
	}
	routes := http.NewServeMux()
	routes.HandleFunc("/broadcasting/auth", endpoint.ServeChannels)
	routes.HandleFunc("/broadcasting/user-auth", endpoint.ServeUsers)
	routes.Handle("/", httpapi.New(hub, httpapi.Config{Websocket: ws.New(hub)}))

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: routes, ReadHeaderTimeout: 10 * time.Second}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := hub.Run(ctx); err != nil {
			t.Errorf("the hub ended with %v", err)
		}
	})
	running.Go(func() { _ = server.Serve(listener) }) // ends with Close
	t.Cleanup(func() {
		_ = server.Close()
		cancel()
		running.Wait()
	})
	host := listener.Addr().String()
	w.hosts, w.rest, w.auth, w.hub, w.app = []string{host}, host, "http://"+host+"/broadcasting", hub, one
	return w
}

// Sessions say who is signed in. Everybody is, until they sign out.
type sessions struct {
	out sync.Map // by id of the user
}

// Authenticate implements [authz.Authenticator]. It takes an Authorization header, a token in the path, /t/7/app/k1, or a
// cookie, in this order. A token that nobody has been given is an error; one whose user has signed out is a guest's.
func (s *sessions) Authenticate(_ context.Context, r *http.Request) (authz.Identity, error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		if token, ok = strings.CutPrefix(r.URL.Path, "/t/"); ok {
			token, _, _ = strings.Cut(token, "/")
		}
	}
	if cookie, err := r.Cookie("sid"); !ok && err == nil {
		token, ok = cookie.Value, true
	}
	if !ok {
		return authz.Identity{}, nil
	}
	id, known := people[token]
	if !known {
		return authz.Identity{}, authz.ErrUnauthenticated
	}
	if _, gone := s.out.Load(id.ID); gone {
		return authz.Identity{}, nil
	}
	return id, nil
}

// signOut ends the session of a user.
func (s *sessions) signOut(user string) { s.out.Store(user, true) }
