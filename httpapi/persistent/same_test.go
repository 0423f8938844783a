package persistent_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hark/httpapi/persistent"
)

// A host is a server that echoes.
type host struct {
	server *http.Server
	kept   *persistent.Connections // nil: everything is net/http's
	taken  atomic.Int64            // requests that were not net/http's
	ended  chan error
}

func start(t testing.TB, listener net.Listener, keep bool) *host {
	h := &host{ended: make(chan error, 1)}
	h.server = &http.Server{Handler: http.HandlerFunc(h.echo), ErrorLog: log.New(io.Discard, "", 0)}
	if keep {
		h.kept = persistent.Keep(h.server, func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/events") })
	}
	go func() { h.ended <- h.server.Serve(listener) }()
	t.Cleanup(func() {
		if err := h.server.Shutdown(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
		h.server.Close()
		<-h.ended
	})
	return h
}

func listen(t testing.TB) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// echo answers what it was asked, as the path says.
func (h *host) echo(w http.ResponseWriter, r *http.Request) {
	if _, ok := w.(http.Flusher); !ok {
		h.taken.Add(1)
	}
	if strings.Contains(r.URL.Path, "/unread/") {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	body, err := io.ReadAll(r.Body)
	switch {
	case strings.Contains(r.URL.Path, "/abort/"):
		panic(http.ErrAbortHandler)
	case strings.Contains(r.URL.Path, "/none/"):
		w.WriteHeader(http.StatusNoContent)
		if _, err := w.Write([]byte("x")); !errors.Is(err, http.ErrBodyNotAllowed) {
			panic(fmt.Sprintf("Write has the error %v", err))
		}
		return
	case strings.Contains(r.URL.Path, "/close/"):
		w.Header().Set("Connection", "close")
	case strings.Contains(r.URL.Path, "/upgrade/"):
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "websocket")
		w.WriteHeader(http.StatusUpgradeRequired)
	case strings.Contains(r.URL.Path, "/json/"):
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		w.WriteHeader(http.StatusAccepted) // too late
		w.Header().Set("X-Late", "1")
	}
	fmt.Fprintf(w, "%s %s %s %d %q %v\n", r.Method, r.Host, r.RequestURI, r.ContentLength, body, err)
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		fmt.Fprintf(w, "%s: %q\n", name, r.Header[name])
	}
}

// talk sends pieces, each in one write, and returns what is answered until the server
// ends the connection: but for what may differ, dates and how answers are cut.
func talk(t testing.TB, address string, pieces ...string) []string {
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	answers := make(chan []string, 1)
	go func() { answers <- read(c) }()
	for _, piece := range pieces {
		if _, err := io.WriteString(c, piece); err != nil {
			return <-answers // the server has ended the connection
		}
	}
	_ = c.(*net.TCPConn).CloseWrite() // as above
	return <-answers
}

func read(c net.Conn) (answers []string) {
	in := bufio.NewReader(c)
	connection := "" // of the answer before: what the last one says of it may differ, when the client has gone
	for {
		r, err := http.ReadResponse(in, nil)
		if err != nil {
			return answers
		}
		if len(answers) > 0 {
			answers[len(answers)-1] += connection
		}
		connection = fmt.Sprint(r.Header["Connection"])
		r.Header.Del("Connection")
		body, err := io.ReadAll(r.Body)
		date := r.Header.Get("Date")
		r.Header.Del("Date")
		r.Header.Del("Content-Length")
		answers = append(answers, fmt.Sprintf("%s, date %t, %v, %v\n%s", r.Status, date != "", r.Header, err, body))
	}
}

// post is a request as backends send them.
func post(path, body string, headers ...string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: hark.test\r\nContent-Length: %d\r\n%s\r\n%s",
		path, len(body), strings.Join(append(headers, ""), "\r\n"), body)
}

const path = "/apps/1/events?auth_key=k"

var first = post(path, "{1}")

var conversations = []struct {
	name   string
	pieces []string
	taken  int // requests that are not net/http's
}{
	{"one", []string{first}, 0},
	{"three", []string{first, post(path, "{2}"), post(path, "{3}", "X-A: b", "x-a: c")}, 2},
	{"three at once", []string{first + post(path, "{2}") + post(path, "{3}")}, 2},
	{"in small pieces", strings.SplitAfter(first+post(path, "{2}")+post(path, "{3}"), ""), -1},
	{"without a body", []string{first + post(path, "") + post(path, "")}, 2},
	{"a body of several reads", []string{first + post(path, strings.Repeat("x", 100_000)) + post(path, "")}, 2},
	{"keep-alive", []string{first + post(path, "", "Connection: keep-alive") + post(path, "", "Connection: Keep-Alive")}, 2},
	{"close", []string{first + post(path, "") + post(path, "", "Connection: close")}, 1},
	{"close at once", []string{first + post(path, "", "Connection: close")}, 0},
	{"something else between", []string{first, post(path, ""), "GET /health HTTP/1.1\r\nHost: hark.test\r\n\r\n", first, post(path, ""), post(path, "")}, -1},
	{"another path", []string{first + post(path, "") + post("/other", "{2}") + post("/other", "{3}")}, 1},
	{"HTTP/1.0", []string{first + post(path, "") + "POST /a/events HTTP/1.0\r\nHost: hark.test\r\nContent-Length: 1\r\n\r\nx"}, 1},
	{"chunks", []string{first + post(path, "") + "POST /a/events HTTP/1.1\r\nHost: hark.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n" + first}, 1},
	{"100-continue", []string{first + post(path, "") + post(path, "{2}", "Expect: 100-continue")}, 1},
	{"another expectation", []string{first + post(path, "") + post(path, "{2}", "Expect: more")}, 1},
	{"no host", []string{first + post(path, "") + "POST /a/events HTTP/1.1\r\nContent-Length: 0\r\n\r\n"}, 1},
	{"two hosts", []string{first + post(path, "") + post(path, "", "Host: hark.test")}, 1},
	{"another host", []string{first + post(path, "") + strings.Replace(first, "hark.test", "other.test", 1)}, 1},
	{"a host that is none", []string{first + post(path, "") + strings.Replace(first, "hark.test", "a b", 1)}, 1},
	{"an absolute path", []string{first + post(path, "") + post("http://hark.test/a/events", "")}, 1},
	{"an absolute path and a host that is none", []string{first + post(path, "") + strings.Replace(post("http://hark.test/a/events", ""), "Host: hark.test", "Host: a b", 1)}, 1},
	{"lines that end without CR", []string{first + post(path, "") + strings.ReplaceAll(post(path, "x"), "\r", "") + first}, -1},
	{"some of them", []string{first + post(path, "") + strings.Replace(post(path, "x"), "\r", "", 1)}, 2},
	{"a folded line", []string{first + post(path, "") + post(path, "", "X-A: b", " c")}, 2},
	{"a control character", []string{first + post(path, "") + post(path, "", "X-A: \x01")}, 1},
	{"a name that is none", []string{first + post(path, "") + post(path, "", "X A: b")}, 1},
	{"two lengths", []string{first + post(path, "") + post(path, "abc", "Content-Length: 2")}, 1},
	{"a length twice", []string{first + post(path, "") + post(path, "abc", "Content-Length: 3")}, 2},
	{"a length that is none", []string{first + post(path, "") + post(path, "abc", "Content-Length: -3")}, 1},
	{"a length and chunks", []string{first + post(path, "") + post(path, "0\r\n\r\n", "Transfer-Encoding: chunked")}, 1},
	{"a method that is none", []string{first + post(path, "") + strings.Replace(first, "POST", "PO ST", 1)}, 1},
	{"lines behind a body", []string{first + post(path, "x") + "\r\n" + post(path, "y") + "\n\r\n" + first}, 3},
	{"half a body, and an upgrade", []string{first + strings.TrimSuffix(post("/upgrade/events", "abc"), "c")}, 1},
	{"rubbish", []string{first + post(path, "") + "\x16\x03\x01\x02\x00\x01\r\n\r\n"}, 1},
	{"a long head", []string{first + post(path, "") + post(path, "", "X-A: "+strings.Repeat("b", 10_000)) + first}, 2},
	{"half a head", []string{first + post(path, "") + "POST /a/ev"}, 1},
	{"half a body", []string{first + post(path, "") + strings.TrimSuffix(post(path, "abc"), "c")}, 2},
	{"not read", []string{first + post("/unread/events", "abc") + first}, 2},
	{"not read, and much", []string{first + post("/unread/events", strings.Repeat("x", 200_000)) + first}, 2},
	{"not read, and too much", []string{first, post("/unread/events", strings.Repeat("x", 2_000_000)), first}, 1},
	{"an answer without a body", []string{first + post("/none/events", "abc") + first}, 2},
	{"an answer that closes", []string{first + post("/close/events", "abc")}, 1},
	{"an answer that names a connection option", []string{first + post("/upgrade/events", "abc") + first}, 2},
	{"an answer with a type and a status", []string{first + post("/json/events", "abc") + first}, 2},
	{"no answer", []string{first + post("/abort/events", "abc") + first}, 1},
}

// TestSame holds what is answered here against what net/http answers.
func TestSame(t *testing.T) {
	for _, c := range conversations {
		t.Run(c.name, func(t *testing.T) {
			plain, kept := listen(t), listen(t)
			start(t, plain, false)
			h := start(t, kept, true)
			want := talk(t, plain.Addr().String(), c.pieces...)
			got := talk(t, kept.Addr().String(), c.pieces...)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("answers differ from net/http's (-want +got):\n%s", diff)
			}
			if n := int(h.taken.Load()); c.taken >= 0 && n != c.taken {
				t.Errorf("%d requests were served here, want %d", n, c.taken)
			}
		})
	}
}

// FuzzSame has a connection taken over, and holds what is answered to anything that
// follows against what net/http answers.
func FuzzSame(f *testing.F) {
	for _, c := range conversations {
		if all := strings.TrimPrefix(strings.Join(c.pieces, ""), first); len(all) < 1000 {
			f.Add(all)
		}
	}
	plain, kept := listen(f), listen(f)
	start(f, plain, false)
	start(f, kept, true)
	f.Fuzz(func(t *testing.T, then string) {
		if len(then) > 2000 {
			return // more than a server reads at once: it may end with a reset, which loses answers
		}
		all := first + post(path, "{2}") + then
		want := talk(t, plain.Addr().String(), all)
		got := talk(t, kept.Addr().String(), all)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("answers to %q differ from net/http's (-want +got):\n%s", then, diff)
		}
	})
}
