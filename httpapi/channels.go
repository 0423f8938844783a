package httpapi

import (
	"net/http"
	"strings"

	"hark/protocol"
)

// listChannels serves GET /channels.
func (h *Handler) listChannels(r *request) (any, error) {
	info, err := protocol.ParseInfo(r.param("info"))
	if err != nil {
		return nil, err
	}
	prefix := r.param("filter_by_prefix")
	switch {
	case info.Has(protocol.InfoUserCount) && !strings.HasPrefix(prefix, "presence-"):
		return nil, badRequest("user_count may only be requested for presence channels - " +
			"please supply filter_by_prefix beginning with presence-")
	case info&^protocol.InfoUserCount != 0:
		return nil, badRequest("Only user_count may be requested here, ask for the other attributes channel by channel")
	}
	occupied, err := r.app.Occupied(r.ctx, prefix)
	if err != nil {
		return nil, err
	}
	states := make(map[string]protocol.ChannelState, len(occupied))
	for _, now := range occupied {
		states[now.Name] = describe(now, info)
	}
	return protocol.ChannelsResponse{Channels: states}, nil
}

// showChannel serves GET /channels/{name}.
func (h *Handler) showChannel(r *request) (any, error) {
	if err := checkChannel(r); err != nil {
		return nil, err
	}
	info, err := protocol.ParseInfo(r.param("info"))
	if err != nil {
		return nil, err
	}
	if info.Has(protocol.InfoUserCount) && !protocol.KindOf(r.channel).IsPresence() {
		return nil, badRequest("Cannot retrieve the user count unless the channel is a presence channel")
	}
	if info.Has(protocol.InfoCache) && !protocol.KindOf(r.channel).IsCache() {
		return nil, badRequest("Cannot retrieve the cache unless the channel is a cache channel")
	}
	now, err := r.app.Channel(r.ctx, r.channel)
	if err != nil {
		return nil, err
	}
	s := describe(now, info)
	s.Occupied = new(now.Sockets > 0)
	return s, nil
}

// showStats serves GET /channels/{name}/stats, which is deprecated: the channel
// with the counts that it has.
func (h *Handler) showStats(r *request) (any, error) {
	if err := checkChannel(r); err != nil {
		return nil, err
	}
	now, err := r.app.Channel(r.ctx, r.channel)
	if err != nil {
		return nil, err
	}
	s := protocol.ChannelState{Occupied: new(now.Sockets > 0)}
	if protocol.KindOf(r.channel).IsPresence() {
		s.UserCount = &now.Users
	}
	return s, nil
}

// listUsers serves GET /channels/{name}/users.
func (h *Handler) listUsers(r *request) (any, error) {
	if err := checkChannel(r); err != nil {
		return nil, err
	}
	if !protocol.KindOf(r.channel).IsPresence() {
		return nil, badRequest("Users can only be retrieved for presence channels")
	}
	members, err := r.app.Members(r.ctx, r.channel)
	if err != nil {
		return nil, err
	}
	users := make([]protocol.UserResponse, len(members))
	for i, m := range members {
		users[i].ID = m.UserID
	}
	return protocol.UsersResponse{Users: users}, nil
}

// checkChannel refuses a path that names no channel.
func checkChannel(r *request) error {
	if err := protocol.CheckChannel(r.channel, r.app.Limits().ChannelName); err != nil {
		return badRequest(err.Error())
	}
	return nil
}

func badRequest(text string) error {
	return &protocol.RESTError{Status: http.StatusBadRequest, Text: text}
}
