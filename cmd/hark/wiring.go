package main

import (
	"log/slog"

	"hark/channels"
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
	if w.hub, err = channels.New(hubConfig(c, w.access.apps(), log)); err != nil {
		return wiring{}, err
	}
	w.access.register(w.hub)
	if w.auth, err = w.access.routes(w.hub); err != nil {
		return wiring{}, err
	}
	return w, nil
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
