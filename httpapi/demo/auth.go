package demo

import (
	"net/http"

	"github.com/go-json-experiment/json"

	"hark/authz"
	"hark/protocol"
)

// maxForm bounds the body of an auth request, in bytes: three short fields.
const maxForm = 8 << 10

// An answer is what Pusher clients expect of an auth endpoint.
// Pusher: https://pusher.com/docs/channels/server_api/authorizing-users/
type answer struct {
	Auth        string `json:"auth"`
	ChannelData string `json:"channel_data,omitzero"`
}

// authorize answers POST /demo/auth: a form with socket_id, channel_name and, for presence channels, user_id.
func authorize(key authz.Key) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			http.Error(w, "the form could not be read", http.StatusBadRequest)
			return
		}
		channel := r.PostForm.Get("channel_name")
		kind := protocol.KindOf(channel)
		if !kind.NeedsAuth() || kind.IsEncrypted() {
			http.Error(w, "only private-* and presence-* channels are signed here", http.StatusForbidden)
			return
		}
		var data string
		if kind.IsPresence() {
			var err error
			if data, err = channelData(r.PostForm.Get("user_id")); err != nil {
				http.Error(w, err.Error(), http.StatusForbidden)
				return
			}
		}
		id := protocol.SocketID(r.PostForm.Get("socket_id"))
		auth := key.ChannelAuth(id, channel, data, data != "")
		if auth == "" {
			http.Error(w, "socket_id or channel_name is not valid", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.MarshalWrite(w, answer{Auth: auth, ChannelData: data})
	}
}

// channelData makes the member that a user id stands for. It is an error if the server would refuse that member.
func channelData(userID string) (string, error) {
	type info struct {
		Name string `json:"name"`
	}
	b, err := json.Marshal(struct {
		UserID   string `json:"user_id"`
		UserInfo info   `json:"user_info"`
	}{userID, info{userID}})
	if err != nil {
		return "", err
	}
	_, err = protocol.ParseMember(string(b), protocol.Limits{}.WithDefaults())
	return string(b), err
}
