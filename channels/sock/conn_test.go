package sock_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"hark/channels/sock"
)

// pair returns the two ends of a connection, the first of them wrapped.
func pair(network, address string) (wrapped, other net.Conn, err error) {
	listener, err := net.Listen(network, address)
	if err != nil {
		return nil, nil, err
	}
	defer listener.Close()
	if other, err = net.Dial(network, listener.Addr().String()); err != nil {
		return nil, nil, err
	}
	accepted, err := listener.Accept()
	if err != nil {
		return nil, nil, errors.Join(err, other.Close())
	}
	return sock.Wrap(accepted), other, nil
}

func TestConn(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) {
				address := "127.0.0.1:0"
				if network == "unix" {
					address = filepath.Join(t.TempDir(), "s")
				}
				wrapped, other, err := pair(network, address)
				return wrapped, sock.Wrap(other), func() { wrapped.Close(); other.Close() }, err
			})
		})
	}
}

func TestWrapLeavesOthers(t *testing.T) {
	c, other := net.Pipe()
	defer c.Close()
	defer other.Close()
	if got := sock.Wrap(c); got != c {
		t.Errorf("Wrap(%T) = %T, want it as it was", c, got)
	}
}

// TestErrors holds errors against those of a connection that is not wrapped.
func TestErrors(t *testing.T) {
	c, other, err := pair("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	_, err = c.Read(make([]byte, 1))
	if late, ok := errors.AsType[*net.OpError](err); !errors.Is(err, os.ErrDeadlineExceeded) || !ok || late.Op != "read" {
		t.Errorf("after its deadline Read has the error %v, want a *net.OpError of reading with %v", err, os.ErrDeadlineExceeded)
	}
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if err := other.(*net.TCPConn).SetLinger(0); err != nil { // end with a reset
		t.Fatal(err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = c.Read(make([]byte, 1))
	failed, ok := errors.AsType[*net.OpError](err)
	if !errors.Is(err, syscall.ECONNRESET) || !ok || failed.Op != "read" || failed.Addr == nil {
		t.Errorf("after a reset Read has the error %v, want a *net.OpError of reading with %v", err, syscall.ECONNRESET)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = c.Write([]byte("x"))
	if closed, ok := errors.AsType[*net.OpError](err); !errors.Is(err, net.ErrClosed) || !ok || closed.Op != "write" {
		t.Errorf("once closed Write has the error %v, want a *net.OpError of writing with %v", err, net.ErrClosed)
	}
}

// TestMuch sends more than the kernel takes at once.
func TestMuch(t *testing.T) {
	c, other, err := pair("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	defer other.Close()
	const size = 16 << 20
	sent := make(chan error, 1)
	go func() {
		n, err := c.Write(make([]byte, size))
		if n != size && err == nil {
			err = errors.New("Write has not written all")
		}
		sent <- err
	}()
	buf := make([]byte, 1<<20)
	for got := 0; got < size; {
		n, err := other.Read(buf)
		if err != nil {
			t.Fatalf("after %d bytes: %v", got, err)
		}
		got += n
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

// TestSilent looks at a connection without taking anything from it.
func TestSilent(t *testing.T) {
	c, other, err := pair("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	expect := func(when string, want bool) {
		t.Helper()
		if got := sock.Silent(c); got != want {
			t.Errorf("%s Silent = %v, want %v", when, got, want)
		}
	}
	expect("before anything has come", true)
	if _, err := other.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	expect("with a byte to read", false)
	if n, err := c.Read(make([]byte, 2)); n != 1 || err != nil {
		t.Fatalf("after Silent Read = %d, %v, want the byte", n, err)
	}
	expect("when that has been read", true)
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	expect("closed at the other end", false)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	expect("closed", false)
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if !sock.Silent(a) {
		t.Error("of what Wrap leaves as it is Silent = false, want true: nothing is known of it")
	}
}
