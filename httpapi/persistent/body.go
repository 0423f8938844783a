package persistent

import (
	"bufio"
	"io"
	"net/http"
	"sync"
)

// A body is that of a request. Handlers may go on reading when they have returned, as
// those below http.TimeoutHandler do: they get nothing then of what follows.
type body struct {
	in *bufio.Reader // static

	mu sync.Mutex
	// Guarded by mu.
	left   int64 // what has not been read
	closed bool
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	if b.left == 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.in.Read(p)
	b.left -= int64(n)
	switch {
	case err == io.EOF && b.left > 0:
		err = io.ErrUnexpectedEOF
	case err == nil && b.left == 0:
		err = io.EOF
	}
	return n, err
}

// Close implements io.Closer. It waits for a Read that is under way.
func (b *body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return nil
}

// skip reads what the handler has left, unless it is too much. The body must be closed:
// nobody else reads it.
func (b *body) skip() bool {
	if b.left > 0 && b.left <= unreadSize {
		n, _ := b.in.Discard(int(b.left))
		b.left -= int64(n)
	}
	return b.left == 0
}
