package httpapi_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"hark/authz"
	"hark/channels/hubtest"
	"hark/channels/ws"
	"hark/httpapi"
)

// One http.Server takes a client in by websocket and a backend by REST.
func TestServer(t *testing.T) {
	hub := hubtest.Start(t, hubtest.Config())
	server := httptest.NewServer(httpapi.New(hub, httpapi.Config{PathPrefix: "/hark", Websocket: ws.New(hub)}))
	t.Cleanup(server.Close)
	client, _, err := websocket.Dial(t.Context(), server.URL+"/hark/app/app-key?protocol=7", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseNow()
	hear := func(want string) {
		t.Helper()
		if _, got, err := client.Read(t.Context()); err != nil || !strings.Contains(string(got), want) {
			t.Fatalf("heard %q, %v, want %s", got, err, want)
		}
	}
	post := func(body string) (int, string) {
		t.Helper()
		query := authz.SignREST(key, "POST", "/apps/1001/events", nil, []byte(body), time.Now())
		answer, err := server.Client().Post(server.URL+"/hark/apps/1001/events?"+query.Encode(), "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(text)
	}

	hear("pusher:connection_established")
	subscribe := `{"event":"pusher:subscribe","data":{"channel":"c"}}`
	if err := client.Write(t.Context(), websocket.MessageText, []byte(subscribe)); err != nil {
		t.Fatal(err)
	}
	hear("subscription_succeeded")
	if status, answer := post(event); status != http.StatusOK || answer != "{}" {
		t.Fatalf("trigger: %d %q", status, answer)
	}
	hear(`{"event":"e","channel":"c","data":"1"}`)
	if status, answer := post(event + strings.Repeat(" ", 1<<20)); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a body over the cap: %d %q", status, answer)
	}
}
