package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/spf13/cobra"

	"hark/authz"
	"hark/channels"
	"hark/channels/ws"
	"hark/cmd/hark/internal/config"
	"hark/httpapi"
	"hark/httpapi/persistent"
)

type serveFlags struct {
	options config.Options
	redis   string
	drain   time.Duration
}

func serveCommand() *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `Run the server until it is interrupted. Then it stops accepting, asks its clients to connect elsewhere, and ends; a
second signal ends it at once.

What flags say goes before the environment, the environment before the file. The first app may come from
HARK_APP_ID, HARK_APP_KEY and HARK_APP_SECRET, or, in this order, from PUSHER_URL, PUSHER_APP_*, REVERB_APP_*,
SOKETI_DEFAULT_APP_*, SOCKUDO_DEFAULT_APP_*; the address from HARK_LISTEN, PORT, REVERB_SERVER_HOST and _PORT, SOKETI_HOST
and _PORT; every other key of the file from HARK_ and its name.`,
		Example: `  hark serve --dev
  hark serve -c hark.yaml`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.options.Dev, "dev", false, "try it on this machine: an app that needs no configuration, a demo page, loopback only")
	flags.StringVarP(&f.options.File, "config", "c", "", "YAML `FILE` with the configuration (default from HARK_CONFIG)")
	flags.StringVar(&f.options.Listen, "listen", "", "`HOST:PORT` for everything (default :6001, with --dev 127.0.0.1:6001)")
	flags.StringVar(&f.options.Log, "log", "", "form of the log on standard error, `text|json` (default text)")
	flags.StringVar(&f.redis, "redis", "", "`URL` of the Redis that several servers share, like redis://host:6379; one with a password belongs into HARK_REDIS_URL")
	flags.DurationVar(&f.drain, "drain", 0, "time over which clients are disconnected at the end (default 5s, with --dev 0s)")
	return cmd
}

func (f *serveFlags) run(cmd *cobra.Command) error {
	if cmd.Flags().Changed("drain") {
		f.options.Drain = &f.drain
	}
	f.options.Redis = authz.Secret(f.redis)
	c, err := config.Load(f.options)
	switch {
	case errors.Is(err, config.ErrNoApp):
		return usageError(errors.New(noApp()))
	case err != nil:
		return usagef("cannot start:\n%w", err)
	}
	log := newLogger(cmd.ErrOrStderr(), c.Log)
	w, err := wire(c, log)
	if err != nil {
		return usageError(err)
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", c.Listen, err)
	}
	handler := httpapi.Config{PathPrefix: c.PathPrefix, Websocket: ws.New(w.hub), Auth: w.auth, Logger: log}
	if f.options.Dev {
		dev := newDevServer(listener.Addr())
		handler.Demo = dev.demo()
		if _, err := io.WriteString(cmd.OutOrStdout(), dev.banner()); err != nil {
			return errors.Join(err, listener.Close())
		}
	}
	logStart(log, c)
	tuneMemory(log, memlimit.FromCgroup)
	server := &http.Server{
		Handler:           httpapi.New(w.hub, handler),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute, // of a body; a websocket has left the server's hands by then
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	kept := persistent.Keep(server, httpapi.IsTrigger)
	ctx, end := context.WithCancel(cmd.Context())
	asking, endAsking := context.WithCancel(context.WithoutCancel(ctx)) // who connects is asked about until the hub has drained
	var running sync.WaitGroup
	defer running.Wait()
	defer endAsking()
	defer end()
	running.Go(func() { tidyMemory(ctx) })
	running.Go(func() { w.access.run(asking) })
	return serve(ctx, log, w.hub, server, kept, listener, c.Sources.Listen)
}

func newLogger(w io.Writer, form string) *slog.Logger {
	if form == "json" {
		return slog.New(slog.NewJSONHandler(w, nil))
	}
	return slog.New(slog.NewTextHandler(w, nil))
}

// logStart says what an operator may wonder about later.
func logStart(log *slog.Logger, c config.Config) {
	files, err := raiseFiles()
	if err != nil {
		log.Warn("the limit of open files cannot be raised", "error", err)
	}
	log.Info("starting", "version", thisBuild().Version, "pid", os.Getpid(), "open_files", files)
	for i, app := range c.Apps {
		log.Info("serving an app", "app", app.ID, "from", c.Sources.Apps[i], "keys", len(app.Keys), "disabled", app.Disabled)
		if app.Policies != nil {
			log.Info("saying who may join", "app", app.ID, "policies", len(app.Policies), "path", c.PathPrefix+app.Auth.ChannelsPath)
		}
		if !app.NumericID() {
			log.Warn("some official SDKs take only app ids that are all digits", "app", app.ID)
		}
	}
	for _, from := range c.Sources.Unused {
		log.Info("app not used", "from", from)
	}
}

const (
	// startTimeout is how long a server that starts waits for its Redis, and startPoll how often it looks.
	startTimeout = 3 * time.Second
	startPoll    = 5 * time.Millisecond
	// finishTimeout is how long requests that have begun may take when the server ends.
	finishTimeout = 5 * time.Second
)

// awaitReady waits until the hub is ready, so that nobody is answered 503 only because the server has just started:
// whoever connects meanwhile waits with it. A hub that is not ready after startTimeout is served all the same. It returns false if
// there is nothing to be served any more.
func awaitReady(ctx context.Context, log *slog.Logger, hub *channels.Hub, ended <-chan struct{}) bool {
	ticker := time.NewTicker(startPoll)
	defer ticker.Stop()
	late := time.After(startTimeout)
	for {
		err := hub.Ready()
		if err == nil {
			return true
		}
		select {
		case <-ticker.C:
		case <-late:
			log.Warn("not ready yet, and listening all the same", "waited", startTimeout, "error", err)
			return true
		case <-ended:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// serve runs until ctx ends or something fails, and then shuts down in order: it accepts nothing new, the hub is no
// longer ready and sends its clients away, requests under way are answered. Clients come back within milliseconds, so
// they must not find this listener open. from says where its address came from; "": it is the default.
func serve(
	ctx context.Context, log *slog.Logger, hub *channels.Hub,
	server *http.Server, kept *persistent.Connections, listener net.Listener, from string,
) error {
	hubContext, endHub := context.WithCancel(context.WithoutCancel(ctx))
	defer endHub()
	served, hubEnded := make(chan error, 1), make(chan struct{})
	var hubFailed error // once hubEnded is closed
	go func() {
		defer close(hubEnded)
		hubFailed = hub.Run(hubContext)
	}()
	if awaitReady(ctx, log, hub, hubEnded) {
		log.Info("listening", "address", listener.Addr().String(), "from", cmp.Or(from, "default"))
	}
	go func() { served <- server.Serve(listener) }()

	var failed error
	select {
	case <-ctx.Done():
		log.Info("shutting down")
	case failed = <-served:
		served <- nil
	case <-hubEnded:
	}
	finished := make(chan error, 1)
	go func() {
		finish, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
		defer cancel()
		finished <- errors.Join(server.Shutdown(finish), kept.Wait(finish), server.Close())
	}()
	<-served // the listener is closed
	log.Info("draining")
	endHub()
	<-hubEnded
	failed = errors.Join(failed, hubFailed)
	if err := <-finished; err != nil {
		log.Warn("requests were cut off", "error", err)
	}
	log.Info("ended")
	return failed
}
