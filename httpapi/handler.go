package httpapi

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"hark/channels"
	"hark/channels/ws"
)

// Config says what a Handler serves beside the REST API. The zero Config is
// valid.
type Config struct {
	// PathPrefix is where Hark stands behind a proxy, such as "/hark". A request
	// that still has it is served as if it had not, and what is signed is the
	// path without it. "": none.
	PathPrefix string
	// Websocket gets every websocket upgrade, and every GET of a path that ends
	// in /app/{key} and is not one of the REST API. Nil: there are no websockets.
	Websocket http.Handler
	// Demo gets what is asked below /demo/. Nil: there is no demo.
	Demo http.Handler
	// Auth are the auth endpoints of apps whose clients ask Hark what they may
	// subscribe to. Nil: their own backends sign.
	Auth []AuthRoute
	// Logger gets what should not happen; nil: nothing is logged.
	Logger *slog.Logger
	// Now is the time that signatures are checked against; nil: time.Now.
	Now func() time.Time
}

// A Handler serves a hub over HTTP. It may be called concurrently.
type Handler struct {
	hub    *channels.Hub
	config Config
	engine *gin.Engine
}

// New returns a Handler that serves hub. It panics if paths of c.Auth clash.
func New(hub *channels.Hub, c Config) *Handler {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.PathPrefix = strings.TrimSuffix(c.PathPrefix, "/")
	gin.SetMode(gin.ReleaseMode)
	h := &Handler{hub: hub, config: c, engine: gin.New()}
	h.routes()
	return h
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r = withoutPrefix(r, h.config.PathPrefix)
	if h.config.Websocket != nil && isWebsocket(r) {
		h.config.Websocket.ServeHTTP(w, r)
		return
	}
	h.engine.ServeHTTP(w, r)
}

// IsTrigger reports whether a Handler may get r as a trigger, of one event or of
// several. What is answered then is short, and sent in one piece.
func IsTrigger(r *http.Request) bool {
	return r.Method == http.MethodPost &&
		(strings.HasSuffix(r.URL.Path, "/events") || strings.HasSuffix(r.URL.Path, "/batch_events"))
}

// isWebsocket reports whether r is for Config.Websocket. A REST path may look
// like an app's, when an app or a channel is named app: /apps/1/channels/app/users.
func isWebsocket(r *http.Request) bool {
	if ws.IsUpgrade(r) {
		return true
	}
	_, app := ws.AppKey(r.URL.Path)
	return app && r.Method == http.MethodGet && !strings.HasPrefix(r.URL.Path, "/apps/")
}

// withoutPrefix returns r as it would be without the prefix. A proxy may have
// taken it off already.
func withoutPrefix(r *http.Request, prefix string) *http.Request {
	path, ok := strings.CutPrefix(r.URL.Path, prefix)
	if prefix == "" || !ok || path != "" && path[0] != '/' {
		return r
	}
	u := *r.URL
	u.Path = path
	if u.RawPath, ok = strings.CutPrefix(u.RawPath, (&url.URL{Path: prefix}).EscapedPath()); !ok {
		u.RawPath = "" // the prefix was spelled in another way
	}
	if u.Path == "" {
		u.Path, u.RawPath = "/", ""
	}
	stripped := *r
	stripped.URL = &u
	return &stripped
}

func (h *Handler) routes() {
	e := h.engine
	// An escaped slash in a channel's name does not separate.
	e.UseEscapedPath, e.UnescapePathValues = true, false
	e.RedirectTrailingSlash, e.RedirectFixedPath = false, false
	e.HandleMethodNotAllowed = true
	e.ForwardedByClientIP = false
	e.Use(h.recover, unescape)
	e.NoRoute(func(c *gin.Context) {
		refuse(c, http.StatusNotFound, fmt.Sprintf("Unknown path %q", c.Request.URL.Path))
	})
	e.NoMethod(func(c *gin.Context) {
		refuse(c, http.StatusMethodNotAllowed, fmt.Sprintf("Method %s is not allowed here, use %s",
			c.Request.Method, c.Writer.Header().Get("Allow")))
	})

	app := e.Group("/apps/:app")
	app.POST("/events", h.signed(h.trigger))
	app.POST("/batch_events", h.signed(h.triggerBatch))
	app.GET("/channels", h.signed(h.listChannels))
	app.GET("/channels/:channel", h.signed(h.showChannel))
	app.GET("/channels/:channel/users", h.signed(h.listUsers))
	app.POST("/channels/:channel/events", h.signed(h.triggerChannel))
	app.GET("/channels/:channel/stats", h.signed(h.showStats))
	app.POST("/users/:user/terminate_connections", h.signed(h.terminate))
	e.POST("/users/:user/terminate_connections", h.signed(h.terminate))
	h.controlRoutes(app)

	h.healthRoutes()
	if h.config.Demo != nil {
		e.Any("/demo/*path", gin.WrapH(h.config.Demo))
		e.GET("/demo", func(c *gin.Context) { c.Redirect(http.StatusFound, "demo/") })
	}
	h.authRoutes()
}

// unescape decodes what a path names, once. gin would decode it as a query and
// make a + a space.
func unescape(c *gin.Context) {
	for i, p := range c.Params {
		if v, err := url.PathUnescape(p.Value); err == nil {
			c.Params[i].Value = v
		}
	}
}

// recover answers 500 for a handler that panics, and logs why. An answer that
// has begun is cut off, or it would pass for a whole one.
func (h *Handler) recover(c *gin.Context) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if v == http.ErrAbortHandler {
			panic(v)
		}
		h.config.Logger.Error("panic in a request", "path", c.Request.URL.Path, "panic", v, "stack", string(debug.Stack()))
		if c.Writer.Written() {
			panic(http.ErrAbortHandler)
		}
		clear(c.Writer.Header()) // it described another answer
		refuse(c, http.StatusInternalServerError, "Internal server error")
	}()
	c.Next()
}
