package authz

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
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
	sorted := make(Params, 0, len(params))
	for _, p := range params {
		sorted = append(sorted, Param{strings.ToLower(p.Key), p.Value})
	}
	slices.SortStableFunc(sorted, compareNames)
	return string(appendREST(nil, method, path, sorted))
}

// appendREST appends the RESTString of parameters that are sorted.
func appendREST(dst []byte, method, path string, params Params) []byte {
	dst = append(dst, strings.ToUpper(method)...)
	dst = append(dst, '\n')
	dst = append(dst, path...)
	dst = append(dst, '\n')
	start := len(dst)
	for _, p := range params {
		if p.Key == authSignature {
			continue
		}
		if len(dst) > start {
			dst = append(dst, '&')
		}
		dst = append(dst, p.Key...)
		dst = append(dst, '=')
		dst = append(dst, p.Value...)
	}
	return dst
}

// compareNames orders parameters as the official verifier does: it sorts before it adds an array's brackets, so that
// "k[]" comes before "k1".
func compareNames(a, b Param) int { return strings.Compare(a.name(), b.name()) }

// name is the key without the brackets of an array.
func (p Param) name() string { return strings.TrimSuffix(p.Key, "[]") }

func (p Param) isArray() bool { return strings.HasSuffix(p.Key, "[]") }

// Sign returns the signature of text, 64 lower-case hex digits.
func Sign(s Secret, text string) string { return sign(s, []byte(text)) }

// Verify reports, in constant time, whether hexSignature is the signature of text. Like the official server it takes
// lower-case digits only. With an empty secret it is false. Whoever verifies often uses a [Verifier].
func Verify(s Secret, text, hexSignature string) bool {
	return newMAC(s).verify([]byte(text), hexSignature)
}

// SignWebhook returns the X-Pusher-Signature of a webhook with this body. Sign the bytes that are sent.
func SignWebhook(s Secret, body []byte) string { return sign(s, body) }

// VerifyWebhook reports, in constant time, whether sig is the X-Pusher-Signature of the body. With an empty secret it
// is false.
func VerifyWebhook(s Secret, body []byte, sig string) bool { return newMAC(s).verify(body, sig) }

func sign(s Secret, text []byte) string {
	d := newMAC(s).sign(text)
	return string(d[:])
}

const hexLen = 2 * sha256.Size

// A mac signs with one secret. It signs or verifies one text, and again after each reset of the hash.
type mac struct {
	hash hash.Hash
	sum  [sha256.Size]byte
	open bool   // the secret is empty: anybody can sign with it
	text []byte // of a preparedKey, which builds there what is signed
}

// newMAC is the one place where a secret is used.
func newMAC(s Secret) *mac {
	return &mac{hash: hmac.New(sha256.New, []byte(s)), open: s == ""}
}

func (m *mac) sign(text []byte) (d [hexLen]byte) {
	m.hash.Write(text) // never fails
	hex.Encode(d[:], m.hash.Sum(m.sum[:0]))
	return d
}

// verify reports, in constant time, whether sig is the signature of text.
func (m *mac) verify(text []byte, sig string) bool {
	if m.open {
		return false
	}
	want := m.sign(text)
	return equalHex(want[:], sig)
}

// equalHex compares in constant time; only the length, which is no secret, shows. got is copied into an array because
// a conversion to []byte would allocate.
func equalHex(want []byte, got string) bool {
	var b [hexLen]byte
	return len(got) <= len(b) && hmac.Equal(want, b[:copy(b[:], got)])
}
