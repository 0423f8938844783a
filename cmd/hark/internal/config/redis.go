package config

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"strings"

	"hark/channels/redisbroker"
)

// RedisBroker returns where the Redis is and how to log in there, of a Config that has one and was checked.
func (c Config) RedisBroker() (redisbroker.Config, error) {
	o, err := redisbroker.ParseURL(string(c.Redis))
	if err != nil {
		return redisbroker.Config{}, err
	}
	o.Username, o.Password = cmp.Or(c.RedisUsername, o.Username), cmp.Or(string(c.RedisPassword), o.Password)
	o.SentinelUsername = cmp.Or(c.RedisSentinelUsername, o.SentinelUsername)
	o.SentinelPassword = cmp.Or(string(c.RedisSentinelPassword), o.SentinelPassword)
	if c.RedisCA != "" {
		o.TLSConfig.RootCAs = x509.NewCertPool()
		o.TLSConfig.RootCAs.AppendCertsFromPEM([]byte(c.RedisCA))
	}
	if c.RedisCert != "" {
		pair, err := tls.X509KeyPair([]byte(c.RedisCert), []byte(c.RedisKey))
		if err != nil {
			return redisbroker.Config{}, err
		}
		o.TLSConfig.Certificates = []tls.Certificate{pair}
	}
	return redisbroker.Config{Redis: o, Prefix: c.RedisPrefix}, nil
}

// checkRedis looks at how Redis is reached. What is wrong with the URL is told without it: it may have a password.
func (l *loader) checkRedis() {
	c := l.config
	o, err := redisbroker.ParseURL(string(c.Redis))
	switch {
	case c.Redis == "" && l.at["redis"] != "":
		return // it could not be read, which was said
	case c.Redis != "" && err != nil:
		l.wrong("redis", "cannot be used: %s", strings.TrimPrefix(err.Error(), "redisbroker: "))
		return
	}
	tlsWanted := "goes with a URL in redis that begins with rediss://"
	sentinels := "goes with a URL in redis that names a master, as redis://sentinel:26379?master=NAME does"
	for _, v := range []struct {
		key, value, inURL string
		fits              bool
		otherwise         string
	}{
		{"redis_username", c.RedisUsername, o.Username, c.Redis != "", "goes with redis, the URL of a Redis"},
		{"redis_password", string(c.RedisPassword), o.Password, c.Redis != "", "goes with redis, the URL of a Redis"},
		{"redis_sentinel_username", c.RedisSentinelUsername, o.SentinelUsername, o.MasterName != "", sentinels},
		{"redis_sentinel_password", string(c.RedisSentinelPassword), o.SentinelPassword, o.MasterName != "", sentinels},
		{"redis_ca", string(c.RedisCA), "", o.TLSConfig != nil, tlsWanted},
		{"redis_cert", string(c.RedisCert), "", o.TLSConfig != nil, tlsWanted},
		{"redis_key", string(c.RedisKey), "", o.TLSConfig != nil, tlsWanted},
	} {
		switch {
		case v.value == "":
		case !v.fits:
			l.wrong(v.key, "%s", v.otherwise)
		case v.inURL != "":
			l.wrong(v.key, "stands in the URL in redis, too; write it once")
		}
	}
	if c.RedisUsername != "" && c.RedisPassword == "" && o.Password == "" {
		l.wrong("redis_username", "needs a password; write it into redis_password")
	}
	if c.RedisSentinelUsername != "" && c.RedisSentinelPassword == "" && o.SentinelPassword == "" {
		l.wrong("redis_sentinel_username", "needs a password; write it into redis_sentinel_password")
	}
	l.checkRedisCertificates()
}

func (l *loader) checkRedisCertificates() {
	c := l.config
	if c.RedisCA != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(c.RedisCA)) {
		l.wrong("redis_ca", "has no certificate in PEM; write file:///path, or the certificate itself")
	}
	switch {
	case c.RedisCert == "" && c.RedisKey == "":
	case c.RedisKey == "":
		l.wrong("redis_cert", "needs its key; write it into redis_key")
	case c.RedisCert == "":
		l.wrong("redis_key", "needs its certificate; write it into redis_cert")
	default:
		if _, err := tls.X509KeyPair([]byte(c.RedisCert), []byte(c.RedisKey)); err != nil {
			l.wrong("redis_cert", "cannot be used with redis_key: %s", strings.TrimPrefix(err.Error(), "tls: "))
		}
	}
}
