package authz_test

import (
	"bytes"
	jsonv1 "encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"
	"go.yaml.in/yaml/v4"

	"hark/authz"
	"hark/protocol"
)

// A secret must not show, whatever prints it.
func TestSecretHides(t *testing.T) {
	t.Parallel()
	const text = "0f1e2d3c4b5a69788796"
	secret := authz.Secret(text)
	key := authz.Key{Key: "app-key", Secret: secret}
	keys := authz.Keys{key}
	verifier := authz.NewVerifier(keys)
	s := protocol.Subscribe{Channel: "private-x", Auth: key.ChannelAuth("1.2", "private-x", "", false)}
	if err := verifier.VerifyChannel("1.2", s); err != nil { // from here on it has a MAC at hand
		t.Fatal(err)
	}

	printed := map[string]string{
		"String":   secret.String(),
		"GoString": secret.GoString(),
		"Sprint":   fmt.Sprint(secret, key, keys, &key, &keys),
		"error":    fmt.Errorf("sign with %v: %w", key, fmt.Errorf("%s", secret)).Error(),
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%c", "%U", "%e", "%10.3s", "%!"} {
		printed[verb] = fmt.Sprintf(verb, secret) + fmt.Sprintf(verb, key) + fmt.Sprintf(verb, keys) + fmt.Sprintf(verb, &key) + fmt.Sprintf(verb, verifier)
	}
	var log bytes.Buffer
	for name, h := range map[string]slog.Handler{
		"slog text": slog.NewTextHandler(&log, nil), "slog JSON": slog.NewJSONHandler(&log, nil),
	} {
		log.Reset()
		slog.New(h).Info("app", "secret", secret, "key", key, "keys", keys, "verifier", verifier, "group", slog.GroupValue(slog.Any("s", &secret)))
		printed[name] = log.String()
	}
	for name, marshal := range map[string]func(any) ([]byte, error){
		"JSON v1": jsonv1.Marshal,
		"JSON v2": func(v any) ([]byte, error) { return json.Marshal(v) },
		"YAML":    func(v any) ([]byte, error) { return yaml.Marshal(v) },
	} {
		b, err := marshal(map[string]any{"secret": secret, "key": key, "keys": keys, "pointer": &secret})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		printed[name] = string(b)
	}

	hexText := fmt.Sprintf("%x", text)
	for name, got := range printed {
		if strings.Contains(got, text) || strings.Contains(strings.ToLower(got), hexText) || strings.Contains(got, text[:4]) {
			t.Errorf("%s shows the secret: %s", name, got)
		}
		if name != "%!" && !strings.Contains(got, "[secret]") {
			t.Errorf("%s = %s, want [secret] in it", name, got)
		}
	}
	if string(secret) != text {
		t.Errorf("string(secret) = %q, want its text", string(secret))
	}
}

func TestSecretIsReadAsText(t *testing.T) {
	t.Parallel()
	var k authz.Key
	if err := json.Unmarshal([]byte(`{"Key":"app-key","Secret":"app-secret"}`), &k); err != nil {
		t.Fatal(err)
	}
	if k != (authz.Key{Key: "app-key", Secret: "app-secret"}) {
		t.Errorf("Unmarshal gave key %q and secret %q", k.Key, string(k.Secret))
	}
}

// A name is one key's, with its own secret and as it is written.
func TestVerifierKeys(t *testing.T) {
	t.Parallel()
	keys := authz.Keys{{"old", "s1"}, {"new", "s2"}, {"", "s3"}, {"open", ""}, {"old", "s4"}}
	tests := []struct {
		name     string
		verifier *authz.Verifier
		key      string
		secret   string
		want     bool
	}{
		{"oldest", authz.NewVerifier(keys), "old", "s1", true},
		{"newest", authz.NewVerifier(keys), "new", "s2", true},
		{"the secret of another", authz.NewVerifier(keys), "new", "s1", false},
		{"unknown", authz.NewVerifier(keys), "other", "s1", false},
		{"prefix", authz.NewVerifier(keys), "ne", "s2", false},
		{"longer", authz.NewVerifier(keys), "news", "s2", false},
		{"other case", authz.NewVerifier(keys), "Old", "s1", false},
		{"no name finds nothing, even where a key has none", authz.NewVerifier(keys), "", "s3", false},
		{"an empty secret", authz.NewVerifier(keys), "open", "", false},
		{"the second of a name", authz.NewVerifier(keys), "old", "s4", false},
		{"no keys", authz.NewVerifier(nil), "old", "s1", false},
		{"zero", new(authz.Verifier), "old", "s1", false},
		{"nil", nil, "old", "s1", false},
	}
	for _, tt := range tests {
		auth := tt.key + ":" + hmacHex(tt.secret, "1.2:private-x")
		for range 3 { // with a MAC made anew, and with one that was used
			err := tt.verifier.VerifyChannel("1.2", protocol.Subscribe{Channel: "private-x", Auth: auth})
			if (err == nil) != tt.want {
				t.Errorf("%s: VerifyChannel with the key %q = %v, want accepted: %v", tt.name, tt.key, err, tt.want)
			}
		}
	}
}

// What is kept ready of a verification has nothing to do with the next one.
func TestVerifierConcurrently(t *testing.T) {
	t.Parallel()
	var verifying sync.WaitGroup
	for worker := range 8 {
		verifying.Go(func() {
			for i := range 200 {
				text := strings.Repeat("x", (worker*i*7)%5000) // longer than what is kept, too
				channel := protocol.Subscribe{Channel: "private-x", ChannelData: text, HasChannelData: true}
				right, wrong := channel, channel
				right.Auth = "new-key:" + hmacHex("new-secret", "1.2:private-x:"+text)
				wrong.Auth = "old-key:" + hmacHex("new-secret", "1.2:private-x:"+text)
				if err := both.VerifyChannel("1.2", right); err != nil {
					t.Errorf("VerifyChannel with %d bytes: %v", len(text), err)
				}
				if err := both.VerifyChannel("1.2", wrong); err == nil {
					t.Errorf("VerifyChannel with %d bytes and the secret of another key: accepted", len(text))
				}
			}
		})
	}
	verifying.Wait()
}
