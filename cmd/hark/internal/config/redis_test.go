package config_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"hark/channels/redisbroker/redistest"
	"hark/cmd/hark/internal/config"
)

// withFiles is given, with files beside hark.yaml.
func withFiles(file, env string, files map[string]string) config.Options {
	o := given(file, env)
	own := o.ReadFile
	o.ReadFile = func(name string) ([]byte, error) {
		if text, ok := files[name]; ok {
			return []byte(text), nil
		}
		return own(name)
	}
	return o
}

func TestRedis(t *testing.T) {
	a := redistest.NewAuthority(t)
	files := map[string]string{"/ca.pem": a.CA, "/cert.pem": a.Cert, "/key.pem": a.Key, "/password": "p@ss/word\n"}
	const fromFile = `redis: rediss://a:26379?master=m&addr=b:26379
redis_username: node
redis_password: file:///password
redis_sentinel_username: asks
redis_sentinel_password: ${OTHER}
redis_ca: file:///ca.pem
redis_cert: file:///cert.pem
redis_key: file:///key.pem
`
	const fromEnvironment = "HARK_REDIS_URL=rediss://a:26379?master=m&addr=b:26379 HARK_REDIS_USERNAME=node HARK_REDIS_PASSWORD=file:///password " +
		"HARK_REDIS_SENTINEL_USERNAME=asks HARK_REDIS_SENTINEL_PASSWORD=other HARK_REDIS_CA=file:///ca.pem " +
		"HARK_REDIS_CERT=file:///cert.pem HARK_REDIS_KEY=file:///key.pem "
	const inURL = "redis: rediss://node:p%40ss%2Fword@a:26379?master=m&addr=b:26379&sentinel_user=asks&sentinel_password=other\n" +
		"redis_ca: file:///ca.pem\nredis_cert: file:///cert.pem\nredis_key: file:///key.pem\n"
	for name, o := range map[string]config.Options{
		"file":        withFiles(fromFile, oneApp+"OTHER=other", files),
		"environment": withFiles("", oneApp+fromEnvironment, files),
		"URL":         withFiles(inURL, oneApp, files),
	} {
		t.Run(name, func(t *testing.T) {
			c, err := config.Load(o)
			if err != nil {
				t.Fatal(err)
			}
			broker, err := c.RedisBroker()
			if err != nil {
				t.Fatal(err)
			}
			got := broker.Redis
			if !slices.Equal(got.Addrs, []string{"a:26379", "b:26379"}) || got.MasterName != "m" || got.IsClusterMode {
				t.Errorf("at %v, master %q", got.Addrs, got.MasterName)
			}
			if login := fmt.Sprintf("%s:%s %s:%s", got.Username, got.Password, got.SentinelUsername, got.SentinelPassword); login != "node:p@ss/word asks:other" {
				t.Errorf("logs in as %s", login)
			}
			tls := got.TLSConfig
			if tls == nil || tls.ServerName != "" || !tls.RootCAs.Equal(a.Client().RootCAs) || len(tls.Certificates) != 1 {
				t.Errorf("TLS %+v, want the authority, the certificate, and no one name for all servers", tls)
			}
		})
	}
}

// What the README says of Redis works as it stands there.
func TestReadmeRedis(t *testing.T) {
	readme, err := os.ReadFile("../../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, file, found := strings.Cut(string(readme), "\n**Several servers**")
	_, file, _ = strings.Cut(file, "```yaml\n")
	file, _, ended := strings.Cut(file, "```")
	if !found || !ended {
		t.Fatal("the README shows no configuration of Redis")
	}
	a := redistest.NewAuthority(t)
	c, err := config.Load(withFiles(file, oneApp+"REDIS_PASSWORD=p", map[string]string{
		"/run/secrets/sentinel": "s", "/etc/hark/ca.pem": a.CA, "/etc/hark/hark.pem": a.Cert, "/etc/hark/hark.key": a.Key,
	}))
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.RedisBroker()
	if err != nil || len(b.Redis.Addrs) != 3 || b.Redis.MasterName != "mymaster" {
		t.Errorf("at %v, master %q (%v)", b.Redis.Addrs, b.Redis.MasterName, err)
	}
}

func TestRedisProblems(t *testing.T) {
	a, other := redistest.NewAuthority(t), redistest.NewAuthority(t)
	files := map[string]string{"/ca": a.CA, "/cert": a.Cert, "/key": a.Key, "/other": other.Key}
	for _, tt := range []struct {
		name, file string
		want       []string
	}{
		{"no URL", "redis: redis:6379\n", []string{"hark.yaml:1:8: redis cannot be used: the URL of Redis is none: write redis://host:6379"}},
		{"another scheme", "redis: http://h\n", []string{`hark.yaml:1:8: redis cannot be used: the URL of Redis is none`}},
		{"unknown in it", "redis: redis://h?masters=1\n", []string{`hark.yaml:1:8: redis cannot be used: the URL of Redis: redis: unexpected option: masters`}},
		{
			"a login without Redis", "redis_username: u\nredis_password: p\n",
			[]string{"hark.yaml:1:17: redis_username goes with redis,", "hark.yaml:2:17: redis_password goes with redis,"},
		},
		{"a Redis that cannot be read", "redis: ${NOPE}\nredis_password: p\n", []string{"hark.yaml:1:8: the variable NOPE is not set"}},
		{
			"twice", "redis: redis://u:TELL@h\nredis_username: u\nredis_password: TELL\n",
			[]string{"hark.yaml:2:17: redis_username stands in the URL in redis, too", "hark.yaml:3:17: redis_password stands in the URL in redis, too"},
		},
		{"no password", "redis: redis://h\nredis_username: u\n", []string{"hark.yaml:2:17: redis_username needs a password; write it into redis_password"}},
		{
			"Sentinels without a master", "redis: redis://h\nredis_sentinel_password: p\n",
			[]string{"hark.yaml:2:26: redis_sentinel_password goes with a URL in redis that names a master"},
		},
		{
			"certificates without TLS", "redis: redis://h\nredis_ca: file:///ca\nredis_cert: file:///cert\nredis_key: file:///key\n",
			[]string{
				"hark.yaml:2:11: redis_ca goes with a URL in redis that begins with rediss://",
				"hark.yaml:3:13: redis_cert goes with", "hark.yaml:4:12: redis_key goes with",
			},
		},
		{"no certificate", "redis: rediss://h\nredis_ca: /ca\n", []string{"hark.yaml:2:11: redis_ca has no certificate in PEM; write file:///path"}},
		{"no key", "redis: rediss://h\nredis_cert: file:///cert\n", []string{"hark.yaml:2:13: redis_cert needs its key; write it into redis_key"}},
		{"only a key", "redis: rediss://h\nredis_key: file:///key\n", []string{"hark.yaml:2:12: redis_key needs its certificate; write it into redis_cert"}},
		{
			"another key", "redis: rediss://h\nredis_cert: file:///cert\nredis_key: file:///other\n",
			[]string{"hark.yaml:2:13: redis_cert cannot be used with redis_key: private key does not match public key"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := config.Load(withFiles(tt.file, oneApp, files))
			checkProblems(t, err, tt.want)
			if strings.Contains(err.Error(), "TELL") {
				t.Errorf("it tells the password: %v", err)
			}
		})
	}
}
