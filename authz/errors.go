package authz

import "errors"

var (
	// ErrUnauthenticated: credentials came along, and they are wrong or have expired. That is no guest. The auth endpoint
	// answers 401, a connection is closed with 4009.
	ErrUnauthenticated = errors.New("authz: unauthenticated")
	// ErrDenied: the answer is no. The auth endpoint answers 403, in the same words whether the channel exists or not.
	ErrDenied = errors.New("authz: denied")
	// ErrUnavailable: the question could not be answered; ask again. It is never yes, and never a guest. The auth
	// endpoint answers 503.
	ErrUnavailable = errors.New("authz: could not be asked, try again")
)
