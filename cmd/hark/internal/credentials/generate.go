package credentials

import (
	"crypto/rand"
	"encoding/hex"
	"math/big"
	"strconv"

	"hark/authz"
)

// Generate returns a new app in the form that Pusher gives out: an id of six digits, which every official SDK takes, a
// key and a secret of 20 lower-case hex digits.
func Generate() App {
	const first, count = 100_000, 900_000
	n, err := rand.Int(rand.Reader, big.NewInt(count))
	if err != nil {
		panic(err) // crypto/rand's Reader does not fail
	}
	return App{
		ID:  strconv.FormatInt(first+n.Int64(), 10),
		Key: authz.Key{Key: randomHex(), Secret: authz.Secret(randomHex())},
	}
}

func randomHex() string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
