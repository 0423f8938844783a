package persistent

import (
	"context"
	"net"
)

// Once returns the listener by which a server is given c back.
func Once(c net.Conn) net.Listener { return newOnce(context.Background(), c) }
