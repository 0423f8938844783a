package protocol_test

import (
	"errors"
	"strings"
	"testing"

	"hark/protocol"
)

// infoOf returns a user_info of size bytes.
func infoOf(size int) string { return `{"a":"` + strings.Repeat("x", size-len(`{"a":""}`)) + `"}` }

func TestParseMember(t *testing.T) {
	for _, c := range []struct {
		name     string
		data     string
		id, info string
	}{
		{"string", `{"user_id":"42","user_info":{"name":"Ada"}}`, "42", `{"name":"Ada"}`},
		{"number, as Laravel sends it", `{"user_id":42,"user_info":{"name":"Ada"}}`, "42", `{"name":"Ada"}`},
		{"number beyond a float", `{"user_id":9007199254740993}`, "9007199254740993", ""},
		{"number beyond 64 bits", `{"user_id":123456789012345678901234567890}`, "123456789012345678901234567890", ""},
		{"number as written", `{"user_id":1.50e+3}`, "1.50e+3", ""},
		{"zero", `{"user_id":0}`, "0", ""},
		{"no user_info", `{"user_id":"42"}`, "42", ""},
		{"null user_info", `{"user_id":"42","user_info":null}`, "42", ""},
		{"empty user_info", `{"user_id":"42","user_info":{}}`, "42", `{}`},
		{"user_info as written", `{"user_id":"42","user_info":{ "b":1.0, "a":"\u00e9\/<" }}`, "42", `{ "b":1.0, "a":"\u00e9\/<" }`},
		{"more fields", `{"user_id":"42","watchlist":[1]}`, "42", ""},
		{"128 characters", `{"user_id":"` + strings.Repeat("é", 128) + `"}`, strings.Repeat("é", 128), ""},
		{"1024 bytes", `{"user_id":"42","user_info":` + infoOf(1024) + `}`, "42", infoOf(1024)},
	} {
		got, err := protocol.ParseMember(c.data, protocol.Limits{})
		if err != nil || got.UserID != c.id || string(got.UserInfo) != c.info || (got.UserInfo == nil) != (c.info == "") {
			t.Errorf("%s: ParseMember(%.80s) = %q %q, %v, want %q %q", c.name, c.data, got.UserID, got.UserInfo, err, c.id, c.info)
		}
	}
}

func TestParseMemberRefuses(t *testing.T) {
	const hash = "user_info supplied to presence subscription is invalid - if supplied it must be a type of hash"
	for _, c := range []struct {
		name, data, typ, text string
	}{
		{"empty", ``, protocol.AuthError, "it must be a JSON object"},
		{"not JSON", `42`, protocol.AuthError, "it must be a JSON object"},
		{"array", `["42"]`, protocol.AuthError, "it must be a JSON object"},
		{"null", `null`, protocol.AuthError, "must contain a user_id"},
		{"user_id missing", `{"user_info":{}}`, protocol.AuthError, "must contain a user_id"},
		{"user_id null", `{"user_id":null}`, protocol.AuthError, "must contain a user_id"},
		{"user_id empty", `{"user_id":""}`, protocol.AuthError, "must contain a user_id"},
		{"user_id true", `{"user_id":true}`, protocol.AuthError, "must contain a user_id"},
		{"user_id an object", `{"user_id":{}}`, protocol.AuthError, "must contain a user_id"},
		{"user_id twice", `{"user_id":"1","user_id":"2"}`, protocol.AuthError, "it must be a JSON object"},
		{"user_info array", `{"user_id":"1","user_info":[]}`, protocol.AuthError, hash},
		{"user_info string", `{"user_id":"1","user_info":"{}"}`, protocol.AuthError, hash},
		{"user_info number", `{"user_id":"1","user_info":5}`, protocol.AuthError, hash},
		{"user_info false", `{"user_id":"1","user_info":false}`, protocol.AuthError, hash},
		{"a name twice in user_info", `{"user_id":"1","user_info":{"a":1,"a":2}}`, protocol.AuthError, "it must be a JSON object"},
		{"129 characters", `{"user_id":"` + strings.Repeat("é", 129) + `"}`, protocol.LimitReached, "128 characters, not 129"},
		{"129 digits", `{"user_id":` + strings.Repeat("1", 129) + `}`, protocol.LimitReached, "128 characters, not 129"},
		{"1025 bytes", `{"user_id":"1","user_info":` + infoOf(1025) + `}`, protocol.LimitReached, "1024 bytes, not 1025"},
	} {
		_, err := protocol.ParseMember(c.data, protocol.Limits{})
		r, ok := errors.AsType[*protocol.Rejection](err)
		if !ok || r.Type != c.typ || !strings.Contains(r.Message, c.text) || r.Channel != "" {
			t.Errorf("%s: ParseMember(%.80s): %#v, want %s %q", c.name, c.data, err, c.typ, c.text)
		}
	}
}

func TestParseMemberWithOtherLimits(t *testing.T) {
	l := protocol.Limits{UserID: 3, UserInfo: -1}
	data := `{"user_id":"123","user_info":` + infoOf(50000) + `}`
	if _, err := protocol.ParseMember(data, l); err != nil {
		t.Errorf("without a limit of user_info: %v", err)
	}
	if _, err := protocol.ParseMember(`{"user_id":"1234"}`, l); err == nil {
		t.Error("a user_id of 4 characters passed a limit of 3")
	}
}
