package examples

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"hark/conformance/internal/process"
)

const secret = "a-secret-of-the-test"

func TestPHP(t *testing.T) {
	started := regexp.MustCompile(`\((http://\S+)\) started`)
	testBackend(t, started, process.Find(t, "php-cli", "php"), "-S", "127.0.0.1:0", "backend.php")
}

func TestNode(t *testing.T) {
	started := regexp.MustCompile(`started: (\S+)\n`)
	testBackend(t, started, process.Find(t, "nodejs", "node"), "backend.mjs", "0")
}

// testBackend looks at what clients of a server get that asks a backend, which says where it listens.
func testBackend(t *testing.T, started *regexp.Regexp, name string, args ...string) {
	variables := []string{"HARK_SECRET=" + secret}
	backend, address := process.Start(t, started, variables, name, args...)
	_, host := process.Serve(t, append(variables, "BACKEND_URL="+address), "-c", "hark.yaml", "--listen", "127.0.0.1:0", "--drain", "0s")

	// Ada has a token, Bob a cookie; one guest has neither.
	ada := dial(t, host, "Authorization", "Bearer ada-session")
	bob := dial(t, host, "Cookie", "theme=dark; session=bob-session")
	guest := dial(t, host, "", "")

	ada.subscribe("private-order.A;2F1", `{}`)
	if status, _ := bob.authorize("private-order.A;2F1"); status != 403 {
		t.Errorf("Bob asks for Ada's order: %d, want 403", status)
	}
	bob.subscribe("private-order.A;2F2", `{}`)
	ada.subscribe("presence-office", `{"presence":{"count":1,"ids":["7"],"hash":{"7":{"desk":"window"}}}}`)
	bob.subscribe("presence-office", `{"presence":{"count":2,"ids":["7","9"],"hash":{"7":{"desk":"window"},"9":{"desk":"window"}}}}`)
	ada.expect("pusher_internal:member_added", `{"user_id":"9","user_info":{"desk":"window"}}`)
	for _, channel := range []string{"private-order.A;2F1", "private-order.A;2F3", "presence-office", "private-nothing"} {
		if status, _ := guest.authorize(channel); status != 403 {
			t.Errorf("a guest asks for %s: %d, want 403", channel, status)
		}
	}

	// What a page asks for at once: the backend is asked about all of it at once.
	status, answer := ada.ask(url.Values{"channel_name[0]": {"private-order.A;2F1"}, "channel_name[1]": {"private-order.A;2F2"}, "channel_name[2]": {"presence-office"}})
	var each map[string]struct{ Status int }
	if err := json.Unmarshal(answer, &each, json.MatchCaseInsensitiveNames(true)); status != 200 || err != nil ||
		each["private-order.A;2F1"].Status != 200 || each["private-order.A;2F2"].Status != 403 || each["presence-office"].Status != 200 {
		t.Errorf("Ada asks for three channels: %d %s, want 200 with 200, 403 and 200", status, answer)
	}

	stranger := dial(t, host, "", "")
	stranger.header.Set("Authorization", "Bearer nobodys-session")
	if status, _ := stranger.authorize("private-order.A;2F1"); status != 401 {
		t.Errorf("a session that has ended: %d, want 401", status)
	}
	forge(t, address)

	_ = backend.Stop() // by the signal
	if status, _ := ada.authorize("private-order.A;2F1"); status != 503 {
		t.Errorf("the backend is away: %d, want 503", status)
	}
}

// forge asks the backend as somebody does who does not know the secret.
func forge(t *testing.T, backendURL string) {
	t.Helper()
	const question = `{"time_ms":1790000000123,"id":"x","app":"1001","kind":"authorize","user":{"id":"7"},"channel":"private-order.A;2F1","pattern":"private-order.{id}","params":{"id":"A/1"},"cause":"join"}`
	for _, signature := range []string{"", "00", strings.Repeat("0", 64)} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, backendURL, strings.NewReader(question))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Pusher-Key", "app-key")
		if signature != "" {
			r.Header.Set("X-Pusher-Signature", signature)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode != 401 {
			t.Errorf("a question signed %q: %d %s, want 401", signature, response.StatusCode, body)
		}
	}
}
