package main

import (
	"log/slog"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/redis/go-redis/v9/logging"

	"hark/channels"
	"hark/channels/redisbroker"
	"hark/cmd/hark/internal/config"
	"hark/httpapi"
)

// A wiring is what a configuration says, made. Nothing of it runs yet.
type wiring struct {
	hub    *channels.Hub
	access accesses
	auth   []httpapi.AuthRoute
}

// wire returns the hub, with all that it asks.
func wire(c config.Config, log *slog.Logger) (w wiring, err error) {
	if w.access, err = newAccesses(c.Apps, log); err != nil {
		return wiring{}, err
	}
	h := hubConfig(c, w.access.apps(), log)
	if h.Broker, err = broker(c, log); err != nil {
		return wiring{}, err
	}
	if w.hub, err = channels.New(h); err != nil {
		return wiring{}, err
	}
	w.access.register(w.hub)
	if w.auth, err = w.access.routes(w.hub); err != nil {
		return wiring{}, err
	}
	return w, nil
}

// broker returns the broker of servers that share a Redis; nil: of a single one.
func broker(c config.Config, log *slog.Logger) (channels.Broker, error) {
	if c.Redis == "" {
		return nil, nil
	}
	b, err := c.RedisBroker()
	if err != nil {
		return nil, err
	}
	logging.Disable() // the broker says itself what is wrong with Redis
	b.Node, b.Logger = hostName(), log
	return redisbroker.New(b)
}

// hostName is the name of this machine or container, as a node may have it; "": it has none.
func hostName() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	name = strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_.", r)) {
			return r
		}
		return '-'
	}, name)
	return name[:min(len(name), 63)]
}

// hubConfig is the part of c that the hub knows about.
func hubConfig(c config.Config, apps []channels.AppConfig, log *slog.Logger) channels.Config {
	h := channels.Config{
		Apps:            apps,
		Logger:          log,
		ActivityTimeout: c.ActivityTimeout,
		PongWait:        c.PongWait,
		Drain:           c.Drain,
		Pacing:          c.Pacing,
	}
	if h.Drain == 0 {
		h.Drain = -1 // the hub's word for at once
	}
	return h
}
