package authz_test

import (
	"bytes"
	jsonv1 "encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"go.yaml.in/yaml/v4"

	"hark/authz"
)

// A secret must not show, whatever prints it.
func TestSecretHides(t *testing.T) {
	t.Parallel()
	const text = "0f1e2d3c4b5a69788796"
	secret := authz.Secret(text)
	key := authz.Key{Key: "app-key", Secret: secret}
	keys := authz.Keys{key}

	printed := map[string]string{
		"String":   secret.String(),
		"GoString": secret.GoString(),
		"Sprint":   fmt.Sprint(secret, key, keys, &key, &keys),
		"error":    fmt.Errorf("sign with %v: %w", key, fmt.Errorf("%s", secret)).Error(),
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%c", "%U", "%e", "%10.3s", "%!"} {
		printed[verb] = fmt.Sprintf(verb, secret) + fmt.Sprintf(verb, key) + fmt.Sprintf(verb, keys) + fmt.Sprintf(verb, &key)
	}
	var log bytes.Buffer
	for name, h := range map[string]slog.Handler{
		"slog text": slog.NewTextHandler(&log, nil), "slog JSON": slog.NewJSONHandler(&log, nil),
	} {
		log.Reset()
		slog.New(h).Info("app", "secret", secret, "key", key, "keys", keys, "group", slog.GroupValue(slog.Any("s", &secret)))
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

func TestFind(t *testing.T) {
	t.Parallel()
	keys := authz.Keys{{"old", "s1"}, {"new", "s2"}, {"", "s3"}}
	tests := []struct {
		name string
		keys authz.Keys
		key  string
		want authz.Secret
	}{
		{"oldest", keys, "old", "s1"},
		{"newest", keys, "new", "s2"},
		{"unknown", keys, "other", ""},
		{"prefix", keys, "ne", ""},
		{"longer", keys, "news", ""},
		{"other case", keys, "Old", ""},
		{"no name finds nothing, even where a key has none", keys, "", ""},
		{"no keys", nil, "old", ""},
	}
	for _, tt := range tests {
		got, ok := tt.keys.Find(tt.key)
		if got.Secret != tt.want || ok != (tt.want != "") {
			t.Errorf("%s: Find(%q) = %q, %v; want %q", tt.name, tt.key, string(got.Secret), ok, string(tt.want))
		}
	}
}
