package authz

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"hark/protocol"
)

// ChannelString is what is signed to subscribe the socket to a private, encrypted or presence channel. channelData is
// signed whenever it came along, whatever the channel and also when it is empty: the official server expects the
// trailing colon.
//
// The parts are joined by colons and nothing marks where one ends. So the string says what it seems to say only if id
// is a socket id ([protocol.ParseSocketID]) and channel a channel's name ([protocol.CheckChannel]); neither has a colon.
func ChannelString(id protocol.SocketID, channel, channelData string, hasChannelData bool) string {
	if !hasChannelData {
		return string(id) + ":" + channel
	}
	return string(id) + ":" + channel + ":" + channelData
}

// UserString is what is signed to sign the socket in as a user. userData is the exact text that the client sends.
func UserString(id protocol.SocketID, userData string) string {
	return string(id) + "::user::" + userData
}

// A Param is one parameter of a REST request's query, decoded.
type Param struct{ Key, Value string }

// RESTString is what is signed for a REST request: the method, the path without host and query, and the parameters as
// key=value, joined by & and not escaped. Keys are lower-cased and sorted by their bytes, auth_signature is left out.
// The elements of an array, each a Param with the Key "name[]", keep the order in which they are given.
func RESTString(method, path string, params []Param) string {
	signed := make([]Param, 0, len(params))
	size := len(method) + len(path) + 2
	for _, p := range params {
		p.Key = strings.ToLower(p.Key)
		if p.Key == authSignature {
			continue
		}
		signed = append(signed, p)
		size += len(p.Key) + len(p.Value) + 2
	}
	slices.SortStableFunc(signed, compareNames)

	var b strings.Builder
	b.Grow(size)
	b.WriteString(strings.ToUpper(method))
	b.WriteByte('\n')
	b.WriteString(path)
	b.WriteByte('\n')
	for i, p := range signed {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.Key)
		b.WriteByte('=')
		b.WriteString(p.Value)
	}
	return b.String()
}

// compareNames orders parameters as the official verifier does: it sorts before it adds an array's brackets, so that
// "k[]" comes before "k1".
func compareNames(a, b Param) int { return strings.Compare(a.name(), b.name()) }

// name is the key without the brackets of an array.
func (p Param) name() string { return strings.TrimSuffix(p.Key, "[]") }

func (p Param) isArray() bool { return strings.HasSuffix(p.Key, "[]") }

// Sign returns the signature of text, 64 lower-case hex digits.
func Sign(s Secret, text string) string {
	d := digest(s, []byte(text))
	return string(d[:])
}

// Verify reports, in constant time, whether hexSignature is the signature of text. Like the official server it takes
// lower-case digits only. With an empty secret it is false.
func Verify(s Secret, text, hexSignature string) bool {
	return verify(s, []byte(text), hexSignature)
}

// SignWebhook returns the X-Pusher-Signature of a webhook with this body. Sign the bytes that are sent.
func SignWebhook(s Secret, body []byte) string {
	d := digest(s, body)
	return string(d[:])
}

// VerifyWebhook reports, in constant time, whether sig is the X-Pusher-Signature of the body. With an empty secret it
// is false.
func VerifyWebhook(s Secret, body []byte, sig string) bool { return verify(s, body, sig) }

const hexLen = 2 * sha256.Size

// digest is the one place where a secret signs.
func digest(s Secret, text []byte) (d [hexLen]byte) {
	mac := hmac.New(sha256.New, []byte(s))
	mac.Write(text) // never fails
	var sum [sha256.Size]byte
	hex.Encode(d[:], mac.Sum(sum[:0]))
	return d
}

func verify(s Secret, text []byte, sig string) bool {
	if s == "" {
		return false // anybody can sign with it
	}
	want := digest(s, text)
	return equalHex(want[:], sig)
}

// equalHex compares in constant time; only the length, which is no secret, shows. got is copied into an array because
// a conversion to []byte would allocate.
func equalHex(want []byte, got string) bool {
	var b [hexLen]byte
	return len(got) <= len(b) && hmac.Equal(want, b[:copy(b[:], got)])
}
