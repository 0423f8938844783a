package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"

	"hark/authz"
	"hark/cmd/hark/internal/config"
	"hark/httpapi/demo"
)

// A devServer is what serve --dev tells and shows its user.
type devServer struct {
	app     config.App
	key     authz.Key
	address string // host:port
}

func newDevServer(address net.Addr) devServer {
	app := config.DevApp()
	return devServer{app: app, key: authz.Key(app.Keys[0]), address: address.String()}
}

// pusherURL is the one place where a secret is printed: this one is known to everybody.
func (d devServer) pusherURL() string {
	return fmt.Sprintf("http://%s:%s@%s/apps/%s", d.key.Key, string(d.key.Secret), d.address, d.app.ID)
}

// command returns a command line for the reader's shell.
func (d devServer) command(name, rest string) string {
	return fmt.Sprintf("%s %s --url %s %s", self(), name, d.pusherURL(), rest)
}

func (d devServer) demo() http.Handler {
	return demo.New(d.key, d.command("trigger", `demo my-event '{"hello":"world"}'`))
}

func (d devServer) banner() string {
	host, port, _ := net.SplitHostPort(d.address)
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return fmt.Sprintf(`Hark for development: only this machine can connect, and the secret is no secret;
client events, counts of subscribers and watchlists are on

  demo page   http://%[1]s/demo/
  REST        http://%[1]s/apps/%[2]s (and /apps/%[3]s)
  websocket   ws://%[1]s/app/%[4]s

PUSHER_URL=%[5]s

  pusher-js   new Pusher(%[4]q, {cluster: "", wsHost: %[6]q, wsPort: %[7]s, forceTLS: false, enabledTransports: ["ws"]})

Try it from two other shells:

  %[8]s
  %[9]s

`, d.address, d.app.ID, strings.Join(d.app.Aliases, ", "), d.key.Key, d.pusherURL(), host, port,
		d.command("subscribe", "my-channel"),
		d.command("trigger", `my-channel my-event '{"hello":"world"}'`))
}

// self is how this program was called, as a word for a shell.
func self() string {
	name := os.Args[0]
	switch {
	case strings.Contains(name, "go-build"): // go run's place for it, which is gone afterwards
		return "go run ./cmd/hark"
	case strings.ContainsFunc(name, func(r rune) bool { return strings.ContainsRune(" \t'\"\\$&;|<>()*?`", r) }):
		return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
	}
	return name
}
