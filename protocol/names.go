package protocol

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A Kind is what a channel's name makes of it. The name alone decides: there is no other way to ask for a kind.
type Kind uint8

// The kinds, with the prefix that makes each.
const (
	Public         Kind = iota // no prefix of the others
	Cache                      // cache-
	Private                    // private-
	PrivateCache               // private-cache-
	Encrypted                  // private-encrypted-
	EncryptedCache             // private-encrypted-cache-
	Presence                   // presence-
	PresenceCache              // presence-cache-
	ServerToUser               // #server-to-user-
)

// ServerToUserPrefix comes before a user's id in the name of the channel that carries the events sent to that user.
const ServerToUserPrefix = "#server-to-user-"

// prefixes is searched in order: a prefix stands before every shorter one it begins with.
var prefixes = [...]struct {
	prefix string
	kind   Kind
}{
	{"private-encrypted-cache-", EncryptedCache},
	{"private-encrypted-", Encrypted},
	{"private-cache-", PrivateCache},
	{"private-", Private},
	{"presence-cache-", PresenceCache},
	{"presence-", Presence},
	{"cache-", Cache},
	{ServerToUserPrefix, ServerToUser},
}

// KindOf returns the kind of a channel. Prefixes are anchored, case-sensitive and include their dash:
// "privateer", "Private-x" and "my-private-x" are public, "private-presence-x" is private.
// It does not check the name; [CheckChannel] does.
func KindOf(channel string) Kind {
	for _, p := range prefixes {
		if strings.HasPrefix(channel, p.prefix) {
			return p.kind
		}
	}
	return Public
}

// NeedsAuth reports whether subscribing takes a signature: every private- and presence- channel, whatever follows.
// A ServerToUser channel takes none, but it is open only to the user it names: that is for the caller to check.
func (k Kind) NeedsAuth() bool { return k >= Private && k <= PresenceCache }

// IsPresence reports whether the channel has members.
func (k Kind) IsPresence() bool { return k == Presence || k == PresenceCache }

// IsEncrypted reports whether clients encrypt and decrypt the data themselves; the server cannot read it.
func (k Kind) IsEncrypted() bool { return k == Encrypted || k == EncryptedCache }

// IsCache reports whether the last event triggered is kept for those who subscribe later.
func (k Kind) IsCache() bool {
	return k == Cache || k == PrivateCache || k == EncryptedCache || k == PresenceCache
}

// AllowsClientEvents reports whether a subscriber may send client events on the channel: private and presence channels.
// Not encrypted ones, where the plain data of a client event would reach clients that expect to decrypt it.
func (k Kind) AllowsClientEvents() bool {
	return k == Private || k == PrivateCache || k.IsPresence()
}

// String returns the kind in words that suit a log line or a label, like "private-cache".
func (k Kind) String() string {
	if k == ServerToUser {
		return "server-to-user"
	}
	for _, p := range prefixes {
		if p.kind == k {
			return strings.TrimSuffix(p.prefix, "-")
		}
	}
	return "public"
}

// CheckChannel returns nil when name may name a channel: 1 to max characters of A-Z a-z 0-9 _ - = @ , . ;
// and nothing before them but the # of #server-to-user-ID. Otherwise the error is a [*Rejection] of type InvalidChannel.
// max is in characters, as in [Limits].
//
// Pusher: https://pusher.com/docs/channels/using_channels/channels/#channel-naming-conventions
func CheckChannel(name string, max int) error {
	if name == "" {
		return invalidChannel(name, "Invalid channel name: it is empty, give it at least one character")
	}
	// Valid names are ASCII, so bytes are characters; of any other name the length does not matter.
	if len(name) > max {
		return invalidChannel(name, fmt.Sprintf("Invalid channel name: it is longer than %d characters, use a shorter one", max))
	}
	rest := name
	if name[0] == '#' {
		id, ok := strings.CutPrefix(name, ServerToUserPrefix)
		if !ok || id == "" {
			return invalidChannel(name, fmt.Sprintf(
				"Invalid channel name %q: # is reserved for %sID, use a name without it", name, ServerToUserPrefix))
		}
		rest = id
	}
	for i := range len(rest) {
		if !isChannelByte(rest[i]) {
			return invalidChannel(name, fmt.Sprintf(
				"Invalid channel name %q: use only letters, digits and the characters _ - = @ , . ;", name))
		}
	}
	return nil
}

func isChannelByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	case c == '_', c == '-', c == '=', c == '@', c == ',', c == '.', c == ';':
		return true
	}
	return false
}

// CheckEvent returns nil when an application may use name for an event: 1 to max characters, none of the names
// the protocol keeps for itself (pusher:… and pusher_internal:…). Otherwise the error is an [*Error] of code 0.
// max is in characters, as in [Limits].
func CheckEvent(name string, max int) error {
	switch {
	case name == "":
		return &Error{Message: "Invalid event name: it is empty, give it at least one character"}
	case len(name) > max && utf8.RuneCountInString(name) > max:
		return &Error{Message: fmt.Sprintf("Invalid event name: it is longer than %d characters, use a shorter one", max)}
	case strings.HasPrefix(name, "pusher:"), strings.HasPrefix(name, "pusher_internal:"):
		return &Error{Message: fmt.Sprintf("Invalid event name %q: pusher: and pusher_internal: are reserved, use another prefix", name)}
	}
	return nil
}

// IsClientEvent reports whether name is that of an event a client may send: it begins with "client-".
func IsClientEvent(name string) bool { return strings.HasPrefix(name, "client-") }
