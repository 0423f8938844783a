package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"hark/authz"
	"hark/authz/rules"
	"hark/cmd/hark/internal/config"
)

// What an application says when it is really asked.
func TestExplainAsks(t *testing.T) {
	app := config.App{
		ID:       "1",
		Callback: &config.Callback{URL: "https://app.example/hark"},
		Policies: []config.Policy{
			{Channel: "private-x.{id}", Callback: "true"},
			{Channel: "private-{all...}", Rule: rules.Rule{Deny: true, Conditions: rules.Conditions{When: `user.id == "9"`}}},
		},
	}
	for _, tt := range []struct {
		name, user string
		says       authz.Decision
		err        error
		status     int
		code       int
		want       string // the sentence
		row        string // the end of the application's row
	}{
		{
			name: "yes", user: "7", says: authz.Allow().For(time.Minute), status: 200,
			want: "allowed for 1m0s: the auth endpoint answers 200", row: "callback: https://app.example/hark|allow",
		},
		{
			name: "no", user: "7", says: authz.Deny("not theirs"), status: 403, code: exitCheck,
			want: "not allowed: the auth endpoint answers 403, policy private-x.{id}: not theirs", row: "|deny: not theirs",
		},
		{
			name: "no opinion", user: "7", status: 403, code: exitCheck,
			want: "not allowed: the auth endpoint answers 403, no policy allows it", row: "|no opinion",
		},
		{
			name: "yes, and another denies", user: "9", says: authz.Allow(), status: 403, code: exitCheck,
			want: `not allowed: the auth endpoint answers 403, policy private-{all...}: by the rule: deny, when: user.id == "9"`, row: "|allow",
		},
		{
			name: "wrong credentials", user: "7", err: authz.ErrUnauthenticated, status: 401, code: exitCheck,
			want: "not allowed: the auth endpoint answers 401, policy private-x.{id}: authz: unauthenticated", row: "|error: authz: unauthenticated",
		},
		{
			name: "down", user: "9", err: errors.New("refused"), status: 503, code: exitFailed,
			want: "not known: the auth endpoint answers 503, policy private-x.{id} could not be asked: refused", row: "|error: refused",
		},
		{
			name: "down, and says so", user: "7", err: fmt.Errorf("%w: the application answered 500", authz.ErrUnavailable), status: 503, code: exitFailed,
			want: "not known: the auth endpoint answers 503, policy private-x.{id} could not be asked: the application answered 500",
			row:  "|error: the application answered 500",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			asked := ""
			ask := func(url string) authz.Policy {
				asked = url
				return authz.PolicyFunc(func(context.Context, authz.Request) (authz.Decision, error) { return tt.says, tt.err })
			}
			r := authz.Request{App: "1", Channel: "private-x.1", Identity: authz.Identity{ID: tt.user}}
			x, err := explain(t.Context(), app, r, ask, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if asked != "https://app.example/hark" {
				t.Errorf("asked %q", asked)
			}
			if x.Status != tt.status || x.code != tt.code || x.Allowed != (tt.status == 200) {
				t.Errorf("got status %d, code %d, allowed %v; want %d and %d", x.Status, x.code, x.Allowed, tt.status, tt.code)
			}
			if got := x.sentence(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if row := strings.Join(x.rows()[1], "|"); !strings.HasSuffix(row, tt.row) {
				t.Errorf("got the row %q, want %q at its end", row, tt.row)
			}
		})
	}
}
