package callback

import (
	"crypto/rand"
	"maps"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"hark/authz"
	"hark/protocol"
)

// A question is the body of a callback. What the kind does not have is left out.
type question struct {
	TimeMS   int64             `json:"time_ms"` // milliseconds since 1970; SDKs refuse what is 300 s old
	ID       string            `json:"id"`
	App      string            `json:"app"`
	Kind     Kind              `json:"kind"`
	For      string            `json:"for,omitzero"`
	Path     string            `json:"path,omitzero"`
	Socket   protocol.SocketID `json:"socket_id,omitzero"`
	User     jsontext.Value    `json:"user,omitzero"`
	Channel  string            `json:"channel,omitzero"`
	Pattern  string            `json:"pattern,omitzero"`
	Params   authz.Captures    `json:"params,omitzero"`
	Channels []place           `json:"channels,omitzero"`
	Cause    string            `json:"cause,omitzero"`
	Event    string            `json:"event,omitzero"`
	Data     *string           `json:"data,omitzero"` // a string, as webhooks have it
}

// A place is one channel of many that a question is about.
type place struct {
	Channel string         `json:"channel"`
	Pattern string         `json:"pattern"`
	Params  authz.Captures `json:"params"`
}

// idempotent reports whether asking twice does no harm.
func (q question) idempotent() bool { return q.Kind != KindClientEvent && q.Kind != KindMessage }

// request makes the question one that can be sent once: the receiver may refuse an id it has seen.
func (q question) request(c Config, header http.Header) (body []byte, id string, _ http.Header, err error) {
	q.App, q.TimeMS, q.ID = c.App, time.Now().UnixMilli(), rand.Text()
	body, err = json.Marshal(q, encoding)
	if err != nil {
		return nil, "", nil, err
	}
	h := http.Header{
		"Content-Type":       {"application/json"},
		"Hark-Callback":      {string(q.Kind)},
		"User-Agent":         {"hark"},
		"X-Pusher-Key":       {c.Key.Key},
		"X-Pusher-Signature": {authz.SignWebhook(c.Key.Secret, body)},
	}
	maps.Copy(h, header)
	if q.idempotent() {
		// Never sent: it lets net/http ask again where an idle connection turns out to have been closed.
		h["Idempotency-Key"] = []string{}
	}
	return body, q.ID, h, nil
}

// encoding makes equal values equal texts. What is not UTF-8 in an event becomes U+FFFD, as on the wire.
var encoding = json.JoinOptions(json.Deterministic(true), jsontext.AllowInvalidUTF8(true))

// encodeUser returns what an application is told of an identity; of a guest, null.
func encodeUser(id authz.Identity) (jsontext.Value, error) {
	if id.Guest() {
		return jsontext.Value("null"), nil
	}
	return json.Marshal(struct {
		ID     string            `json:"id"`
		Tenant string            `json:"tenant,omitzero"`
		Roles  []string          `json:"roles"`
		Attrs  map[string]string `json:"attrs"`
	}{id.ID, id.Tenant, id.Roles, id.Attrs}, encoding)
}
