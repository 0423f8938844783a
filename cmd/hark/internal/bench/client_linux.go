package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"hark/cmd/hark/internal/credentials"
)

// A client is the sockets and requests of one thread, to one server, or to the nodes of one.
type client struct {
	ctx      context.Context // of the run
	loop     *loop
	url      credentials.URL // where requests go
	address  netip.AddrPort
	nodes    []node // where sockets connect, in turn
	patience time.Duration
	stamps   stamps
	frame    []byte // being sent; used again
}

// A node is where sockets connect.
type node struct {
	address   netip.AddrPort
	handshake []byte // of every websocket
}

func newClient(ctx context.Context, t Target, patience time.Duration) (*client, error) {
	address, err := resolve(ctx, t.URL)
	if err != nil {
		return nil, err
	}
	c := &client{ctx: ctx, url: t.URL, address: address, patience: patience}
	for _, u := range t.sockets() {
		if address, err = resolve(ctx, u); err != nil {
			return nil, err
		}
		c.nodes = append(c.nodes, node{address, handshake(u)})
	}
	c.loop, err = newLoop()
	return c, err
}

func handshake(u credentials.URL) []byte {
	path := u.Prefix + "/app/" + url.PathEscape(u.App.Key.Key) + "?protocol=7&client=hark-bench&version=1.0.0"
	return []byte("GET " + path + " HTTP/1.1\r\nHost: " + u.Host + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: aGFyayBiZW5jaCBjbGllbg==\r\n\r\n")
}

func resolve(ctx context.Context, u credentials.URL) (netip.AddrPort, error) {
	if u.Scheme != "http" {
		return netip.AddrPort{}, errors.New("the bench speaks http and ws only: measure the server without what does TLS in front of it")
	}
	host, port, err := net.SplitHostPort(u.Host)
	if err != nil {
		host, port = u.Host, "80"
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("the port of %s: %w", u.Host, err)
	}
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("the address of %s: %w", u.Host, err)
	}
	for _, a := range addresses {
		if a.Unmap().Is4() {
			return netip.AddrPortFrom(a.Unmap(), uint16(number)), nil
		}
	}
	return netip.AddrPortFrom(addresses[0], uint16(number)), nil
}

// await serves the sockets until done says so. Without progress for the time of patience it says what was waited for.
func (c *client) await(what string, done func() bool) error {
	err := c.loop.run(c.ctx, c.patience, done)
	if errors.Is(err, errStalled) {
		return fmt.Errorf("%s: nothing more came for %v", what, c.patience)
	}
	return err
}

// pass serves the sockets for some time.
func (c *client) pass(d time.Duration) error {
	return c.loop.runUntil(c.ctx, time.Since(c.loop.began)+d)
}
