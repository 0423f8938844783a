package client_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"

	"hark/cmd/hark/internal/client"
)

// All pages are read, also those that lack what silent nodes have.
func TestConnected(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		if r.URL.Path != "/apps/1001/hark/users" || query.Get("limit") != "1" {
			t.Errorf("asked for %s", r.URL)
		}
		switch query.Get("cursor") {
		case "":
			_, _ = io.WriteString(w, `{"users":[{"user":{"id":"1"},"connections":2}],"next":"1"}`)
		case "1":
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, `{"users":[{"user":{"id":"2"},"connections":1}],"next":"2","silent":["b","a"]}`)
		case "2":
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, `{"users":[],"silent":["a"]}`)
		}
	}))
	defer server.Close()
	c := client.Client{URL: target(server.URL)}
	l, err := c.Connected(t.Context(), "users", url.Values{"limit": {"1"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Users) != 2 || l.Users[0].Connections != 2 || l.Users[1].Identity.ID != "2" || !slices.Equal(l.Silent, []string{"a", "b"}) {
		t.Errorf("listed %+v, want two users, and that a and b are silent", l)
	}
}

// A refusal in words is no page.
func TestConnectedRefused(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "Not available now, try again", http.StatusServiceUnavailable)
	}))
	defer server.Close()
	c := client.Client{URL: target(server.URL)}
	if l, err := c.Connected(t.Context(), "users", url.Values{}); err == nil {
		t.Errorf("listed %+v, want the server's words", l)
	}
}
