package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/go-json-experiment/json"

	"hark/channels"
)

// A Listing is a page of who is connected to the nodes of a Hark, or of several. Where Silent names nodes, what they have
// is missing.
type Listing struct {
	Connections []channels.ConnInfo `json:"connections,omitzero"`
	Users       []channels.UserInfo `json:"users,omitzero"`
	Next        string              `json:"next,omitzero"`
	Silent      []string            `json:"silent,omitzero"`
}

// Connected lists "connections" or "users": all pages of those that query, as REST has it, is for.
func (c *Client) Connected(ctx context.Context, what string, query url.Values) (Listing, error) {
	var all Listing
	for {
		page, err := c.connected(ctx, what, query)
		if err != nil {
			return all, err
		}
		all.Connections = append(all.Connections, page.Connections...)
		all.Users = append(all.Users, page.Users...)
		all.Silent = append(all.Silent, page.Silent...)
		if page.Next == "" {
			slices.Sort(all.Silent)
			all.Silent = slices.Compact(all.Silent)
			return all, nil
		}
		query.Set("cursor", page.Next)
	}
}

func (c *Client) connected(ctx context.Context, what string, query url.Values) (Listing, error) {
	var page Listing
	err := c.do(ctx, http.MethodGet, "/hark/"+what, query, nil, &page)
	refused, ok := errors.AsType[*ServerError](err)
	if ok && refused.Status == http.StatusServiceUnavailable && json.Unmarshal([]byte(refused.Text), &page) == nil {
		return page, nil // without what silent nodes have
	}
	return page, err
}
