package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hark/authz"
	"hark/channels"
	"hark/channels/redisbroker/redistest"
)

// Two servers share a Redis behind Sentinels, by what stands in the configuration: with TLS, and users in both.
func TestServeBehindSentinels(t *testing.T) {
	authority := redistest.NewAuthority(t)
	master := redistest.Start(t, redistest.Options{TLS: authority})
	if _, err := master.Do("ACL", "SETUSER", "node", "on", ">p@ss/word", "~*", "&*", "+@all"); err != nil {
		t.Fatal(err)
	}
	g := redistest.StartSentinels(t, master, 0, "user asks on >other ~* &* +@all")
	dir := t.TempDir()
	for name, text := range map[string]string{"ca": authority.CA, "cert": authority.Cert, "key": authority.Key} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	at := g.Addrs()
	file := fmt.Sprintf(`redis: rediss://%s?master=%s&addr=%s&addr=%s
redis_prefix: mine
redis_username: node
redis_password: ${REDIS_PASSWORD}
redis_sentinel_username: asks
redis_sentinel_password: other
redis_ca: file://%s/ca
redis_cert: file://%[5]s/cert
redis_key: file://%[5]s/key
apps: [{id: 1, keys: [{key: k, secret: s}]}]
`, at[0], g.Name, at[1], at[2], dir)
	variables := map[string]string{"REDIS_PASSWORD": "p@ss/word"}
	a, b := serveFile(t, file, variables), serveFile(t, file, variables)
	key := authz.Key{Key: "k", Secret: "s"}
	c, _ := b.open(key, "", nil)
	c.subscribe("private-x")
	if status, answer := a.rest(key, "/apps/1/events", `{"name":"e","channel":"private-x","data":"d"}`); status != http.StatusOK {
		t.Fatalf("a trigger was answered %d %s", status, answer)
	}
	c.expect("private-x e d")
	loggedIn(t, "node", master)
	loggedIn(t, "asks", g.All...)
	keys, err := master.Do("KEYS", "*")
	if err != nil || !strings.Contains(keys, "mine:{") {
		t.Errorf("the keys are %q (%v), want the prefix", keys, err)
	}
}

// loggedIn fails the test unless a user is connected to one of the servers.
func loggedIn(t *testing.T, who string, servers ...*redistest.Server) {
	t.Helper()
	var all []string
	for _, s := range servers {
		clients, err := s.Do("CLIENT", "LIST")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, clients)
	}
	if clients := strings.Join(all, "\n"); !strings.Contains(clients, "user="+who+" ") {
		t.Errorf("nobody is connected as %s:\n%s", who, clients)
	}
}

// Who comes when the server listens is not answered 503: Redis has been reached by then.
func TestServeListensWhenReady(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	for range 5 {
		a := serveFile(t, "redis: redis://"+s.Addr()+"\napps: [{id: 1, keys: [{key: k, secret: s}]}]\n", nil)
		if status, answer := a.rest(authz.Key{Key: "k", Secret: "s"}, "/apps/1/events", `{"name":"e","channel":"x","data":"d"}`); status != http.StatusOK {
			t.Errorf("the first trigger was answered %d %s", status, answer)
		}
		a.end()
		<-a.ended
	}
}

// A server whose Redis is away says so, and listens all the same; one that ends meanwhile does not.
func TestServeListensLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, err := channels.New(channels.Config{Apps: []channels.AppConfig{{ID: "1", Keys: authz.Keys{{Key: "k", Secret: "s"}}}}})
		if err != nil {
			t.Fatal(err)
		}
		var printed bytes.Buffer
		log, began := slog.New(slog.NewTextHandler(&printed, nil)), time.Now()
		if !awaitReady(t.Context(), log, hub, nil) || time.Since(began) != startTimeout {
			t.Errorf("it waited %v, want %v", time.Since(began), startTimeout)
		}
		if !strings.Contains(printed.String(), `msg="not ready yet, and listening all the same" waited=3s error=starting`) {
			t.Errorf("it printed %q", &printed)
		}
		ended := make(chan struct{})
		close(ended)
		if awaitReady(t.Context(), log, hub, ended) {
			t.Error("it listens though the hub has ended")
		}
	})
}
