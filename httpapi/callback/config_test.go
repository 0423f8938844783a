package callback_test

import (
	"strings"
	"testing"
	"time"

	"hark/authz"
	"hark/httpapi/callback"
)

// What is wrong with a configuration is said, all of it at once, and no secret with it.
func TestConfig(t *testing.T) {
	good := callback.Config{App: "1", Key: key, URL: "https://app.example/hark?x=1"}
	if _, err := callback.New(good); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		change func(c *callback.Config)
		want   string
	}{
		{func(c *callback.Config) { *c = callback.Config{} }, "App is empty"},
		{func(c *callback.Config) { *c = callback.Config{} }, "URL must begin with"},
		{func(c *callback.Config) { c.Key = authz.Key{Key: "k"} }, "Key needs a key and a secret"},
		{func(c *callback.Config) { c.Key = authz.Key{Secret: "s"} }, "Key needs a key and a secret"},
		{func(c *callback.Config) { c.URL = "app.example/hark" }, "URL must begin with http:// or https://"},
		{func(c *callback.Config) { c.URL = "ftp://app.example" }, "URL must begin with"},
		{func(c *callback.Config) { c.URL = "https:///hark" }, "have a host"},
		{func(c *callback.Config) { c.URL = "https://user:app-secret@app.example" }, "no user or password"},
		{func(c *callback.Config) { c.URL = "https://app-secret\x00" }, "URL cannot be read"},
		{func(c *callback.Config) { c.Headers = []string{"a b"} }, `"a b" in Headers is no header's name`},
		{func(c *callback.Config) { c.Headers = []string{""} }, `"" in Headers is no header's name`},
		{func(c *callback.Config) { c.Headers = []string{"content-length"} }, "Content-Length in Headers is not a client's to say"},
		{func(c *callback.Config) { c.Headers = []string{"x-pusher-signature"} }, "X-Pusher-Signature in Headers"},
		{func(c *callback.Config) { c.Headers = []string{"Hark-Callback"} }, "Hark-Callback in Headers"},
		{func(c *callback.Config) { c.Timeout = -1 }, "may not be negative"},
		{func(c *callback.Config) { c.Concurrency = -1 }, "may not be negative"},
		{func(c *callback.Config) { c.Gather = 4 * time.Second }, "leaves nothing of a Timeout of 3s"},
		{func(c *callback.Config) { c.MaxCache = time.Hour }, "MaxCache is 1h0m0s; the most is 1m0s"},
	} {
		config := good
		tt.change(&config)
		_, err := callback.New(config)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "app-secret") {
			t.Errorf("%v, want %q", err, tt.want)
		}
	}
}
