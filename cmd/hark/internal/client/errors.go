package client

import (
	"fmt"
	"net/http"

	"hark/protocol"
)

// A ConnectError says that there was no server to talk to.
type ConnectError struct {
	Address string
	Err     error
}

// Error names the address.
func (e *ConnectError) Error() string {
	return fmt.Sprintf("cannot connect to %s: %v", e.Address, e.Err)
}

// Unwrap returns the cause.
func (e *ConnectError) Unwrap() error { return e.Err }

// A ServerError is a no from the server.
type ServerError struct {
	Status int                // of HTTP, or of a refused subscription; 0: none was given
	Code   protocol.CloseCode // of a websocket; 0: none was given
	Text   string             // the server's words
}

// Error returns the server's words, and the number that came with them.
func (e *ServerError) Error() string {
	switch {
	case e.Code != 0:
		return fmt.Sprintf("the server says: %d %s", e.Code, e.Text)
	case e.Status != 0:
		return fmt.Sprintf("the server says: %d %s", e.Status, e.Text)
	}
	return "the server says: " + e.Text
}

// Unauthorized reports whether it was about who asks: the app, the key or the signature.
func (e *ServerError) Unauthorized() bool {
	switch e.Code {
	case protocol.CloseUnknownApp, protocol.CloseAppDisabled, protocol.CloseUnauthorized:
		return true
	}
	return e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden
}
