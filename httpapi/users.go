package httpapi

import (
	"net/http"

	"hark/protocol"
)

// terminate serves POST /users/{id}/terminate_connections: every connection
// that is signed in as the user is closed.
//
// Pusher: https://pusher.com/docs/channels/server_api/terminating-user-connections/
func (h *Handler) terminate(r *request) (any, error) {
	if !protocol.CheckUserID(r.user) || len(r.user) > r.app.Limits().UserID {
		return nil, &protocol.RESTError{Status: http.StatusBadRequest,
			Text: "Invalid user id: use only letters, digits and the characters _ - = @ , . ;"}
	}
	return nil, r.app.Terminate(r.ctx, r.user)
}
