package redistest

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// doTimeout bounds one command, whatever the load of the machine.
const doTimeout = patience

// Do sends one command over a connection of its own, past every proxy, and returns
// the answer: an array's elements a line each, "" for nil. An error of Redis's is an
// error. It may be called concurrently.
func (s *Server) Do(args ...string) (string, error) {
	conn, err := s.dial()
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(doTimeout)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, command(args)); err != nil {
		return "", err
	}
	answer, err := readAnswer(bufio.NewReader(conn))
	if err != nil {
		return "", fmt.Errorf("%s: %w", args[0], err)
	}
	return answer, nil
}

// dial connects, as a client of the server's kind.
func (s *Server) dial() (net.Conn, error) {
	dialer := &net.Dialer{Timeout: doTimeout}
	if s.opts.TLS != nil {
		return tls.DialWithDialer(dialer, "tcp", s.Addr(), s.opts.TLS.Client())
	}
	return dialer.Dial("tcp", s.Addr())
}

// must is Do of what has to be done.
func (s *Server) must(args ...string) string {
	s.t.Helper()
	answer, err := s.Do(args...)
	if err != nil {
		s.t.Fatalf("%s: %v: %v", s.Addr(), args, err)
	}
	return answer
}

// command encodes a command as Redis reads it.
func command(args []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, arg := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(arg), arg)
	}
	return b.String()
}

// readAnswer reads one answer in the protocol of Redis, version 2.
func readAnswer(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	kind, rest := line[0], strings.TrimRight(line[1:], "\r\n")
	switch kind {
	case '+', ':':
		return rest, nil
	case '-':
		return "", errors.New(rest)
	}
	n, err := strconv.Atoi(rest)
	if err != nil {
		return "", fmt.Errorf("an answer that begins with %q", line)
	}
	switch {
	case n < 0:
		return "", nil
	case kind == '$':
		text := make([]byte, n+len("\r\n"))
		_, err := io.ReadFull(r, text)
		return string(text[:n]), err
	}
	elements := make([]string, n)
	for i := range elements {
		if elements[i], err = readAnswer(r); err != nil {
			return "", err
		}
	}
	return strings.Join(elements, "\n"), nil
}
