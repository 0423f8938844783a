package protocol

import (
	"fmt"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A Member is a user on a presence channel, however many sockets they have there.
type Member struct {
	UserID   string         // never "" for a member that was parsed
	UserInfo jsontext.Value // the text of a JSON object, passed on as it was signed; nil is {}. Never modified
}

func (m Member) appendInfo(dst []byte) []byte {
	if len(m.UserInfo) == 0 {
		return append(dst, `{}`...)
	}
	return append(dst, m.UserInfo...)
}

// ParseMember reads the channel_data of a subscribe to a presence channel: {"user_id":"42","user_info":{"name":"Ada"}}.
// A user_id may be a number, which keeps its digits as they were sent: a large one must not pass through a float.
// The error is a [*Rejection] whose Channel is for the caller to fill in.
func ParseMember(channelData string, l Limits) (Member, error) {
	l = l.WithDefaults()
	var m struct {
		UserID   text `json:"user_id"`
		UserInfo text `json:"user_info"`
	}
	if err := json.Unmarshal([]byte(channelData), &m); err != nil {
		return Member{}, authError("", "channel_data supplied to presence subscription is invalid - it must be a JSON object")
	}
	if !m.UserID.isString() && m.UserID.kind != '0' || m.UserID.value == "" {
		return Member{}, authError("", "channel_data supplied to presence subscription is invalid - "+
			"it must contain a user_id that is a non-empty string or a number")
	}
	if n := utf8.RuneCountInString(m.UserID.value); n > l.UserID {
		return Member{}, limitReached("", fmt.Sprintf(
			"user_id supplied to presence subscription is too long - it may have %d characters, not %d", l.UserID, n))
	}
	if m.UserInfo.isNull() {
		return Member{UserID: m.UserID.value}, nil
	}
	if m.UserInfo.kind != '{' {
		return Member{}, authError("",
			"user_info supplied to presence subscription is invalid - if supplied it must be a type of hash")
	}
	if n := len(m.UserInfo.value); n > l.UserInfo {
		return Member{}, limitReached("", fmt.Sprintf(
			"user_info supplied to presence subscription is too big - it may have %d bytes, not %d", l.UserInfo, n))
	}
	return Member{UserID: m.UserID.value, UserInfo: jsontext.Value(m.UserInfo.value)}, nil
}
