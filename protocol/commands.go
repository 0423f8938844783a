package protocol

import "github.com/go-json-experiment/json"

// A Subscribe is the data of a pusher:subscribe.
type Subscribe struct {
	Channel        string // never ""; not checked otherwise
	Auth           string // "key:signature"; "" where none is needed, as pusher-js sends it
	ChannelData    string // JSON text of a presence channel's member; kept exactly, the signature covers it
	HasChannelData bool   // an empty channel_data is signed like any other, one that is absent or null is not
}

// ParseSubscribe reads the Data of a pusher:subscribe [Message]. The error is an [*Error] of code 0.
func ParseSubscribe(data string) (Subscribe, error) {
	var s struct {
		Channel     text `json:"channel"`
		Auth        text `json:"auth"`
		ChannelData text `json:"channel_data"`
	}
	if err := json.Unmarshal([]byte(data), &s); err != nil {
		return Subscribe{}, invalidCommand(EventSubscribe, "data must be a JSON object with a channel")
	}
	switch {
	case s.Channel.string() == "":
		return Subscribe{}, invalidCommand(EventSubscribe, "channel must be a non-empty string")
	case !s.Auth.isString() && !s.Auth.isNull():
		return Subscribe{}, invalidCommand(EventSubscribe, "auth must be a string")
	case !s.ChannelData.isString() && !s.ChannelData.isNull():
		return Subscribe{}, invalidCommand(EventSubscribe, "channel_data must be a string that contains JSON")
	}
	return Subscribe{
		Channel:        s.Channel.value,
		Auth:           s.Auth.string(),
		ChannelData:    s.ChannelData.string(),
		HasChannelData: s.ChannelData.isString(),
	}, nil
}

// ParseUnsubscribe reads the Data of a pusher:unsubscribe [Message]. The error is an [*Error] of code 0.
func ParseUnsubscribe(data string) (channel string, err error) {
	var u struct {
		Channel text `json:"channel"`
	}
	if err := json.Unmarshal([]byte(data), &u); err != nil {
		return "", invalidCommand(EventUnsubscribe, "data must be a JSON object with a channel")
	}
	if u.Channel.string() == "" {
		return "", invalidCommand(EventUnsubscribe, "channel must be a non-empty string")
	}
	return u.Channel.value, nil
}

func invalidCommand(event, why string) *Error {
	return &Error{Message: "Invalid " + event + ": " + why}
}
