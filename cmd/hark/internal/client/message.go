package client

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"hark/authz"
	"hark/protocol"
)

// An Event is what the server sent, its own events included.
type Event struct {
	Name    string
	Channel string
	Data    string // the value of a string, the text of any other JSON
	UserID  string
	Text    []byte // all of it, as it came
}

func decode(text []byte) (Event, error) {
	var m struct {
		Event   string         `json:"event"`
		Channel string         `json:"channel"`
		Data    jsontext.Value `json:"data"`
		UserID  string         `json:"user_id"`
	}
	// What the official clients take, a name twice for instance, is not for this one to refuse.
	err := json.Unmarshal(text, &m, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return Event{}, fmt.Errorf("the server sent what is no event: %w", err)
	}
	e := Event{Name: m.Event, Channel: m.Channel, UserID: m.UserID, Data: string(m.Data), Text: text}
	if m.Data.Kind() == '"' {
		if err := json.Unmarshal(m.Data, &e.Data, jsontext.AllowInvalidUTF8(true)); err != nil {
			return Event{}, fmt.Errorf("the server sent what is no event: %w", err)
		}
	}
	return e, nil
}

// A Member is who the client says it is on presence channels.
type Member struct {
	UserID   string         `json:"user_id"`
	UserInfo jsontext.Value `json:"user_info,omitzero"` // a JSON object; nil: none
}

type command struct {
	Event string `json:"event"`
	Data  any    `json:"data"`
}

type subscribeData struct {
	Channel     string `json:"channel"`
	Auth        string `json:"auth"`
	ChannelData string `json:"channel_data,omitzero"`
}

// subscribe returns the message that subscribes the socket to a channel, signed where that is needed.
func subscribe(key authz.Key, id protocol.SocketID, channel string, who *Member) ([]byte, error) {
	data := subscribeData{Channel: channel}
	kind := protocol.KindOf(channel)
	if kind.IsPresence() && who != nil {
		text, err := json.Marshal(who)
		if err != nil {
			return nil, fmt.Errorf("the presence data of %s: %w", who.UserID, err)
		}
		data.ChannelData = string(text)
	}
	if kind.NeedsAuth() {
		data.Auth = key.ChannelAuth(id, channel, data.ChannelData, data.ChannelData != "")
	}
	return json.Marshal(command{protocol.EventSubscribe, data})
}

// established is the data of connection_established.
type established struct {
	SocketID        protocol.SocketID `json:"socket_id"`
	ActivityTimeout int               `json:"activity_timeout"` // seconds
}

// refusal is the data of pusher:error and of pusher:subscription_error.
type refusal struct {
	Code    *int   `json:"code"`
	Message string `json:"message"`
	Type    string `json:"type"`
	Error   string `json:"error"`
	Status  int    `json:"status"`
}

func (r refusal) serverError() *ServerError {
	e := &ServerError{Status: r.Status, Text: r.Message}
	if e.Text == "" {
		e.Text = r.Error
	}
	if r.Code != nil {
		e.Code = protocol.CloseCode(*r.Code)
	}
	return e
}
