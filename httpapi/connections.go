package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"hark/authz"
	"hark/channels"
)

// A listing answers a question about connections. Where nodes are silent it is not all,
// and is answered with 503.
type listing struct {
	Connections []channels.ConnInfo `json:"connections,omitzero"`
	Users       []channels.UserInfo `json:"users,omitzero"`
	Next        string              `json:"next,omitzero"`   // the cursor of the next page; "": there is none
	Silent      []string            `json:"silent,omitzero"` // nodes that did not answer
}

func (l *listing) respond(c *gin.Context) {
	if len(l.Silent) == 0 {
		sendJSON(c, http.StatusOK, l)
		return
	}
	c.Writer.Header().Set("Retry-After", "1")
	sendJSON(c, http.StatusServiceUnavailable, l)
}

// listConnections serves GET /hark/connections.
func (h *Handler) listConnections(r *request) (any, error) {
	to, page, err := readListing(r)
	if err != nil {
		return nil, err
	}
	list, next, err := r.app.Connections(r.ctx, to, page)
	return h.listed(r, &listing{Connections: list, Next: next}, err)
}

// listConnected serves GET /hark/users.
func (h *Handler) listConnected(r *request) (any, error) {
	to, page, err := readListing(r)
	if err != nil {
		return nil, err
	}
	list, next, err := r.app.Users(r.ctx, to, page)
	return h.listed(r, &listing{Users: list, Next: next}, err)
}

// listed returns l, or what came instead.
func (h *Handler) listed(r *request, l *listing, err error) (any, error) {
	if silent, ok := errors.AsType[*channels.SilentError](err); ok {
		h.config.Logger.Warn("nodes did not answer", "app", r.app.ID(), "nodes", silent.Nodes, "error", silent.Err)
		l.Silent, err = silent.Nodes, nil
	}
	return l, err
}

// readListing reads for which connections, and for what part of the list, a request asks.
// What is not known is an error, and so is what is empty: it may have been meant to ask
// for fewer.
func readListing(r *request) (to channels.Selector, page channels.Page, err error) {
	to = channels.Everyone()
	for _, p := range r.params {
		switch p.Key {
		case "user":
			to.Users = []string{p.Value}
		case "role":
			to.Roles = []string{p.Value}
		case "channel":
			to.On = p.Value
			if _, err := authz.ParsePattern(p.Value); p.Value != "" && err != nil {
				return to, page, badRequest("Invalid channel parameter: " + text(err))
			}
		case "cursor":
			page.Cursor = p.Value
			continue // "" is the beginning
		case "limit":
			n, err := strconv.Atoi(p.Value)
			if err != nil || n < 1 || n > channels.MaxPage {
				return to, page, badRequest(fmt.Sprintf(
					"Invalid limit parameter: it must be a number from 1 to %d", channels.MaxPage))
			}
			page.Limit = n
		default:
			if !strings.HasPrefix(p.Key, "auth_") && p.Key != "body_md5" {
				return to, page, badRequest(fmt.Sprintf("Unknown parameter %q", p.Key))
			}
		}
		if p.Value == "" {
			return to, page, badRequest(fmt.Sprintf(
				"Invalid %s parameter: it is empty, leave it out if it does not matter", p.Key))
		}
	}
	return to, page, nil
}
