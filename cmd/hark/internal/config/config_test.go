package config_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hark/authz"
	"hark/cmd/hark/internal/config"
	"hark/protocol"
)

// given is what a test gives Load: a file hark.yaml, "" for none, and variables like "A=1 B=2".
func given(file, env string) config.Options {
	o := config.Options{
		Getenv: func(name string) string {
			for part := range strings.FieldsSeq(env) {
				if k, v, _ := strings.Cut(part, "="); k == name {
					return v
				}
			}
			return ""
		},
		ReadFile: func(name string) ([]byte, error) {
			switch name {
			case "hark.yaml":
				return []byte(file), nil
			case "/run/secrets/hark":
				return []byte("from-a-file\n"), nil
			}
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		},
	}
	if file != "" {
		o.File = "hark.yaml"
	}
	return o
}

const oneApp = "HARK_APP_ID=7 HARK_APP_KEY=k HARK_APP_SECRET=s "

// text is a Secret as text, so that two can be compared in a readable way.
var text = cmp.Transformer("text", func(s authz.Secret) string { return string(s) })

func TestLoadFile(t *testing.T) {
	file, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got, err := config.Load(given(string(file), "HARK_KEY_NAME=from-env HARK_SECRET=TELL"))
	if err != nil {
		t.Fatal(err)
	}
	limits := protocol.Limits{
		ChannelName: 1, EventName: 2, EventData: 3, TriggerChannels: 4, BatchEvents: 5, Members: 6, UserInfo: 7,
		UserID: 8, ClientEvents: 9, Message: 10, Channels: 11, Connections: -1, RESTBody: 13,
	}
	want := config.Config{
		Listen:          "127.0.0.1:7000",
		PathPrefix:      "/realtime",
		Log:             "json",
		ActivityTimeout: 2 * time.Minute,
		PongWait:        10 * time.Second,
		Drain:           0,
		Pacing:          1.5,
		Redis:           "rediss://u:p@redis:6380",
		RedisPrefix:     "shop",
		Apps: []config.App{
			{
				ID:      "1001",
				Aliases: []string{"shop", "007"},
				Keys: []config.Key{
					{Key: "from-env", Secret: "TELL"},
					{Key: "new", Secret: "from-a-file"},
				},
				Limits:       limits,
				ClientEvents: true,
			},
			{ID: "1002", Keys: []config.Key{{Key: "other", Secret: "12345"}}, Limits: limits, Disabled: true},
		},
		Sources: config.Sources{
			Listen: "hark.yaml:1:9",
			Apps:   []string{"hark.yaml:9:5", "hark.yaml:34:5"},
		},
	}
	if diff := cmp.Diff(want, got, text); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if shown := fmt.Sprintf("%v %+v %#v", got, got, got); strings.Contains(shown, "TELL") || strings.Contains(shown, "from-a-file") {
		t.Errorf("a printed Config tells a secret: %s", shown)
	}
}

// The file with which the README says how to run it for real is one that works.
func TestReadmeFile(t *testing.T) {
	readme, err := os.ReadFile("../../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, file, _ := strings.Cut(string(readme), "\n## Running it for real\n")
	_, file, found := strings.Cut(file, "```yaml\n")
	file, _, ended := strings.Cut(file, "```")
	if !found || !ended {
		t.Fatal("the README shows no configuration")
	}
	c, err := config.Load(given(file, ""))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Apps) != 1 || !c.Apps[0].ClientEvents || c.Apps[0].Limits.Members == 0 {
		t.Errorf("got apps %v", c.Apps)
	}
}

func TestProblems(t *testing.T) {
	const app = "apps:\n  - id: 1\n    keys: [{key: k, secret: s}]\n"
	for _, tt := range []struct {
		name, file, env string
		want            []string
	}{
		{"unknown key, near", app + "lisen: :1\n", "", []string{`hark.yaml:4:1: unknown key "lisen" (did you mean "listen"?)`}},
		{"unknown key, longer", app + "listen_addr: :1\n", "", []string{`hark.yaml:4:1: unknown key "listen_addr" (did you mean "listen"?)`}},
		{
			"unknown key, far", app + "webhooks: []\n", "",
			[]string{`hark.yaml:4:1: unknown key "webhooks" (known here: listen, path_prefix, log, activity_timeout, pong_wait, drain, pacing, redis, redis_prefix, redis_username, redis_password, redis_sentinel_username, redis_sentinel_password, redis_ca, redis_cert, redis_key, apps)`},
		},
		{
			"unknown key, inside", "apps: [{id: 1, keys: [{key: k, secret: s}], limits: {max_connections: 1}}]\n", "",
			[]string{`hark.yaml:1:54: unknown key "max_connections" (did you mean "connections"?)`},
		},
		{"key twice", app + "log: json\nlog: text\n", "", []string{`hark.yaml:5:1: "log" is here twice, first on line 4`}},
		{"a list as key", app + "[a]: 1\n", "", []string{"hark.yaml:4:1: a key must be a word"}},
		{"merge", app + "<<: {log: json}\n", "", []string{`hark.yaml:4:1: unknown key "<<"`}},
		{"no unit", app + "drain: 5\n", "", []string{`hark.yaml:4:8: want a duration like 30s, not "5"`}},
		{"negative", app + "drain: -5s\n", "", []string{"hark.yaml:4:8: drain must be at least 0, not -5s"}},
		{"no pace", app + "pacing: fast\n", "", []string{`hark.yaml:4:9: want a number like 1.5, not "fast"`}},
		{"pace too small", app + "pacing: 0.5\n", "", []string{"hark.yaml:4:9: pacing must be at least 1, not 0.5"}},
		{"pace too large", app + "pacing: 1e9\n", "", []string{"hark.yaml:4:9: pacing must be at most 100, not 1e+09"}},
		{"half seconds", app + "activity_timeout: 1500ms\n", "", []string{"hark.yaml:4:19: activity_timeout must be whole seconds, not 1.5s"}},
		{"too short", app + "activity_timeout: 0s\n", "", []string{"hark.yaml:4:19: activity_timeout must be at least 1s, not 0s"}},
		{"no list", "apps: 1\n", "", []string{"hark.yaml:1:7: want a list, not a single value"}},
		{"no mapping", "- 1\n", "", []string{"hark.yaml:1:1: want keys with values, not a list"}},
		{"no scalar", app + "listen: [1]\n", "", []string{"hark.yaml:4:9: want text, not a list"}},
		{"no value", app + "listen:\n", "", []string{"hark.yaml:4:8: there is no value; write one or remove the line"}},
		{"no number", "apps: [{id: 1, keys: [{key: k, secret: s}], limits: {members: many}}]\n", "", []string{`hark.yaml:1:63: want a whole number, not "many"`}},
		{"no truth", "apps: [{id: 1, keys: [{key: k, secret: s}], disabled: maybe}]\n", "", []string{`hark.yaml:1:55: want true or false, not "maybe"`}},
		{"truth as text", app + "listen: true\n", "", []string{"hark.yaml:4:9: want text; put quotes around it"}},
		{"no port", app + "listen: localhost\n", "", []string{`hark.yaml:4:9: listen must be host:port like 127.0.0.1:6001 or :6001, not "localhost"`}},
		{"no slash", app + "path_prefix: ws\n", "", []string{`hark.yaml:4:14: path_prefix must begin with a slash, as in /realtime, not "ws"`}},
		{"no such log", app + "log: xml\n", "", []string{`hark.yaml:4:6: log must be one of text, json, not "xml"`}},
		{"unset variable", "apps: [{id: 1, keys: [{key: k, secret: '${NOPE}'}]}]\n", "", []string{"hark.yaml:1:40: the variable NOPE is not set"}},
		{"open variable", "apps: [{id: 1, keys: [{key: k, secret: '${NOPE'}]}]\n", "", []string{"hark.yaml:1:40: ${ has no } after it"}},
		{
			"missing secret file", "apps: [{id: 1, keys: [{key: k, secret: 'file:///nope'}]}]\n", "",
			[]string{"hark.yaml:1:40: the file cannot be read: open /nope: file does not exist"},
		},
		{
			"an app with nothing in it", "apps:\n  - disabled: true\n", "",
			[]string{"hark.yaml:2:5: apps[0].id is missing", "hark.yaml:2:5: apps[0].keys is missing: give at least one"},
		},
		{"an empty key", "apps: [{id: 1, keys: [{key: '', secret: s}]}]\n", "", []string{"hark.yaml:1:29: apps[0].keys[0].key is missing"}},
		{"a key without a secret", "apps: [{id: 1, keys: [{key: k}]}]\n", "", []string{"hark.yaml:1:23: apps[0].keys[0].secret is missing"}},
		{"a colon in a key", "apps: [{id: 1, keys: [{key: 'a:b', secret: s}]}]\n", "", []string{`hark.yaml:1:29: apps[0].keys[0].key may have letters`}},
		{
			"what a URL's path cannot have", "apps: [{id: .., aliases: [.], keys: [{key: ..., secret: s}, {key: '..', secret: s}]}]\n", "",
			[]string{
				`hark.yaml:1:13: apps[0].id is part of a URL's path, where ".." stands for another place`,
				`hark.yaml:1:27: apps[0].aliases[0] is part`,
				`hark.yaml:1:67: apps[0].keys[1].key is part`,
			},
		},
		{
			"ids and keys twice", app + "  - id: 2\n    aliases: ['1']\n    keys: [{key: k, secret: s}]\n", "",
			[]string{`hark.yaml:5:15: the id "1" is taken (hark.yaml:2:9)`, `hark.yaml:6:18: the key "k" is taken (hark.yaml:3:18)`},
		},
		{
			"several at once", "lisen: :1\nlog: 5\napps: [{id: [], keys: [{}]}]\n", "",
			[]string{
				`hark.yaml:1:1: unknown key "lisen"`,
				"hark.yaml:3:13: want text, not a list",
				`hark.yaml:2:6: log must be one of text, json, not "5"`,
				"hark.yaml:3:24: apps[0].keys[0].key is missing",
				"hark.yaml:3:24: apps[0].keys[0].secret is missing",
			},
		},
		{"no YAML", app + "log: [\n", "", []string{"hark.yaml:5:1: not valid YAML: while parsing a flow node: did not find expected node content"}},
		{"two documents", app + "---\na: 1\n", "", []string{"hark.yaml:4:1: a second document begins here"}},
		{"bad bytes", "log: \xff\n", "", []string{"hark.yaml: not valid YAML: invalid leading UTF-8 octet"}},
		{"variable of a wrong type", "", oneApp + "HARK_DRAIN=soon", []string{`HARK_DRAIN: want a duration like 30s, not "soon"`}},
		{"variable of a wrong value", "", oneApp + "PORT=http", []string{`PORT: listen must be host:port`}},
		{"wrong client events", "", oneApp + "HARK_APP_CLIENT_EVENTS=x", []string{`HARK_APP_CLIENT_EVENTS: want true or false, not "x"`}},
		{"wrong name", "", "PUSHER_APP_ID=a/b PUSHER_APP_KEY=k PUSHER_APP_SECRET=s", []string{"PUSHER_APP_ID: apps[0].id may have letters"}},
		{"half-set", "", "REVERB_APP_KEY=k", []string{"REVERB_APP_KEY is set, but not REVERB_APP_ID and REVERB_APP_SECRET"}},
		{"missing file", "", "HARK_CONFIG=nope.yaml", []string{"the configuration cannot be read: open nope.yaml"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := config.Load(given(tt.file, tt.env))
			checkProblems(t, err, tt.want)
		})
	}
}

// checkProblems wants Problems that begin like this.
func checkProblems(t *testing.T, err error, want []string) {
	t.Helper()
	problems, ok := errors.AsType[config.Problems](err)
	if !ok {
		t.Fatalf("got %v, want Problems", err)
	}
	if len(problems) != len(want) {
		t.Fatalf("got %d problems, want %d:\n%v", len(problems), len(want), err)
	}
	for i, p := range problems {
		if !strings.HasPrefix(p.Error(), want[i]) {
			t.Errorf("got %q, want %q", p, want[i])
		}
	}
}

func TestPrecedence(t *testing.T) {
	const file = "listen: :1\nlog: json\ndrain: 1s\napps: [{id: 1, keys: [{key: k, secret: s}], limits: {members: 3}}]\n"
	o := given(file, "HARK_LISTEN=:2 HARK_DRAIN=2s PORT=9 HARK_APP_ID=2 HARK_APP_KEY=k2 HARK_APP_SECRET=s2 HARK_APP_CLIENT_EVENTS=true PUSHER_APP_ID=3")
	o.Listen = ":3"
	c, err := config.Load(o)
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != ":3" || c.Drain != 2*time.Second || c.Log != "json" || c.PongWait != 30*time.Second {
		t.Errorf("got listen %s, drain %v, log %s, pong wait %v; want the flag's, the variable's, the file's and the default",
			c.Listen, c.Drain, c.Log, c.PongWait)
	}
	if len(c.Apps) != 2 || c.Apps[0].ID != "1" || c.Apps[1].ID != "2" || !c.Apps[1].ClientEvents {
		t.Errorf("got apps %v, want that of the file and that of HARK_APP_*", c.Apps)
	}
	if diff := cmp.Diff(config.Sources{Listen: "--listen", Apps: []string{"hark.yaml:4:8", "HARK_APP_ID"}}, c.Sources); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestEnvironmentReplacesKeyOfSameApp(t *testing.T) {
	const file = "apps: [{id: 7, keys: [{key: old, secret: old}], limits: {members: 3}}]\n"
	c, err := config.Load(given(file, oneApp))
	if err != nil {
		t.Fatal(err)
	}
	want := []config.App{{ID: "7", Keys: []config.Key{{Key: "k", Secret: "s"}}, Limits: protocol.Limits{Members: 3}}}
	if diff := cmp.Diff(want, c.Apps, text); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestListen(t *testing.T) {
	for _, tt := range []struct {
		env        string
		dev        bool
		want       string
		from       string
		mustRefuse bool
	}{
		{env: "", want: ":6001"},
		{env: "HARK_LISTEN=h:1 PORT=2", want: "h:1", from: "HARK_LISTEN"},
		{env: "PORT=2 REVERB_SERVER_PORT=3", want: ":2", from: "PORT"},
		{env: "REVERB_SERVER_HOST=h REVERB_SERVER_PORT=3 SOKETI_PORT=4", want: "h:3", from: "REVERB_SERVER_PORT"},
		{env: "REVERB_SERVER_HOST=h", want: "h:8080", from: "REVERB_SERVER_HOST"},
		{env: "SOKETI_PORT=4", want: ":4", from: "SOKETI_PORT"},
		{env: "SOKETI_HOST=h", want: "h:6001", from: "SOKETI_HOST"},
		{dev: true, want: "127.0.0.1:6001"},
		{dev: true, env: "PORT=2", want: "127.0.0.1:2", from: "PORT"},
		{dev: true, env: "HARK_LISTEN=[::1]:0", want: "[::1]:0", from: "HARK_LISTEN"},
		{dev: true, env: "HARK_LISTEN=:6001", mustRefuse: true},
		{dev: true, env: "HARK_LISTEN=0.0.0.0:6001", mustRefuse: true},
		{dev: true, env: "REVERB_SERVER_HOST=192.0.2.1", mustRefuse: true},
	} {
		o := given("", tt.env+" "+oneApp)
		o.Dev = tt.dev
		c, err := config.Load(o)
		switch {
		case tt.mustRefuse && (err == nil || !strings.Contains(err.Error(), "can be reached from other machines")):
			t.Errorf("--dev with %s: got %v, want a refusal", tt.env, err)
		case tt.mustRefuse:
		case err != nil:
			t.Errorf("%s: %v", tt.env, err)
		case c.Listen != tt.want || c.Sources.Listen != tt.from:
			t.Errorf("%s: got %s from %s, want %s from %s", tt.env, c.Listen, c.Sources.Listen, tt.want, tt.from)
		}
	}
}

func TestDevServesItsOwnAppAlone(t *testing.T) {
	o := given("apps: [{id: 1, keys: [{key: k, secret: s}]}]\n", oneApp)
	o.Dev = true
	c, err := config.Load(o)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]config.App{config.DevApp()}, c.Apps, text); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	want := config.Sources{Apps: []string{"--dev"}, Unused: []string{"hark.yaml:1:8", "HARK_APP_ID"}}
	if diff := cmp.Diff(want, c.Sources); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestNoApp(t *testing.T) {
	for _, file := range []string{"", "# nothing\n", "listen: :1\n", "apps:\n", "apps: []\n"} {
		if _, err := config.Load(given(file, "")); !errors.Is(err, config.ErrNoApp) {
			t.Errorf("Load of %q: got %v, want ErrNoApp", file, err)
		}
	}
}

// FuzzConfig looks for a file that makes Load panic, or say something without saying where.
func FuzzConfig(f *testing.F) {
	f.Add([]byte("drain: 0s\napps: [{id: 1, aliases: [a], keys: [{key: k, secret: '${S}'}], limits: {members: 1}, disabled: true}]\n"))
	for _, s := range []string{
		"a: &x [*x]\n", "apps: &a [*a]\n", "apps: &a\n  - &b {limits: *b}\n", "? [a]\n: b\n", "<<: *x\n", "listen: ${", "a: !!binary x\n",
		"apps: [{policies: &p [{any_of: *p}], jwt: *p}]\n", "apps: [{policies: [{channel: p, when: !x y, callback: true}], auth:}]\n",
		"apps: [{keys: [{secret: !!null x}]}]\n", "\xef\xbb\xbflog: text\n", "--- !!map\n...\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		_, err := config.Load(given(string(file), ""))
		if problems, ok := errors.AsType[config.Problems](err); ok {
			for _, p := range problems {
				if p.At == "" {
					t.Errorf("no place for %q in %q", p.Text, file)
				}
			}
		} else if err != nil && !errors.Is(err, config.ErrNoApp) {
			t.Errorf("got %v, want Problems or ErrNoApp", err)
		}
	})
}
