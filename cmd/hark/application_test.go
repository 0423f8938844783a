package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/rogpeppe/go-internal/testscript"

	"hark/authz"
)

// application starts what answers callbacks, at $APPLICATION, until the script ends. A file says what: for each kind an
// answer, or a status. It is read anew for each question.
func application(ts *testscript.TestScript, _ bool, args []string) {
	file := ts.MkAbs(args[0])
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var answers map[string]jsontext.Value
		text, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(text, &answers)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("X-Pusher-Signature") != authz.SignWebhook("application-secret", body) {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		answer := answers[r.Header.Get("Hark-Callback")]
		var status int
		if json.Unmarshal(answer, &status) == nil {
			w.WriteHeader(status)
			return
		}
		_, _ = w.Write(answer) // who does not read it will say so
	}))
	ts.Defer(server.Close)
	ts.Setenv("APPLICATION", server.URL)
}

// token makes a variable of a JSON Web Token: its name, the secret that signs it, the claims.
func token(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], webToken(args[1], args[2]))
}

// webToken returns a JSON Web Token, signed by HS256.
func webToken(secret, claims string) string {
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"HS256"}`)) + "." + encode([]byte(claims))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(signed))
	return signed + "." + encode(mac.Sum(nil))
}

// post sends a form to a URL, with headers. The status and the body of the answer, "200 {}", have to match.
func post(ts *testscript.TestScript, _ bool, args []string) {
	r, err := http.NewRequest(http.MethodPost, args[1], strings.NewReader(args[2]))
	ts.Check(err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, h := range args[3:] {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(r)
	ts.Check(err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	ts.Check(err)
	if got := fmt.Sprintf("%d %s", response.StatusCode, body); !regexp.MustCompile(args[0]).MatchString(got) {
		ts.Fatalf("got %s, want %s", got, args[0])
	}
}
