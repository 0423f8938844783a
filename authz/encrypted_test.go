package authz_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"golang.org/x/crypto/nacl/secretbox"

	"hark/authz"
)

// decode64 decodes a value of a vector.
func decode64(t *testing.T, text string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func checkSharedSecret(t *testing.T, v vector) {
	t.Helper()
	master := authz.Secret(decode64(t, v.MasterKey))
	parsed, err := authz.ParseMasterKey(v.MasterKey)
	switch fits := len(master) == authz.MasterKeySize; {
	case fits && (err != nil || parsed != master):
		t.Errorf("ParseMasterKey: %d bytes and error %v, want the key's %d", len(parsed), err, len(master))
	case !fits && err == nil:
		t.Errorf("ParseMasterKey takes a key of %d bytes", len(master))
	}
	got := authz.SharedSecret(master, v.Channel)
	if got := base64.StdEncoding.EncodeToString(got[:]); got != v.SharedSecret {
		t.Errorf("SharedSecret(%s) = %s, want %s", v.Channel, got, v.SharedSecret)
	}
	if authz.SharedSecret(master, v.Channel+"2") == got {
		t.Error("two channels have one shared secret")
	}
}

// The shared secret is a key as NaCl takes it: what one side seals with it the other opens.
func checkSecretbox(t *testing.T, v vector) {
	t.Helper()
	key, nonce := [32]byte(decode64(t, v.SharedSecret)), [24]byte(decode64(t, v.Nonce))
	sealed := secretbox.Seal(nil, []byte(v.Plaintext), &nonce, &key)
	if got := base64.StdEncoding.EncodeToString(sealed); got != v.Ciphertext {
		t.Errorf("sealed: %s, want %s", got, v.Ciphertext)
	}
	opened, ok := secretbox.Open(nil, decode64(t, v.Ciphertext), &nonce, &key)
	if !ok || string(opened) != v.Plaintext {
		t.Errorf("opened: %q (%v), want %q", opened, ok, v.Plaintext)
	}
	key[0]++
	if _, ok := secretbox.Open(nil, sealed, &nonce, &key); ok {
		t.Error("another shared secret opens it")
	}
}

func TestParseMasterKeyRefuses(t *testing.T) {
	t.Parallel()
	encode := func(n int) string { return base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", n))) }
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", "empty"},
		{"too short", encode(31), "this one has 31"},
		{"too long", encode(33), "this one has 33"},
		{"the key itself, which happens to be base64", strings.Repeat("k", 32), "this one has 24"},
		{"no base64", "my-master-key", "must be base64"},
		{"the alphabet of URLs", strings.Repeat("_", 43) + "=", "must be base64"},
		{"no padding", strings.TrimRight(encode(32), "="), "must be base64"},
	} {
		got, err := authz.ParseMasterKey(c.text)
		if err == nil || !strings.Contains(err.Error(), c.want) || got != "" {
			t.Errorf("%s: error %v, want one with %q and no key", c.name, err, c.want)
		}
		if err != nil && len(c.text) > 8 && strings.Contains(err.Error(), c.text[:8]) {
			t.Errorf("%s: the error shows the key: %v", c.name, err)
		}
	}
}
