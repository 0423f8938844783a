package httpapi

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// healthRoutes serves the paths that probes ask, those of soketi, Reverb,
// Sockudo and Kubernetes alike. Bodies say no more than whether all is well:
// everybody may read them.
func (h *Handler) healthRoutes() {
	for path, answer := range map[string]gin.HandlerFunc{
		"/":               h.alive,
		"/up":             h.alive,
		"/live":           h.alive,
		"/healthz":        h.alive,
		"/up/:app":        h.appExists,
		"/ready":          h.ready,
		"/readyz":         h.ready,
		"/accept-traffic": h.ready,
	} {
		h.engine.GET(path, answer)
		h.engine.HEAD(path, answer)
	}
}

func (h *Handler) alive(c *gin.Context) { healthy(c, true) }

func (h *Handler) appExists(c *gin.Context) {
	if _, ok := h.hub.App(c.Param("app")); !ok {
		refuse(c, http.StatusNotFound, "Unknown app")
		return
	}
	healthy(c, true)
}

func (h *Handler) ready(c *gin.Context) { healthy(c, h.hub.Ready() == nil) }

func healthy(c *gin.Context, ok bool) {
	c.Writer.Header()["Cache-Control"] = []string{"no-store"}
	if !ok {
		refuse(c, http.StatusServiceUnavailable, "not ok")
		return
	}
	c.Writer.Header()["Content-Type"] = plainType
	c.Writer.WriteHeader(http.StatusOK)
	c.Writer.WriteString("ok\n")
}
