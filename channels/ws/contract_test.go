package ws_test

import (
	"crypto/tls"
	"net"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"hark/channels"
	"hark/channels/conntest"
	"hark/channels/ws"
)

// TestContractTCP: with the two modes that differ most.
func TestContractTCP(t *testing.T) {
	for _, mode := range []mode{modes[0], modes[2]} {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			conntest.Run(t, func(t *testing.T) (channels.Conn, conntest.Peer) {
				s := serveTCP(t)
				s.ParkAfter = mode.parkAfter
				return patient(s.connect())
			})
		})
	}
}

// TestContractUnix: behind a proxy on the same machine.
func TestContractUnix(t *testing.T) {
	t.Parallel()
	conntest.Run(t, func(t *testing.T) (channels.Conn, conntest.Peer) {
		path := filepath.Join(t.TempDir(), "hark.sock")
		ln, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		return patient(newServer(t, ln, func() net.Conn {
			conn, err := net.Dial("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			return conn
		}).connect())
	})
}

// TestContractTLS: TLS has no non-blocking write, and one that was interrupted
// is of no use any more.
func TestContractTLS(t *testing.T) {
	t.Parallel()
	certified := httptest.NewTLSServer(nil)
	certified.Close()
	conntest.Run(t, func(t *testing.T) (channels.Conn, conntest.Peer) {
		ln, dial := listenTCP(t)
		s := newServer(t, tls.NewListener(ln, certified.TLS), func() net.Conn {
			return tls.Client(dial(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
		})
		return patient(s.connect())
	})
}

// patient has a connection wait for its end as long as that takes.
func patient(k *socket, c *client) (channels.Conn, conntest.Peer) {
	ws.Patient(k.Conn)
	return k.Conn, c
}

func TestContractPipe(t *testing.T) {
	t.Parallel()
	conntest.RunInBubbles(t, func(t *testing.T) (channels.Conn, conntest.Peer) {
		k, c := servePipe(t).connect()
		return k.Conn, c
	})
}
