package protocol

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A Signin is the data of a pusher:signin.
type Signin struct {
	Auth     string // "key:signature"
	UserData string // JSON text of a User; kept exactly, the signature covers it
}

// ParseSignin reads the Data of a pusher:signin [Message]. The error is an [*Error] of code 0.
func ParseSignin(data string) (Signin, error) {
	var s struct {
		Auth     text `json:"auth"`
		UserData text `json:"user_data"`
	}
	if err := json.Unmarshal([]byte(data), &s); err != nil {
		return Signin{}, invalidCommand(EventSignin, "data must be a JSON object with auth and user_data")
	}
	switch {
	case s.UserData.string() == "":
		return Signin{}, &Error{Message: "Missing parameter: data.user_data"}
	case s.Auth.string() == "":
		return Signin{}, &Error{Message: "Missing parameter: data.auth"}
	}
	return Signin{Auth: s.Auth.value, UserData: s.UserData.value}, nil
}

// A User is who a socket has signed in as.
type User struct {
	ID        string         // never "" for a user that was parsed
	Info      jsontext.Value // the text of a JSON object, nil is {}; what presence channels show of the user
	Watchlist []string       // ids of users whose coming and going is told, each once
}

// Member returns the user as a member of a presence channel.
func (u User) Member() Member { return Member{UserID: u.ID, UserInfo: u.Info} }

// ParseUser reads the user_data of a signin: {"id":"42","user_info":{"name":"Ada"},"watchlist":["7"]}. The id must be a
// string: pusher-js forgets a user whose id is a number. A watchlist over the limit is cut; the second result is then
// what the client is told of it, besides the success of the signin. The error is an [*Error] of code 0.
//
// Pusher: https://pusher.com/docs/channels/using_channels/user-authentication/ and …/watchlist-events/
func ParseUser(userData string, l Limits) (User, *Error, error) {
	l = l.WithDefaults()
	var u struct {
		ID        text              `json:"id"`
		Info      text              `json:"user_info"`
		Watchlist list[text, *text] `json:"watchlist"`
	}
	u.Watchlist.max = l.Watchlist
	if err := json.Unmarshal([]byte(userData), &u); err != nil {
		return User{}, nil, invalidUser("it must be a JSON object")
	}
	if err := checkUserID(u.ID, l); err != nil {
		return User{}, nil, err
	}
	user := User{ID: u.ID.value}
	switch n := len(u.Info.value); {
	case u.Info.isNull():
	case u.Info.kind != '{':
		return User{}, nil, invalidUser("user_info must be an object if it is supplied")
	case n > l.UserInfo:
		return User{}, nil, invalidUser(fmt.Sprintf("user_info may have %d bytes, not %d", l.UserInfo, n))
	default:
		user.Info = jsontext.Value(u.Info.value)
	}
	switch u.Watchlist.kind {
	case 0, 'n', '[':
	default:
		return User{}, nil, invalidUser("watchlist must be an array of user ids")
	}
	seen := make(map[string]bool, len(u.Watchlist.items))
	for _, id := range u.Watchlist.items {
		if err := checkUserID(id, l); err != nil {
			return User{}, nil, invalidUser("watchlist must be an array of user ids, which are non-empty strings")
		}
		if !seen[id.value] {
			seen[id.value] = true
			user.Watchlist = append(user.Watchlist, id.value)
		}
	}
	if u.Watchlist.count > l.Watchlist {
		return user, watchlistTooLong(u.Watchlist.count, user.Watchlist), nil
	}
	return user, nil, nil
}

func checkUserID(id text, l Limits) error {
	switch n := utf8.RuneCountInString(id.value); {
	case id.string() == "":
		return invalidUser("id must be a non-empty string")
	case n > l.UserID:
		return invalidUser(fmt.Sprintf("id may have %d characters, not %d", l.UserID, n))
	case !CheckUserID(id.value):
		return invalidUser("id may have only letters, digits and any of _-=@,.;")
	}
	return nil
}

// CheckUserID reports whether id has only the characters that a user's id may have, and at least one.
func CheckUserID(id string) bool {
	for i := range len(id) {
		if !isChannelByte(id[i]) {
			return false
		}
	}
	return id != ""
}

func invalidUser(why string) *Error {
	return &Error{Message: "user_data supplied to signin is invalid - " + why}
}

func watchlistTooLong(n int, accepted []string) *Error {
	return &Error{Code: ErrorWatchlistTooLong, Message: fmt.Sprintf(
		"The watchlist has %d users, the first %d are watched: %s", n, len(accepted), strings.Join(accepted, ","))}
}

// SigninSuccess tells a socket that it is signed in; userData is echoed as it came.
func SigninSuccess(userData string) Event {
	data := append([]byte(nil), `{"user_data":`...)
	data = append(appendQuoted(data, validUTF8(userData)), '}')
	return Event{Name: EventSigninSuccess, Data: string(data)}
}

// WatchlistEvents tells a socket which of the users it watches are online and which are not. A group without users is
// left out.
func WatchlistEvents(online, offline []string) Event {
	type change struct {
		Name    string   `json:"name"`
		UserIDs []string `json:"user_ids"`
	}
	var told struct {
		Events []change `json:"events"`
	}
	if len(online) > 0 {
		told.Events = append(told.Events, change{"online", online})
	}
	if len(offline) > 0 {
		told.Events = append(told.Events, change{"offline", offline})
	}
	data, _ := json.Marshal(told) // strings only
	return Event{Name: EventWatchlist, Data: string(data)}
}
