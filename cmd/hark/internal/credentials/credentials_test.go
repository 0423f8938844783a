package credentials_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"hark/cmd/hark/internal/credentials"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		name, in          string
		base, ws, id, key string
		secret            string
	}{
		{
			name: "as hark serve --dev prints it",
			in:   "http://app-key:app-secret@127.0.0.1:6001/apps/1001",
			base: "http://127.0.0.1:6001", ws: "ws://127.0.0.1:6001/app/app-key",
			id: "1001", key: "app-key", secret: "app-secret",
		},
		{
			name: "behind TLS and a prefix, with a slash at the end",
			in:   "https://k:s@ws.example.com/realtime/v1/apps/7/",
			base: "https://ws.example.com/realtime/v1", ws: "wss://ws.example.com/realtime/v1/app/k",
			id: "7", key: "k", secret: "s",
		},
		{
			name: "a secret with escapes",
			in:   "http://k:p%40ss%2Fword@localhost:1/apps/app-id",
			base: "http://localhost:1", ws: "ws://localhost:1/app/k",
			id: "app-id", key: "k", secret: "p@ss/word",
		},
		{
			name: "Pusher's own, where clients have another host",
			in:   "https://k:s@api-eu.pusher.com/apps/7",
			base: "https://api-eu.pusher.com", ws: "wss://ws-eu.pusher.com/app/k",
			id: "7", key: "k", secret: "s",
		},
		{
			name: "Pusher's oldest cluster",
			in:   "http://k:s@api.pusherapp.com/apps/7",
			base: "http://api.pusherapp.com", ws: "ws://ws-mt1.pusher.com/app/k",
			id: "7", key: "k", secret: "s",
		},
		{
			name: "IPv6",
			in:   "http://k:s@[::1]:6001/apps/7",
			base: "http://[::1]:6001", ws: "ws://[::1]:6001/app/k",
			id: "7", key: "k", secret: "s",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u, err := credentials.Parse(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			got := []string{u.Base(), u.WebSocket(), u.App.ID, u.App.Key.Key, string(u.App.Key.Secret)}
			want := []string{tt.base, tt.ws, tt.id, tt.key, tt.secret}
			for i := range want {
				if got[i] != want[i] {
					t.Errorf("Parse(%q): got %q, want %q", tt.in, got[i], want[i])
				}
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", "does not begin with http"},
		{"127.0.0.1:6001", "cannot be read"},
		{"ws://k:TELLNOBODY@h/apps/1", "does not begin with http"},
		{"http://k:TELLNOBODY@/apps/1", "no host"},
		{"http://h/apps/1", "no key"},
		{"http://k@h/apps/1", "no secret"},
		{"http://k:TELLNOBODY@h/", "/apps/ID"},
		{"http://k:TELLNOBODY@h/apps/", "/apps/ID"},
		{"http://k:TELLNOBODY@h/apps/1/events", "/apps/ID"},
		{"http://k:TELLNOBODY/x@h/apps/1", "cannot be read"},
	} {
		_, err := credentials.Parse(tt.in)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Parse(%q): got error %v, want one with %q", tt.in, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "TELLNOBODY") {
			t.Errorf("Parse(%q) tells the secret: %v", tt.in, err)
		}
	}
}

// environment reads "A=1 B=2".
func environment(s string) credentials.Getenv {
	return func(name string) string {
		for part := range strings.FieldsSeq(s) {
			if k, v, _ := strings.Cut(part, "="); k == name {
				return v
			}
		}
		return ""
	}
}

// all has an app in every group that a server knows, the id telling which.
var all = []string{
	"HARK_APP_ID=1 HARK_APP_KEY=k HARK_APP_SECRET=s",
	"PUSHER_URL=http://k:s@h/apps/2",
	"PUSHER_APP_ID=3 PUSHER_APP_KEY=k PUSHER_APP_SECRET=s",
	"REVERB_APP_ID=4 REVERB_APP_KEY=k REVERB_APP_SECRET=s",
	"SOKETI_DEFAULT_APP_ID=5 SOKETI_DEFAULT_APP_KEY=k SOKETI_DEFAULT_APP_SECRET=s",
	"SOCKUDO_DEFAULT_APP_ID=6 SOCKUDO_DEFAULT_APP_KEY=k SOCKUDO_DEFAULT_APP_SECRET=s",
}

func TestForServerOrder(t *testing.T) {
	for i := range all {
		app, from, err := credentials.ForServer(environment(strings.Join(all[i:], " ")))
		want := string(rune('1' + i))
		if err != nil || app.ID != want {
			t.Errorf("without the first %d: got app %q from %s (%v), want %q", i, app.ID, from, err, want)
		}
		if !strings.HasPrefix(all[i], from+"=") {
			t.Errorf("app %s is said to come from %s", app.ID, from)
		}
	}
	if _, _, err := credentials.ForServer(environment("")); !errors.Is(err, credentials.ErrNone) {
		t.Errorf("with nothing set: got %v, want ErrNone", err)
	}
}

func TestHalfSet(t *testing.T) {
	for _, tt := range []struct{ env, want string }{
		{"HARK_APP_ID=1", "HARK_APP_ID is set, but not HARK_APP_KEY and HARK_APP_SECRET"},
		{"HARK_APP_KEY=TELLNOBODY HARK_APP_SECRET=TELLNOBODY", "but not HARK_APP_ID"},
		{"REVERB_APP_ID=1 REVERB_APP_KEY=k REVERB_APP_SECRET=", "but not REVERB_APP_SECRET"},
		{"PUSHER_URL=http://k:TELLNOBODY@h", "PUSHER_URL: its path"},
		{"HARK_APP_ID=1 " + all[1], "HARK_APP_KEY"},
	} {
		_, _, err := credentials.ForServer(environment(tt.env))
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "TELLNOBODY") {
			t.Errorf("ForServer(%s): got error %v, want one with %q and no secret", tt.env, err, tt.want)
		}
	}
}

func TestForClient(t *testing.T) {
	reverb := "REVERB_APP_ID=4 REVERB_APP_KEY=k REVERB_APP_SECRET=s "
	for _, tt := range []struct{ name, env, want, ws string }{
		{
			"Hark's own goes first", "HARK_URL=http://k:s@h:1/apps/1 " + all[1] + " " + all[2],
			"http://h:1/apps/1", "ws://h:1/app/k",
		},
		{"PUSHER_URL", all[1] + " " + all[2], "http://h/apps/2", "ws://h/app/k"},
		{
			"Laravel's pusher connection", all[2] + " PUSHER_HOST=h PUSHER_PORT=6001 PUSHER_SCHEME=http",
			"http://h:6001/apps/3", "ws://h:6001/app/k",
		},
		{
			"Laravel's pusher connection without a host is Pusher", all[2] + " PUSHER_APP_CLUSTER=eu",
			"https://api-eu.pusher.com/apps/3", "wss://ws-eu.pusher.com/app/k",
		},
		{
			"Laravel's reverb connection", reverb + "REVERB_HOST=h REVERB_PORT=8080 REVERB_SCHEME=http",
			"http://h:8080/apps/4", "ws://h:8080/app/k",
		},
		{
			"Laravel's defaults, and a path", reverb + "REVERB_HOST=h REVERB_SERVER_PATH=/ws/",
			"https://h/ws/apps/4", "wss://h/ws/app/k",
		},
	} {
		u, err := credentials.ForClient(environment(tt.env))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := u.Base() + "/apps/" + u.App.ID; got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
		if got := u.WebSocket(); got != tt.ws {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.ws)
		}
	}
	for env, want := range map[string]string{
		"":                 credentials.ErrNone.Error(),
		reverb:             "REVERB_HOST",
		"PUSHER_APP_KEY=k": "PUSHER_APP_ID and PUSHER_APP_SECRET",
	} {
		if _, err := credentials.ForClient(environment(env)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ForClient(%s): got error %v, want one with %q", env, err, want)
		}
	}
}

func TestGenerate(t *testing.T) {
	a, b := credentials.Generate(), credentials.Generate()
	hex := regexp.MustCompile(`^[0-9a-f]{20}$`)
	if !regexp.MustCompile(`^[1-9]\d{5}$`).MatchString(a.ID) || !hex.MatchString(a.Key.Key) || !hex.MatchString(string(a.Key.Secret)) {
		t.Errorf("Generate() = %s %s and a secret of %d bytes", a.ID, a.Key.Key, len(string(a.Key.Secret)))
	}
	if a.Key.Key == b.Key.Key || a.Key.Secret == b.Key.Secret || string(a.Key.Secret) == a.Key.Key {
		t.Error("Generate() gives the same out twice")
	}
}
