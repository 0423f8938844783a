package authz

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
)

// MasterKeySize is the length of a master key in bytes.
const MasterKeySize = 32

// ParseMasterKey reads the master key of encrypted channels as SDKs take it: standard base64 of [MasterKeySize] bytes,
// which "openssl rand -base64 32" makes. The Secret holds the bytes themselves. No error shows the key.
//
// Pusher: https://pusher.com/docs/channels/using_channels/encrypted-channels/
func ParseMasterKey(text string) (Secret, error) {
	if text == "" {
		return "", errors.New("the master key is empty: give it 32 bytes in base64, as openssl rand -base64 32 prints them")
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "", fmt.Errorf("the master key must be base64 with its padding, as openssl rand -base64 32 prints it: %w", err)
	}
	if len(key) != MasterKeySize {
		return "", fmt.Errorf("the master key must be %d bytes in base64, as openssl rand -base64 32 prints them; this one has %d",
			MasterKeySize, len(key))
	}
	return Secret(key), nil
}

// SharedSecret returns the key with which the data on an encrypted channel is encrypted and decrypted (NaCl secretbox):
// SHA-256 of the channel's name and, right behind it, the bytes of the master key. An auth endpoint gives it, in base64,
// to whoever may join the channel; the server itself never needs it. Each channel has its own, and the master key
// cannot be found from it.
func SharedSecret(masterKey Secret, channel string) [sha256.Size]byte {
	return sha256.Sum256([]byte(channel + string(masterKey)))
}
