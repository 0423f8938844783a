package ws

import (
	"math"
	"net/http"
	"strings"
	"time"

	"hark/channels"
	"hark/protocol"
)

// A Handler serves websockets for a hub, at every path that ends in /app/KEY.
// Its fields may be set before the first request.
type Handler struct {
	// Outbox bounds what waits for one client that reads too slowly, in bytes;
	// 0: 1 MiB, negative: no bound. Over it the client is closed with 4100.
	Outbox int

	// ParkAfter is how long a client that talks must be silent to be parked: to
	// have no goroutine and no buffer until it says something more; 0: 2 s,
	// negative: clients are not parked. Only Linux parks, and what has a socket
	// of its own: not TLS in this process.
	ParkAfter time.Duration

	hub     *channels.Hub
	parking parking
}

// defaultPatience is long enough that a client which says something now and then
// is no busier than with a goroutine of its own.
const defaultPatience = 2 * time.Second

// New returns a Handler that connects clients to hub.
func New(hub *channels.Hub) *Handler { return &Handler{hub: hub} }

// ServeHTTP upgrades r to a websocket, connects it to the hub and returns.
//
// What the protocol refuses is upgraded too, and then closed with a code and a
// pusher:error before it: a browser shows a page no HTTP status, and pusher-js
// would try again for ever. That includes upgrades on other paths (4005). A
// request that is no upgrade gets 426 on an app's path and 404 on others; an
// upgrade that RFC 6455 does not allow gets a 4xx.
//
// Where the application has a say in who connects, it is asked before the upgrade
// is answered (channels.Hub.Ask), for which that may be held for some seconds. When
// it cannot be asked the answer is 503 with a Retry-After: pusher-js comes back
// after 15 s, then 30 and 60, where after a close it would every second.
//
// The time for a client to send its request is http.Server.ReadHeaderTimeout.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key, ok := AppKey(r.URL.Path)
	if !IsUpgrade(r) {
		notUpgrade(w, r, ok)
		return
	}
	if !ok {
		h.serve(w, r, h.hub.Go, func(c channels.Conn) socket {
			refuse(c, protocol.NewError(protocol.ClosePathNotFound))
			return nil
		})
		return
	}
	request := connectRequest(r, key)
	if h.hub.Ask(r.Context(), &request) != nil {
		w.Header().Set("Retry-After", retryAfter)
		http.Error(w, "It cannot be decided now whether you may connect, come back later", http.StatusServiceUnavailable)
		return
	}
	h.serve(w, r, h.hub.Go, func(c channels.Conn) socket {
		if s := h.hub.Connect(c, request); s != nil {
			return s
		}
		return nil
	})
}

// retryAfter is when a client that could not be let in may come back, in seconds.
// Browsers do not tell pusher-js, which has pauses of its own.
const retryAfter = "5"

// serve upgrades r, lets connect decide whose socket the Conn is, and starts to
// read. Goroutines are started by run. connect returns nil when it has closed
// the Conn.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, run func(func()) bool, connect func(channels.Conn) socket) {
	limit := h.Outbox
	switch {
	case limit == 0:
		limit = defaultLimit
	case limit < 0:
		limit = math.MaxInt
	}
	patience := h.ParkAfter
	if patience == 0 {
		patience = defaultPatience
	}
	c, err := accept(w, r, run, limit)
	if err != nil {
		return // answered, and nothing of ours has begun
	}
	c.startReading(connect(c), &h.parking, patience)
}

// refuse closes c with the code and the words of err.
func refuse(c channels.Conn, err *protocol.Error) {
	_ = c.Send(protocol.Join(err.Frame())) // the Close says it too
	c.Close(err.Code, err.Message)
}

// notUpgrade answers a request that asks for no websocket.
func notUpgrade(w http.ResponseWriter, r *http.Request, app bool) {
	if !app {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Connection", "Upgrade")
	w.Header().Set("Upgrade", "websocket")
	http.Error(w, "This is a websocket endpoint: connect with a websocket client", http.StatusUpgradeRequired)
}

// connectRequest copies what a hub wants to know of r. Nothing of it keeps the
// request in memory, but for the request itself, which the hub does not keep.
func connectRequest(r *http.Request, key string) channels.ConnectRequest {
	q := r.URL.Query()
	return channels.ConnectRequest{
		Key:         strings.Clone(key),
		Protocol:    strings.Clone(q.Get("protocol")),
		HasProtocol: q.Has("protocol"),
		Version:     strings.Clone(q.Get("version")),
		HTTP:        r,
	}
}

// AppKey returns the key in a path that ends in /app/KEY, behind any prefix.
func AppKey(path string) (key string, ok bool) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 || i == len(path)-1 || !strings.HasSuffix(path[:i], "/app") {
		return "", false
	}
	return path[i+1:], true
}

// IsUpgrade reports whether r asks for a websocket, well-formed or not.
func IsUpgrade(r *http.Request) bool {
	return hasToken(r.Header["Connection"], "upgrade") && hasToken(r.Header["Upgrade"], "websocket")
}

// hasToken reports whether a header's comma-separated lists have a token, which
// case does not matter for.
func hasToken(values []string, token string) bool {
	for _, v := range values {
		for t := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}
