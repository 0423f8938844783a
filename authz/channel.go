package authz

import (
	"fmt"
	"math"
	"strings"

	"hark/protocol"
)

// VerifyChannel checks the signature of a subscribe by the socket with this id, made with any of the keys. It is nil
// or a [*protocol.Rejection] for the first of these that is wrong, in the official words: there is an auth, it has the
// form key:signature, the key is one of the app's, the signature is that of [ChannelString].
//
// It asks for a signature whatever the channel; whether one is needed says [protocol.Kind.NeedsAuth].
func (v *Verifier) VerifyChannel(id protocol.SocketID, s protocol.Subscribe) error {
	// With a colon in the channel a signature for something else might fit; see ChannelString.
	if err := protocol.CheckChannel(s.Channel, math.MaxInt); err != nil {
		return err
	}
	if s.Auth == "" {
		return protocol.AuthRequired(s.Channel)
	}
	name, signature, ok := strings.Cut(s.Auth, ":")
	if !ok {
		return protocol.InvalidAuthFormat(s.Channel)
	}
	key := v.find(name)
	if key == nil {
		return protocol.InvalidKey(s.Channel, name)
	}
	text := ChannelString(id, s.Channel, s.ChannelData, s.HasChannelData)
	if !key.verify(text, signature) {
		return protocol.InvalidSignature(s.Channel, text, signature)
	}
	return nil
}

// VerifyUser checks the signature of a signin by the socket with this id, made with any of the keys. It is nil or a
// [*protocol.Error] with the first fault.
func (v *Verifier) VerifyUser(id protocol.SocketID, s protocol.Signin) error {
	name, signature, ok := strings.Cut(s.Auth, ":")
	if !ok {
		return &protocol.Error{Message: "Invalid format: auth must have the format key:signature"}
	}
	key := v.find(name)
	if key == nil {
		return &protocol.Error{Message: fmt.Sprintf("Invalid key in user auth data: '%s'", name)}
	}
	if text := UserString(id, s.UserData); !key.verify(text, signature) {
		return &protocol.Error{Message: fmt.Sprintf(
			"Invalid signature: Expected HMAC SHA256 hex digest of %s, but got %s", text, signature)}
	}
	return nil
}

// UserAuth returns the auth, "key:signature", with which the socket may sign in with exactly this userData. It returns
// "", which opens nothing, if id is not a socket id.
func (k Key) UserAuth(id protocol.SocketID, userData string) string {
	if _, err := protocol.ParseSocketID(string(id)); err != nil {
		return ""
	}
	return k.Key + ":" + Sign(k.Secret, UserString(id, userData))
}

// ChannelAuth returns the auth, "key:signature", with which the socket may subscribe to the channel; the client must
// send exactly this channelData along, or none if hasChannelData is false.
//
// It returns "", which opens nothing, if id is not a socket id or channel not a channel's name. Whoever asks an auth
// endpoint chooses both, and with a colon in either the signature for a channel that is open to them would fit another
// channel, or another user's signin.
func (k Key) ChannelAuth(id protocol.SocketID, channel, channelData string, hasChannelData bool) string {
	if _, err := protocol.ParseSocketID(string(id)); err != nil {
		return ""
	}
	if err := protocol.CheckChannel(channel, math.MaxInt); err != nil {
		return ""
	}
	return k.Key + ":" + Sign(k.Secret, ChannelString(id, channel, channelData, hasChannelData))
}
