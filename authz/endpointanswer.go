package authz

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"hark/protocol"
)

// What clients are told of an error: always in the same words.
var (
	answerUnauthenticated = &protocol.RESTError{Status: http.StatusUnauthorized, Text: "The credentials are wrong or have expired: sign in again"}
	answerDenied          = &protocol.RESTError{Status: http.StatusForbidden, Text: "Not allowed: sign in as somebody who may"}
	answerUnavailable     = &protocol.RESTError{Status: http.StatusServiceUnavailable, Text: "Could not be asked, try again"}
)

// refusal logs an error and returns what the client is told of it.
func (e *Endpoint) refusal(ctx context.Context, q question, err error) *protocol.RESTError {
	switch {
	case errors.Is(err, ErrUnavailable):
	case errors.Is(err, ErrDenied):
		e.log(ctx, slog.LevelInfo, "not allowed", q, err)
		return answerDenied
	case errors.Is(err, ErrUnauthenticated):
		e.log(ctx, slog.LevelInfo, "not authenticated", q, err)
		return answerUnauthenticated
	}
	if !errors.Is(ctx.Err(), context.Canceled) { // else it is the client who has gone
		e.log(ctx, slog.LevelWarn, "could not be asked", q, err)
	}
	return answerUnavailable
}

func (e *Endpoint) log(ctx context.Context, level slog.Level, message string, q question, err error) {
	e.config.Logger.LogAttrs(ctx, level, message, slog.String("app", q.App), slog.Any("socket", q.Socket),
		slog.String("channel", q.Channel), slog.String("user", q.Identity.ID), slog.Any("error", err))
}

// respond sends a value as JSON.
func respond(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		panic(err) // the answers are made of strings and numbers
	}
	w.Header().Set("Content-Type", jsonType)
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client has gone if that fails
}

// refuse sends a refusal.
func refuse(w http.ResponseWriter, e *protocol.RESTError) {
	if e.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	respond(w, e.Status, struct {
		Error string `json:"error"`
	}{e.Text})
}
