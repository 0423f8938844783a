package persistent_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"hark/httpapi/persistent"
)

// A server whose triggers are answered here when their connection is kept, and which ends in order.
func ExampleKeep() {
	server := &http.Server{Handler: http.NotFoundHandler()}
	kept := persistent.Keep(server, func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/events") })
	// … server.Serve, until the program ends …
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := errors.Join(server.Shutdown(ctx), kept.Wait(ctx)); err != nil {
		server.Close()
	}
	// Output:
}
