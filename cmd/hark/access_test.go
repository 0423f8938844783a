package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"hark/authz"
)

// cookies is an app that finds out by a cookie who somebody is.
const cookies = `
apps:
  - id: 1
    keys: [{key: key-1, secret: secret-1}]
    allowed_origins: [https://app.example]
    jwt:
      algorithms: [HS256]
      secret: 0123456789abcdef0123456789abcdef
      cookie: session
      path: /t/
  - id: 2
    keys: [{key: key-2, secret: secret-2}]
    callback: {url: "${FIRST}", authenticate: true}
`

// Where a cookie says who somebody is, the pages of strangers may not connect: it comes along with their requests, too.
func TestOrigins(t *testing.T) {
	b := newBackend(t, func(string, question) string { return `{"user":{"id":"7"}}` })
	s := serveFile(t, cookies, map[string]string{"FIRST": b.url})
	own := "http://" + s.address
	const secret = "0123456789abcdef0123456789abcdef"
	good, old := webToken(secret, `{"sub":"7","exp":4000000000}`), webToken(secret, `{"sub":"7","exp":1000000000}`)
	for _, tt := range []struct {
		name           string
		key            authz.Key
		origin, cookie string
		in             bool
	}{
		{"token, own page", key1, own, "session=" + good, true},
		{"token, allowed page", key1, "https://app.example", "session=" + good, true},
		{"token, strange page", key1, "https://evil.example", "session=" + good, false},
		{"token, no page", key1, "", "session=" + good, true},
		{"token that has expired", key1, own, "session=" + old, false},
		{"allowed origins hold for guests", key1, "https://evil.example", "", false},
		{"callback, own page", key2, own, "PHPSESSID=x", true},
		{"callback, strange page", key2, "https://evil.example", "PHPSESSID=x", false},
		{"callback, strange page, no cookie", key2, "https://evil.example", "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			header := http.Header{}
			for name, value := range map[string]string{"Origin": tt.origin, "Cookie": tt.cookie} {
				if value != "" {
					header.Set(name, value)
				}
			}
			_, heard := s.open(tt.key, "", header)
			if want := map[bool]string{true: "pusher:connection_established ", false: `pusher:error {"code":4009,`}[tt.in]; !strings.HasPrefix(heard, want) {
				t.Errorf("heard %s, want %s", heard, want)
			}
		})
	}
	if n := len(b.questions("authenticate")); n != 2 {
		t.Errorf("the application was asked %d times, want 2: not about the stranger", n)
	}

	// A path is no cookie: it can be the page of anybody who has the token.
	_, heard := s.open(key1, "/t/"+good, nil)
	if !strings.HasPrefix(heard, "pusher:connection_established ") {
		t.Errorf("heard %s", heard)
	}
	_, heard = s.open(key1, "/t/nonsense", nil)
	if !strings.HasPrefix(heard, `pusher:error {"code":4009,`) {
		t.Errorf("heard %s", heard)
	}
}

// Who has to be a user is refused as a guest, wherever they ask.
func TestRequireUser(t *testing.T) {
	b := newBackend(t, func(kind string, q question) string { return `{"user":null}` })
	s := serveFile(t, `
apps:
  - id: 1
    keys: [{key: key-1, secret: secret-1}]
    require_user: true
    callback: {url: "${FIRST}", authenticate: true}
    policies: [{channel: private-open, everyone: true}]
`, map[string]string{"FIRST": b.url})
	if _, heard := s.open(key1, "", nil); !strings.HasPrefix(heard, `pusher:error {"code":4009,`) {
		t.Errorf("heard %s", heard)
	}
	if status, body := s.ask("/pusher/auth", url.Values{"socket_id": {"1.2"}, "channel_name": {"private-open"}}, nil); status != 401 {
		t.Errorf("%d %s, want 401", status, body)
	}
}

// What applications allow is remembered as they say, and forgotten when somebody says that it has changed.
func TestInvalidate(t *testing.T) {
	answer := func(kind string, q question) string {
		if kind == "authenticate" {
			return `{"user":{"id":"7"}}`
		}
		return `{"allow":true,"cache":60}`
	}
	first, other := newBackend(t, answer), newBackend(t, answer)
	s := serveFile(t, `
apps:
  - id: 1
    keys: [{key: key-1, secret: secret-1}]
    callback: {url: "${FIRST}", authenticate: true}
    policies:
      - {channel: private-x, callback: true}
      - {channel: private-x, callback: "${OTHER}"}
`, map[string]string{"FIRST": first.url, "OTHER": other.url})
	ask := func(times int, want int) {
		t.Helper()
		for range times {
			status, body := s.ask("/pusher/auth", url.Values{"socket_id": {"1.2"}, "channel_name": {"private-x"}}, http.Header{"Cookie": {"PHPSESSID=x"}})
			if status != 200 {
				t.Fatalf("%d %s, want 200", status, body)
			}
		}
		if a, b := len(first.questions("authorize")), len(other.questions("authorize")); a != want || b != want {
			t.Errorf("asked %d and %d times so far, want %d", a, b, want)
		}
	}
	ask(3, 1)
	if status, body := s.rest(key1, "/apps/1/hark/invalidate", `{"user":"9"}`); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	ask(1, 1)
	if status, body := s.rest(key1, "/apps/1/hark/invalidate", `{"user":"7"}`); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	ask(2, 2)
}

// Applications are asked until the last request is answered.
func TestShutdownAnswers(t *testing.T) {
	asked, said := make(chan struct{}), make(chan struct{})
	b := newBackend(t, func(kind string, q question) string {
		close(asked)
		<-said
		return `{"allow":true}`
	})
	s := serveFile(t, `
apps:
  - id: 1
    keys: [{key: key-1, secret: secret-1}]
    policies: [{channel: private-x, callback: "${FIRST}"}]
`, map[string]string{"FIRST": b.url})
	answered := make(chan int, 1)
	go func() { // ends with the request
		response, err := http.PostForm("http://"+s.address+"/pusher/auth", url.Values{"socket_id": {"1.2"}, "channel_name": {"private-x"}})
		if err != nil {
			answered <- 0
			return
		}
		_ = response.Body.Close()
		answered <- response.StatusCode
	}()
	<-asked
	s.end()
	s.await("msg=draining")
	close(said)
	if status := <-answered; status != 200 {
		t.Errorf("got %d, want 200", status)
	}
	<-s.ended
}

// The keys of tokens are fetched where they are published.
func TestPublishedKeys(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","use":"sig","x":%q}]}`, encode(public))
	}))
	t.Cleanup(issuer.Close)
	s := serveFile(t, `
apps:
  - id: 1
    keys: [{key: key-1, secret: secret-1}]
    jwt: {algorithms: [EdDSA], jwks_url: "${ISSUER}/keys.json"}
    policies: [{channel: "private-user.{id}", owner: id}]
`, map[string]string{"ISSUER": issuer.URL})
	signed := encode([]byte(`{"alg":"EdDSA"}`)) + "." + encode([]byte(`{"sub":"7","exp":4000000000}`))
	header := http.Header{"Authorization": {"Bearer " + signed + "." + encode(ed25519.Sign(private, []byte(signed)))}}
	for channel, want := range map[string]int{"private-user.7": 200, "private-user.9": 403} {
		if status, body := s.ask("/pusher/auth", url.Values{"socket_id": {"1.2"}, "channel_name": {channel}}, header); status != want {
			t.Errorf("%s: %d %s, want %d", channel, status, body, want)
		}
	}
}
