package authz_test

import (
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"hark/authz"
	"hark/protocol"
)

// A vector is a signature, or a step of encryption, that is known to be right: published by Pusher, taken from an official SDK's tests or computed
// independently of this package.
type vector struct {
	ID      string       `json:"id"`
	Kind    string       `json:"kind"`
	Key     string       `json:"key"`
	Secret  authz.Secret `json:"secret"`
	Text    string       `json:"string_to_sign"`
	Hex     string       `json:"hmac_sha256_hex"`
	Channel string       `json:"channel"`
	Data    *string      `json:"channel_data"`
	User    string       `json:"user_data"`
	Method  string       `json:"method"`
	Path    string       `json:"path"`
	Body    string       `json:"body"`

	// Of encrypted channels, in base64.
	MasterKey    string `json:"master_key_b64"`
	SharedSecret string `json:"shared_secret_b64"`
	Nonce        string `json:"nonce_b64"`
	Plaintext    string `json:"plaintext"` // as it is
	Ciphertext   string `json:"ciphertext_b64"`
}

func readVectors(tb testing.TB) []vector {
	tb.Helper()
	b, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		tb.Fatal(err)
	}
	var vs []vector
	if err := json.Unmarshal(b, &vs); err != nil {
		tb.Fatal(err)
	}
	return vs
}

// Every vector of the file is checked: one of a kind that has no check fails.
func TestVectors(t *testing.T) {
	t.Parallel()
	seen, ids := map[string]int{}, map[string]bool{}
	for _, v := range readVectors(t) {
		seen[v.Kind]++
		if ids[v.ID] {
			t.Errorf("there are two vectors %s", v.ID)
		}
		ids[v.ID] = true
		t.Run(v.ID, func(t *testing.T) {
			t.Parallel()
			switch v.Kind {
			case "channel":
				checkSigns(t, v)
				checkChannel(t, v)
			case "user":
				checkSigns(t, v)
				checkUser(t, v)
			case "rest":
				checkSigns(t, v)
				checkREST(t, v)
			case "webhook":
				checkSigns(t, v)
				checkWebhook(t, v)
			case "shared_secret":
				checkSharedSecret(t, v)
			case "secretbox":
				checkSecretbox(t, v)
			default:
				t.Errorf("unknown kind %q", v.Kind)
			}
		})
	}
	for kind, least := range map[string]int{
		"channel": 21, "user": 5, "rest": 20, "webhook": 6, "shared_secret": 3, "secretbox": 2,
	} {
		if seen[kind] < least {
			t.Errorf("%d vectors of kind %s, want %d at least", seen[kind], kind, least)
		}
	}
}

func checkSigns(t *testing.T, v vector) {
	t.Helper()
	if got := authz.Sign(v.Secret, v.Text); got != v.Hex {
		t.Errorf("Sign(%q) = %s, want %s", v.Text, got, v.Hex)
	}
	if !authz.Verify(v.Secret, v.Text, v.Hex) {
		t.Errorf("Verify(%q, %s) = false", v.Text, v.Hex)
	}
	for _, wrong := range []string{"", v.Hex[1:], v.Hex + "0", v.Hex + v.Hex, strings.ToUpper(v.Hex), flip(v.Hex), " " + v.Hex[1:]} {
		if authz.Verify(v.Secret, v.Text, wrong) {
			t.Errorf("Verify(%q, %q) = true, want only %s", v.Text, wrong, v.Hex)
		}
	}
	if authz.Verify(v.Secret, v.Text+" ", v.Hex) || authz.Verify(v.Secret+"x", v.Text, v.Hex) {
		t.Errorf("Verify takes %s for another text or secret", v.Hex)
	}
}

// flip changes the last digit of a signature.
func flip(hex string) string {
	last := "0"
	if strings.HasSuffix(hex, last) {
		last = "1"
	}
	return hex[:len(hex)-1] + last
}

func checkChannel(t *testing.T, v vector) {
	t.Helper()
	parts := strings.SplitN(v.Text, ":", 3)
	id, channel, data, has := protocol.SocketID(parts[0]), parts[1], "", len(parts) == 3
	if has {
		data = parts[2]
	}
	if v.Channel != "" && (channel != v.Channel || has != (v.Data != nil) || has && data != *v.Data) {
		t.Fatalf("the vector's fields do not belong to its string %q", v.Text)
	}
	if got := authz.ChannelString(id, channel, data, has); got != v.Text {
		t.Errorf("ChannelString = %q, want %q", got, v.Text)
	}
	key := authz.Key{Key: "278d425bdf160c739803", Secret: v.Secret}
	auth := key.ChannelAuth(id, channel, data, has)
	if want := key.Key + ":" + v.Hex; auth != want {
		t.Errorf("ChannelAuth = %s, want %s", auth, want)
	}
	s := protocol.Subscribe{Channel: channel, Auth: auth, ChannelData: data, HasChannelData: has}
	if err := authz.NewVerifier(authz.Keys{{Key: "older", Secret: "x"}, key}).VerifyChannel(id, s); err != nil {
		t.Errorf("VerifyChannel: %v", err)
	}
}

func checkUser(t *testing.T, v vector) {
	t.Helper()
	id, data, ok := strings.Cut(v.Text, "::user::")
	if !ok || v.User != "" && data != v.User {
		t.Fatalf("the vector's fields do not belong to its string %q", v.Text)
	}
	if got := authz.UserString(protocol.SocketID(id), data); got != v.Text {
		t.Errorf("UserString = %q, want %q", got, v.Text)
	}
}

func checkREST(t *testing.T, v vector) {
	t.Helper()
	lines := strings.SplitN(v.Text, "\n", 3)
	if lines[0] != v.Method || lines[1] != v.Path {
		t.Fatalf("the vector's fields do not belong to its string %q", v.Text)
	}
	var params, shuffled []authz.Param
	query := url.Values{}
	for part := range strings.SplitSeq(lines[2], "&") {
		k, value, _ := strings.Cut(part, "=")
		query.Add(k, value)
		params = append(params, authz.Param{Key: k, Value: value})
		upper := authz.Param{Key: strings.ToUpper(k), Value: value}
		if strings.HasSuffix(k, "[]") {
			shuffled = append(shuffled, upper) // keeps its order
		} else {
			shuffled = append([]authz.Param{upper}, shuffled...)
		}
	}
	shuffled = append(shuffled, authz.Param{Key: "auth_signature", Value: v.Hex})
	for _, ps := range [][]authz.Param{params, shuffled} {
		if got := authz.RESTString(v.Method, v.Path, ps); got != v.Text {
			t.Errorf("RESTString(%v) = %q, want %q", ps, got, v.Text)
		}
	}

	keys := authz.Keys{{Key: v.Key, Secret: v.Secret}}
	seconds, err := strconv.ParseInt(query.Get("auth_timestamp"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(seconds, 0)
	raw := lines[2] + "&auth_signature=" + v.Hex
	for _, q := range []string{raw, strings.ReplaceAll(raw, ",", "%2C"), "auth_signature=" + v.Hex + "&" + lines[2]} {
		r := authz.RESTRequest{Method: v.Method, Path: v.Path, RawQuery: q, Body: []byte(v.Body)}
		if _, err := authz.NewVerifier(keys).VerifyREST(r, now); err != nil {
			t.Errorf("VerifyREST(%s): %v", q, err)
		}
	}

	if v.Body == "" && query.Has("body_md5") {
		return // Python's way, not ours
	}
	signed := authz.SignREST(keys[0], v.Method, v.Path, query, []byte(v.Body), now)
	if got := signed.Get("auth_signature"); got != v.Hex {
		t.Errorf("SignREST: auth_signature = %s, want %s", got, v.Hex)
	}
}

func checkWebhook(t *testing.T, v vector) {
	t.Helper()
	body := []byte(v.Text)
	if got := authz.SignWebhook(v.Secret, body); got != v.Hex {
		t.Errorf("SignWebhook(%s) = %s, want %s", body, got, v.Hex)
	}
	if !authz.VerifyWebhook(v.Secret, body, v.Hex) {
		t.Errorf("VerifyWebhook(%s) = false", body)
	}
	if authz.VerifyWebhook(v.Secret, append(body, '\n'), v.Hex) || authz.VerifyWebhook(v.Secret, body, flip(v.Hex)) {
		t.Error("VerifyWebhook takes another body or signature")
	}
}

// Whoever knows that a secret was left empty could sign anything.
func TestEmptySecretVerifiesNothing(t *testing.T) {
	t.Parallel()
	if authz.Verify("", "text", authz.Sign("", "text")) {
		t.Error("Verify with the empty secret = true")
	}
	if authz.VerifyWebhook("", []byte("{}"), authz.SignWebhook("", []byte("{}"))) {
		t.Error("VerifyWebhook with the empty secret = true")
	}
	key := authz.Key{Key: "app-key"}
	s := protocol.Subscribe{Channel: "private-x", Auth: key.ChannelAuth("1.1", "private-x", "", false)}
	if err := authz.NewVerifier(authz.Keys{key}).VerifyChannel("1.1", s); err == nil {
		t.Error("VerifyChannel with the empty secret = nil")
	}
}
