package chaos

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/go-json-experiment/json"

	"hark/authz"
	"hark/channels"
	"hark/httpapi"
	"hark/protocol"
)

// The app that leaves to Hark who may join what, on processes.
const delegatedID = "2"

var delegatedKey = authz.Key{Key: "delegated", Secret: "another secret"}

// delegatedConfig is that of an app whose policies let all users onto private channels, or nobody.
func delegatedConfig(allows bool) channels.AppConfig {
	policies := authz.NewRegistry()
	policies.HandleFunc("private-{any...}", func(_ context.Context, r authz.Request) (authz.Decision, error) {
		if allows && !r.Identity.Guest() {
			return authz.Allow(), nil
		}
		return authz.Deny("not here"), nil
	})
	return channels.AppConfig{ID: delegatedID, Keys: authz.Keys{delegatedKey}, Authenticator: authz.AuthenticatorFunc(whoAsks), Policies: policies}
}

// whoAsks reads a token: a user's id, and until when it is good.
func whoAsks(_ context.Context, r *http.Request) (authz.Identity, error) {
	var id authz.Identity
	var until int64
	_, err := fmt.Sscanf(r.Header.Get("Authorization"), "Bearer %s %d", &id.ID, &until)
	id.ExpiresAt = time.Unix(until, 0)
	if err == nil && id.Expired(time.Now()) {
		err = errors.New("the token has ended")
	}
	if err != nil {
		return authz.Identity{}, fmt.Errorf("%w: %w", authz.ErrUnauthenticated, err)
	}
	return id, nil
}

// token is one of a user, good for so long by the clock here.
func token(user string, d time.Duration) http.Header {
	return http.Header{"Authorization": {fmt.Sprintf("Bearer %s %d", user, time.Now().Add(d).Unix())}}
}

// authRoute is where clients of the app ask.
func authRoute(hub *channels.Hub, c channels.AppConfig) (httpapi.AuthRoute, error) {
	app, _ := hub.App(delegatedID)
	endpoint, err := authz.NewEndpoint(authz.EndpointConfig{
		App: delegatedID, Key: delegatedKey, Authenticator: c.Authenticator, Policies: c.Policies, Keeper: app,
	})
	return httpapi.AuthRoute{Endpoint: endpoint}, err
}

// A visitor is one websocket to a process, beside the play.
type visitor struct {
	t    testing.TB
	at   *process
	conn *websocket.Conn
	id   protocol.SocketID
}

// visit connects to an app, or returns why that was refused.
func (n *process) visit(k authz.Key, header http.Header) (*visitor, error) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, n.url+"/app/"+k.Key+"?protocol=7", &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		return nil, err
	}
	n.t.Cleanup(func() { _ = conn.CloseNow() }) // the process may have ended
	v := &visitor{t: n.t, at: n, conn: conn}
	m, err := v.next()
	if err != nil {
		return nil, err
	}
	if m.Event != protocol.EventConnectionEstablished {
		return nil, fmt.Errorf("%s %s", m.Event, m.Data)
	}
	var hello struct {
		SocketID protocol.SocketID `json:"socket_id"`
	}
	m.data(&hello)
	v.id = hello.SocketID
	return v, nil
}

func (v *visitor) next() (message, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var m message
	_, text, err := v.conn.Read(ctx)
	if err != nil {
		return m, err
	}
	var raw struct {
		message
		Data any `json:"data"` // of pusher:error it is no string
	}
	err = json.Unmarshal(text, &raw)
	m = raw.message
	m.Data = fmt.Sprint(raw.Data)
	return m, err
}

// expect fails the test unless the next message is this event.
func (v *visitor) expect(event, what string) {
	v.t.Helper()
	m, err := v.next()
	if err != nil || m.Event != event || !strings.Contains(m.Data, what) {
		v.t.Errorf("at %s: got %s %s (%v), want %s %s", v.at.title, m.Event, m.Data, err, event, what)
	}
}

// subscribe asks for a channel with a signature; "": none.
func (v *visitor) subscribe(channel, auth string) {
	v.t.Helper()
	text, err := json.Marshal(map[string]any{"event": protocol.EventSubscribe, "data": map[string]string{"channel": channel, "auth": auth}})
	if err == nil {
		err = v.conn.Write(context.Background(), websocket.MessageText, text)
	}
	if err != nil {
		v.t.Errorf("at %s: %v", v.at.title, err)
	}
}

// authorize asks the auth endpoint of a process whether a visitor of another may subscribe, and returns the signature.
func (n *process) authorize(v *visitor, channel string, header http.Header) (string, error) {
	form := url.Values{"socket_id": {string(v.id)}, "channel_name": {channel}}
	r, err := http.NewRequest(http.MethodPost, n.url+httpapi.DefaultAuthPath, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	r.Header = header.Clone()
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := n.http.Do(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", errors.New(response.Status)
	}
	var answer struct {
		Auth string `json:"auth"`
	}
	err = json.UnmarshalRead(response.Body, &answer)
	return answer.Auth, err
}
