package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"hark/authz"
	"hark/cmd/hark/internal/credentials"
	"hark/protocol"
)

// A Client makes signed REST requests. Its methods may be called concurrently.
type Client struct {
	URL  credentials.URL
	HTTP *http.Client // nil: one with a timeout of 10 s
}

const (
	requestTimeout = 10 * time.Second
	maxAnswer      = 64 << 20 // bytes; the list of a large app's channels is long
)

var defaultHTTP = &http.Client{Timeout: requestTimeout}

// A Trigger is an event to publish.
type Trigger struct {
	Name     string   `json:"name"`
	Data     string   `json:"data"`
	Channels []string `json:"channels"`
	SocketID string   `json:"socket_id,omitzero"` // who does not get it
	Info     string   `json:"info,omitzero"`      // what the answer tells about the channels, with commas between
}

// Trigger publishes. The answer has channels only if there was an Info.
func (c *Client) Trigger(ctx context.Context, t Trigger) (protocol.TriggerResponse, error) {
	var answer protocol.TriggerResponse
	body, err := json.Marshal(t)
	if err != nil {
		return answer, fmt.Errorf("encode the event: %w", err)
	}
	err = c.do(ctx, http.MethodPost, "/events", nil, body, &answer)
	return answer, err
}

// Channels lists the occupied channels whose names begin with prefix.
func (c *Client) Channels(ctx context.Context, prefix, info string) (protocol.ChannelsResponse, error) {
	query := url.Values{}
	if prefix != "" {
		query.Set("filter_by_prefix", prefix)
	}
	if info != "" {
		query.Set("info", info)
	}
	var answer protocol.ChannelsResponse
	err := c.do(ctx, http.MethodGet, "/channels", query, nil, &answer)
	return answer, err
}

// Users lists who is on a presence channel.
func (c *Client) Users(ctx context.Context, channel string) (protocol.UsersResponse, error) {
	var answer protocol.UsersResponse
	err := c.do(ctx, http.MethodGet, "/channels/"+channel+"/users", nil, nil, &answer)
	return answer, err
}

// do sends a request below /apps/ID and reads the answer. The prefix is not signed: no SDK does.
func (c *Client) do(ctx context.Context, method, path string, query url.Values, body []byte, answer any) error {
	u, err := url.Parse(c.URL.Base())
	if err != nil {
		return fmt.Errorf("the server's address: %w", err)
	}
	signed := url.URL{Path: "/apps/" + c.URL.App.ID + path}
	query = authz.SignREST(c.URL.App.Key, method, signed.EscapedPath(), query, body, time.Now())
	u.Path += signed.Path
	u.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("the server's address: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Pusher-Library", "hark")

	response, err := c.http().Do(request)
	if err != nil {
		return &ConnectError{Address: c.URL.Base(), Err: cause(err)}
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return &ConnectError{Address: c.URL.Base(), Err: err}
	}
	if response.StatusCode/100 != 2 {
		return &ServerError{Status: response.StatusCode, Text: saidText(response, text)}
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("%s answered what is not the JSON of a Pusher server: %w", c.URL.Base(), err)
	}
	return nil
}

func (c *Client) http() *http.Client {
	if c.HTTP != nil {
		return c.HTTP
	}
	return defaultHTTP
}

// cause takes the URL off an error of net/http: a signed one is long, and says nothing that the address does not.
func cause(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

func saidText(r *http.Response, body []byte) string {
	if text := strings.TrimSpace(string(body)); text != "" {
		return text
	}
	return http.StatusText(r.StatusCode)
}
