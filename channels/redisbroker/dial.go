package redisbroker

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"hark/channels/sock"
)

// keepAlive is that of go-redis's own dialer.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 5 * time.Second, Count: 3}

// dialer returns a Dialer for o. go-redis leaves TLS to it.
func dialer(o redis.UniversalOptions) func(ctx context.Context, network, address string) (net.Conn, error) {
	plain := &net.Dialer{KeepAliveConfig: keepAlive}
	timeout, config := o.DialTimeout, o.TLSConfig
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		socket, err := plain.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		socket = sock.Wrap(socket)
		if config == nil {
			return &conn{socket, socket}, nil
		}
		secure := tls.Client(socket, configFor(config, address))
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = socket.Close() // a handshake that took too long has done it
			return nil, err
		}
		return &conn{secure, socket}, nil
	}
}

// configFor returns c with the name of the server that is at an address, if it says none.
func configFor(c *tls.Config, address string) *tls.Config {
	if c.ServerName != "" {
		return c
	}
	c = c.Clone()
	c.ServerName = address
	if host, _, err := net.SplitHostPort(address); err == nil {
		c.ServerName = host
	}
	return c
}

// A conn is a connection to Redis. go-redis looks at one that was idle before it uses it:
// Redis may have closed it.
type conn struct {
	net.Conn
	socket net.Conn // what is below
}

// SyscallConn implements syscall.Conn.
func (c *conn) SyscallConn() (syscall.RawConn, error) { return glance{c.socket}, nil }

// A glance is the look of go-redis at a connection. It is an error if something has come
// that nobody has asked for, or the end.
type glance struct{ socket net.Conn }

var (
	errNotSilent = errors.New("redisbroker: the connection was closed, or something has come on it that was not asked for")
	errNoFile    = errors.New("redisbroker: the connection has no file to show")
)

// Read implements syscall.RawConn. It does not call the function, which would make a
// system call of which the scheduler is told.
func (g glance) Read(func(fd uintptr) bool) error {
	if !sock.Silent(g.socket) {
		return errNotSilent
	}
	return nil
}

// Write implements syscall.RawConn.
func (glance) Write(func(fd uintptr) bool) error { return errNoFile }

// Control implements syscall.RawConn.
func (glance) Control(func(fd uintptr)) error { return errNoFile }
