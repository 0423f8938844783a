package persistent

import "net"

// Once returns the listener by which a server is given c back.
func Once(c net.Conn) net.Listener {
	o := make(once, 1)
	o <- c
	return o
}
