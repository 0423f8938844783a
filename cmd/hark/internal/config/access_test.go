package config_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hark/authz"
	"hark/authz/jwt"
	"hark/authz/rules"
	"hark/cmd/hark/internal/config"
	"hark/httpapi/callback"
)

const (
	masterKey = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
	publicKey = `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----`
)

// givenAccess is what Load gets where a key is in a file.
func givenAccess(file string) config.Options {
	o := given(file, "MASTER_KEY="+masterKey)
	readFile := o.ReadFile
	o.ReadFile = func(name string) ([]byte, error) {
		if name == "/run/secrets/key.pem" {
			return []byte(publicKey + "\n"), nil
		}
		return readFile(name)
	}
	return o
}

func loadAccess(t *testing.T) config.Config {
	t.Helper()
	file, err := os.ReadFile("testdata/access.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(givenAccess(string(file)))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLoadAccess(t *testing.T) {
	c := loadAccess(t)
	want := []config.App{
		{
			ID:             "1",
			Keys:           []config.Key{{Key: "k", Secret: "s"}},
			ClientEvents:   true,
			AllowedOrigins: []string{"https://app.example", "http://localhost:8080"},
			RequireUser:    true,
			OnExpiry:       "guest",
			Callback: &config.Callback{
				URL:          "https://app.example/hark",
				Authenticate: true,
				Headers:      []string{"Authorization", "X-Session"},
				Timeout:      2 * time.Second,
				EventTimeout: 500 * time.Millisecond,
				Gather:       20 * time.Millisecond,
				Concurrency:  8,
				MaxCache:     0,
				ClientEvents: []string{"private-chat.{id}"},
				Subscribed:   []string{"private-doc.{name...}"},
				Messages:     []string{"search"},

				RequireResponseSignature: true,
			},
			Auth: config.Auth{
				ChannelsPath:   "/broadcasting/auth",
				UsersPath:      "/broadcasting/user-auth",
				AllowedOrigins: []string{"https://app.example"},
				MasterKey:      masterKey,
			},
			Policies: []config.Policy{
				{Channel: "private-user.{id}", Rule: rules.Rule{Conditions: rules.Conditions{Owner: "id"}, For: 15 * time.Minute}, At: "hark.yaml:27:9"},
				{
					Channel: "private-tenant.{tenant}.{rest...}",
					Rule: rules.Rule{Conditions: rules.Conditions{
						InTenant: "tenant", RoleIn: []string{"editor", "admin"}, When: `"sso" in user.attrs or user.attrs.plan == "pro"`,
					}},
					At: "hark.yaml:30:9",
				},
				{
					Channel: "private-doc.{type}.{name...}",
					Rule: rules.Rule{AnyOf: []rules.Conditions{
						{Owner: "name"},
						{RoleIn: []string{"admin"}, When: `user.tenant != ""`},
						{Everyone: true, When: `params.type == "open"`},
					}},
					At: "hark.yaml:34:9",
				},
				{Channel: "private-doc.{type}.{name...}", Callback: "true", At: "hark.yaml:41:9"},
				{Channel: "presence-doc.{id}", Callback: "https://other.example/may-they", At: "hark.yaml:43:9"},
				{Channel: "private-encrypted-x.{id}", Rule: rules.Rule{Conditions: rules.Conditions{SignedIn: true}}, At: "hark.yaml:45:9"},
				{Channel: "{all...}", Rule: rules.Rule{Deny: true, Conditions: rules.Conditions{When: `user.attrs.banned == "yes"`}}, At: "hark.yaml:47:9"},
			},
		},
		{
			ID:   "2",
			Keys: []config.Key{{Key: "k2", Secret: "s"}},
			JWT: &config.JWT{
				Algorithms:    []string{"EdDSA"},
				PublicKey:     publicKey,
				Issuer:        "https://login.example",
				Audience:      []string{"hark", "chat"},
				Leeway:        30 * time.Second,
				WithoutExpiry: true,
				Cookie:        "__Host-session",
				Path:          "/t/",
				Query:         "token",
				Claims:        jwt.Claims{ID: "uid", Tenant: "org", Roles: "scope", Info: "profile", Attrs: []string{"plan", "sso"}},
			},
			Auth:     config.Auth{ChannelsPath: "/pusher/auth", UsersPath: "/pusher/user-auth"},
			Policies: []config.Policy{},
		},
	}
	if diff := cmp.Diff(want, c.Apps, text); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestCallbackDefaults(t *testing.T) {
	c, err := config.Load(given("apps: [{id: 1, keys: [{key: k, secret: s}], callback: {url: http://app.internal/hark}}]\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	want := &config.Callback{
		URL: "http://app.internal/hark", Timeout: 3 * time.Second, EventTimeout: time.Second, Gather: 15 * time.Millisecond,
		Concurrency: 64, MaxCache: time.Minute,
	}
	if diff := cmp.Diff(want, c.Apps[0].Callback); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// Clients that are told no other paths ask for these, whatever is in front.
func TestDefaultAuthPaths(t *testing.T) {
	for prefix, want := range map[string]config.Auth{
		"/":           {ChannelsPath: "/pusher/auth", UsersPath: "/pusher/user-auth"},
		"/realtime":   {ChannelsPath: "/pusher/auth", UsersPath: "/pusher/user-auth"},
		"/push":       {ChannelsPath: "/pusher/auth", UsersPath: "/pusher/user-auth"},
		"/pusher":     {ChannelsPath: "/auth", UsersPath: "/user-auth"},
		"/pusher/":    {ChannelsPath: "/auth", UsersPath: "/user-auth"},
		"/pusher/aut": {ChannelsPath: "/pusher/auth", UsersPath: "/pusher/user-auth"},
	} {
		c, err := config.Load(given("path_prefix: "+prefix+"\napps: [{id: 1, keys: [{key: k, secret: s}], policies: []}]\n", ""))
		if err != nil {
			t.Errorf("%s: %v", prefix, err)
		} else if diff := cmp.Diff(want, c.Apps[0].Auth); diff != "" {
			t.Errorf("%s: -want +got\n%s", prefix, diff)
		}
	}
}

func TestChannels(t *testing.T) {
	c := loadAccess(t)
	first, second := c.Apps[0].Channels(), c.Apps[1].Channels()
	if !slices.Equal(first.Origins, c.Apps[0].AllowedOrigins) || !first.GuestOnExpiry {
		t.Errorf("the first app: origins %q, guest on expiry %v", first.Origins, first.GuestOnExpiry)
	}
	if second.Origins != nil || second.GuestOnExpiry {
		t.Errorf("the second app: origins %q, guest on expiry %v", second.Origins, second.GuestOnExpiry)
	}
}

func TestAsking(t *testing.T) {
	app := loadAccess(t).Apps[0]
	app.Keys = append(app.Keys, config.Key{Key: "next", Secret: "n"})
	want := callback.Config{
		App: "1", Key: authz.Key{Key: "k", Secret: "s"}, URL: "https://other.example/may-they", Headers: []string{"Authorization", "X-Session"},
		Timeout: 2 * time.Second, EventTimeout: 500 * time.Millisecond, Gather: 20 * time.Millisecond, Concurrency: 8, MaxCache: -1, RequireResponseSignature: true,
	}
	if diff := cmp.Diff(want, app.Asking("https://other.example/may-they"), text); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	app.Callback = nil
	want = callback.Config{App: "1", Key: want.Key, URL: "https://a.example"}
	if diff := cmp.Diff(want, app.Asking("https://a.example"), text); diff != "" {
		t.Errorf("without a callback: -want +got\n%s", diff)
	}
}

func TestRegistry(t *testing.T) {
	app := loadAccess(t).Apps[0]
	asked := func(url string) authz.Policy {
		return authz.PolicyFunc(func(context.Context, authz.Request) (authz.Decision, error) {
			return authz.Decision{}, errors.New("asked " + url)
		})
	}
	registry, err := app.Registry(asked)
	if err != nil {
		t.Fatal(err)
	}
	alice := authz.Identity{ID: "7", Tenant: "acme", Roles: []string{"editor"}, Attrs: map[string]string{"plan": "pro"}}
	banned := alice
	banned.Attrs = map[string]string{"plan": "pro", "banned": "yes"}
	for _, tt := range []struct {
		channel string
		who     authz.Identity
		want    string // what the error has in it; "": allowed
	}{
		{"private-user.7", alice, ""},
		{"private-user.9", alice, "not the user of {id}"},
		{"private-user.7", banned, "policy {all...}: by the rule: deny, when"},
		{"private-tenant.acme.x.y", alice, ""},
		{"private-tenant.other.x", alice, "not of the tenant of {tenant}"},
		{"private-encrypted-x.1", alice, ""},
		{"private-encrypted-x.1", authz.Identity{}, "a guest"},
		{"private-doc.open.x", authz.Identity{}, "asked https://app.example/hark"},
		{"presence-doc.x", alice, "asked https://other.example/may-they"},
		{"private-nothing", alice, "no policy allows it"},
	} {
		g, err := registry.Decide(t.Context(), authz.Request{App: "1", Channel: tt.channel, Identity: tt.who})
		switch {
		case tt.want == "" && err != nil, tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: got %v, want %q", tt.channel, err, tt.want)
		case tt.channel == "private-user.7" && err == nil && g.TTL != 15*time.Minute:
			t.Errorf("%s: granted for %v, want 15m", tt.channel, g.TTL)
		}
	}
}

// An App that was not loaded may have mistakes in it.
func TestRegistryOfUncheckedApp(t *testing.T) {
	for _, p := range []config.Policy{{Channel: "{"}, {Channel: "private-x"}} {
		if _, err := (config.App{Policies: []config.Policy{p}}).Registry(nil); err == nil {
			t.Errorf("%v: no error", p)
		}
	}
}

func TestAccessProblems(t *testing.T) {
	const app = "apps:\n  - id: 1\n    keys: [{key: k, secret: s}]\n"
	const callback = "    callback: {url: https://app.example, authenticate: true}\n"
	const policies = app + callback + "    policies:\n"
	for _, tt := range []struct {
		name, file string
		want       []string
	}{
		{"no channel", policies + "      - owner: id\n", []string{"hark.yaml:6:9: apps[0].policies[0].channel is missing"}},
		{
			"no pattern", policies + "      - {channel: 'private-{', signed_in: true}\n",
			[]string{`hark.yaml:6:19: apps[0].policies[0].channel is no pattern: the pattern "private-{" has a { without its }`},
		},
		{
			"public", policies + "      - channel: news.{id}\n        signed_in: true\n",
			[]string{"hark.yaml:6:18: apps[0].policies[0].channel is for channels that everybody may subscribe to"},
		},
		{
			"encrypted without a key", policies + "      - channel: private-encrypted-{id}\n        signed_in: true\n",
			[]string{"hark.yaml:6:18: apps[0].policies[0].channel is for encrypted channels, which need a key: give the app auth.master_key"},
		},
		{
			"says nothing", policies + "      - channel: private-x\n",
			[]string{"hark.yaml:6:9: apps[0].policies[0] says nothing: give it everyone, signed_in, owner, role_in, in_tenant, when, any_of or deny, or callback"},
		},
		{
			"unknown key", policies + "      - {channel: private-x, signed_in: true, role: [a]}\n",
			[]string{`hark.yaml:6:47: unknown key "role" (known here: channel, deny, everyone, signed_in, owner, role_in, in_tenant, when, any_of, for, callback)`},
		},
		{
			"deny in any_of", policies + "      - {channel: private-x, any_of: [{signed_in: true, deny: true}]}\n",
			[]string{`hark.yaml:6:57: unknown key "deny" (known here: everyone, signed_in, owner, role_in, in_tenant, when)`},
		},
		{
			"no such capture", policies + "      - {channel: 'private-x.{id}', any_of: [{owner: id}, {in_tenant: team}]}\n",
			[]string{`hark.yaml:6:71: apps[0].policies[0].any_of[1].in_tenant names the capture "team"; the pattern captures id`},
		},
		{
			"expression", policies + "      - channel: private-x.{id}\n        when: user.id = params.id\n",
			[]string{`hark.yaml:7:15: apps[0].policies[0].when has a mistake at character 9: unexpected token Operator("=")`},
		},
		{
			"empty", policies + "      - {channel: private-x, signed_in: true, owner: '', when: '', any_of: [{signed_in: true, in_tenant: ''}]}\n",
			[]string{
				"hark.yaml:6:54: apps[0].policies[0].owner is empty; write something or remove the line",
				"hark.yaml:6:64: apps[0].policies[0].when is empty",
				"hark.yaml:6:106: apps[0].policies[0].any_of[0].in_tenant is empty",
			},
		},
		{
			"no list", policies + "      - channel: private-x\n        role_in:\n        any_of: []\n        signed_in: true\n",
			[]string{
				"hark.yaml:7:17: apps[0].policies[0].role_in is empty, so nobody",
				"hark.yaml:8:17: apps[0].policies[0].any_of is empty, so it could never hold",
			},
		},
		{
			"unquoted truth", policies + "      - channel: private-x\n        when: true\n",
			[]string{"hark.yaml:7:15: want text; put quotes around it"},
		},
		{
			"half a duration", policies + "      - {channel: private-x, signed_in: true, for: 1ms}\n",
			[]string{"hark.yaml:6:52: apps[0].policies[0].for must be at least 1s, not 1ms"},
		},
		{
			"callback and rule", policies + "      - {channel: private-x, signed_in: true, callback: true}\n",
			[]string{"hark.yaml:6:57: apps[0].policies[0].callback stands beside signed_in; give the channel a second entry"},
		},
		{
			"callback off", policies + "      - {channel: private-x, callback: false}\n      - {channel: private-x, callback: ''}\n",
			[]string{
				"hark.yaml:6:40: apps[0].policies[0].callback must be true or a URL; leave it out",
				"hark.yaml:7:40: apps[0].policies[1].callback is empty",
			},
		},
		{
			"callback is a list", policies + "      - {channel: private-x, callback: [a]}\n",
			[]string{"hark.yaml:6:40: want true or a URL, not a list"},
		},
		{
			"callback of no app", app + "    policies: [{channel: private-x, callback: true}]\n",
			[]string{"hark.yaml:4:47: apps[0].policies[0].callback is true, and the app has no callback with a url to ask"},
		},
		{
			"URLs", policies + "      - {channel: private-x, callback: /hark}\n      - {channel: private-x, callback: 'https://a:TELL@b'}\n      - {channel: private-x, callback: 'https://a#b'}\n",
			[]string{
				"hark.yaml:6:40: apps[0].policies[0].callback must be an address like https://app.example/hark",
				"hark.yaml:7:40: apps[0].policies[1].callback must have no user and password in it",
				"hark.yaml:8:40: apps[0].policies[2].callback must have no # and nothing behind it",
			},
		},
		{
			"nobody can sign in", app + "    policies:\n      - {channel: private-x, signed_in: true}\n      - {channel: private-y, everyone: true}\n",
			[]string{"hark.yaml:5:9: apps[0].policies[0] allows nobody, since nobody is more than a guest here; give the app jwt"},
		},
		{"no pattern of public channels", app + "    public_channels: ['news.{']\n", []string{"hark.yaml:4:23: apps[0].public_channels[0] is no pattern: the pattern \"news.{\" has a { without its }"}},
		{"an identity without an id", app + "    identity_pattern: private-user.{name}\n", []string{"hark.yaml:4:23: apps[0].identity_pattern cannot say who somebody is: the pattern \"private-user.{name}\" has no {id}"}},
		{"an identity beside policies", app + "    identity_pattern: private-user.{id}\n    policies: []\n", []string{"hark.yaml:4:23: apps[0].identity_pattern goes without policies"}},
		{"nobody can connect", app + "    require_user: true\n", []string{"hark.yaml:4:19: apps[0].require_user would let nobody connect; give the app jwt"}},
		{"auth without policies", app + "    auth: {channels_path: /x}\n", []string{"hark.yaml:4:11: apps[0].auth goes with policies, and there are none"}},
		{"no such expiry", app + "    on_expiry: stay\n", []string{`hark.yaml:4:16: apps[0].on_expiry must be one of reconnect, guest, not "stay"`}},
		{
			"origins", app + "    allowed_origins: ['*', app.example, https://app.example/, https://*.example, HTTPS://a.example, 'https://a.example:443', 'null']\n",
			[]string{
				`hark.yaml:4:23: apps[0].allowed_origins[0] must be as browsers send it, like https://app.example`,
				`hark.yaml:4:28: apps[0].allowed_origins[1]`, `hark.yaml:4:41: apps[0].allowed_origins[2]`, `hark.yaml:4:63: apps[0].allowed_origins[3]`,
				`hark.yaml:4:82: apps[0].allowed_origins[4]`, `hark.yaml:4:101: apps[0].allowed_origins[5]`, `hark.yaml:4:126: apps[0].allowed_origins[6]`,
			},
		},
		{
			"auth", app + callback + "    auth: {channels_path: x, users_path: /a/, allowed_origins: [a], master_key: TELL}\n    policies: []\n",
			[]string{
				`hark.yaml:5:27: apps[0].auth.channels_path must begin with a slash, as in /realtime, not "x"`,
				`hark.yaml:5:65: apps[0].auth.allowed_origins[0] must be as browsers send it`,
				`hark.yaml:5:81: apps[0].auth.master_key is no key: the master key must be`,
				`hark.yaml:5:42: apps[0].auth.users_path must be like /pusher/auth, without`,
			},
		},
		{
			"paths of others", app + "    auth: {channels_path: /apps/auth, users_path: '/:a'}\n    policies: []\n",
			[]string{
				"hark.yaml:4:27: apps[0].auth.channels_path is /apps/auth, and the server answers /apps itself; choose another",
				"hark.yaml:4:51: apps[0].auth.users_path must be like",
			},
		},
		{
			"the same path", app + "    auth: {channels_path: /pusher/user-auth}\n    policies: []\n  - {id: 2, keys: [{key: k2, secret: s}], policies: []}\n",
			[]string{
				"hark.yaml:4:11: apps[0].auth.users_path is /pusher/user-auth, as the app's other path is",
				`hark.yaml:6:5: apps[1].auth.users_path is /pusher/user-auth, which app "1" has; give one of the two apps a path of its own`,
			},
		},
		{
			"path with the prefix", "path_prefix: /rt\n" + app + "    auth: {channels_path: /rt/auth}\n    policies: []\n",
			[]string{"hark.yaml:5:27: apps[0].auth.channels_path begins with path_prefix, which is taken off what is asked; write /auth"},
		},
		{
			"nothing behind the prefix", "path_prefix: /rt\n" + app + "    auth: {channels_path: /rt}\n    policies: []\n",
			[]string{"hark.yaml:5:27: apps[0].auth.channels_path is path_prefix, behind which there is nothing left to ask for"},
		},
		{"empty callback", app + "    callback:\n", []string{"hark.yaml:4:14: there is no value; write one or remove the line"}},
		{"callback without URL", app + "    callback: {authenticate: true}\n", []string{"hark.yaml:4:15: apps[0].callback.url is missing"}},
		{
			"callback", app + "    callback:\n      url: app.example\n      headers: [a b, host, x-pusher-key]\n      timeout: 0s\n      max_cache: 2m\n      event_timeout: 5s\n" +
				"      client_events: [a]\n      subscribed: ['{', b]\n      messages: ['pusher:x', client-x]\n",
			[]string{
				"hark.yaml:7:16: apps[0].callback.timeout must be at least 50ms, not 0s",
				"hark.yaml:9:22: apps[0].callback.event_timeout must be at most 3s, not 5s",
				"hark.yaml:8:18: apps[0].callback.max_cache must be at most 60s, not 2m0s",
				"hark.yaml:5:12: apps[0].callback.url must be an address like https://app.example/hark",
				`hark.yaml:6:17: apps[0].callback.headers[0] must be a header's name like Authorization, not "a b"`,
				"hark.yaml:6:22: apps[0].callback.headers[1] is host, which is not for clients to say",
				"hark.yaml:6:28: apps[0].callback.headers[2] is x-pusher-key",
				`hark.yaml:11:20: apps[0].callback.subscribed[0] is no pattern: the pattern "{" has`,
				"hark.yaml:10:22: apps[0].callback.client_events is of use only where the app has client_events: true",
				`hark.yaml:12:18: apps[0].callback.messages[0] cannot be sent: `,
				`hark.yaml:12:30: apps[0].callback.messages[1] is "client-x": names that begin with client- are events on channels`,
			},
		},
		{
			"two that say who", app + callback + "    jwt: {algorithms: [HS256], secret: 0123456789abcdef0123456789abcdef}\n",
			[]string{"hark.yaml:4:56: apps[0].callback.authenticate says who somebody is, and so does jwt; choose one of them"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := config.Load(given(tt.file, ""))
			checkProblems(t, err, tt.want)
			if err != nil && strings.Contains(err.Error(), "TELL") {
				t.Errorf("tells a secret: %v", err)
			}
		})
	}
}
