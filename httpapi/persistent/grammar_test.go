package persistent_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// words are what requests are made of, right and wrong.
var words = []string{
	"POST /a/events HTTP/1.1\r\nHost: hark.test\r\n", "POST /unread/events HTTP/1.1\r\nHost: hark.test\r\n",
	"POST /none/events HTTP/1.1\r\nHost: hark.test\r\n", "GET / HTTP/1.1\r\nHost: hark.test\r\n",
	"HEAD /events HTTP/1.1\r\nHost: hark.test\r\n", "OPTIONS * HTTP/1.1\r\nHost: hark.test\r\n",
	"CONNECT hark.test:80 HTTP/1.1\r\nHost: hark.test\r\n", "post /a/events HTTP/1.1\r\nhost: hark.test\r\n",
	"POST http://hark.test/events HTTP/1.1\r\n", "POST /a/events HTTP/1.1\r\n", "POST /a/events HTTP/1.0\r\n",
	"PRI * HTTP/2.0\r\n", "POST /a/events\r\n", "POST  /a/events HTTP/1.1\r\n", "POST /a/events HTTP/1.1 \r\n",
	"POST /a/ev%ents HTTP/1.1\r\nHost: hark.test\r\n", "POST /a?x=;&%zz#/events HTTP/1.1\r\nHost: hark.test\r\n",
	"Host: hark.test\r\n", "Host: other\r\n", "HOST:hark.test\r\n", "Host : hark.test\r\n", "Host:\r\n",
	"Host: hark.test \t\r\n", "Host: \x80\r\n",
	"Content-Length: 0\r\n", "Content-Length: 3\r\n", "Content-Length: 5\r\n", "content-length: 3, 3\r\n",
	"Content-Length: +3\r\n", "Content-Length: 0x3\r\n", "Content-Length: 003\r\n", "Content-Length:\r\n",
	"Content-Length: 99999999999999999999\r\n", "Content-Length: 9223372036854775807\r\n", "Content-Length: 40\r\n",
	"Content-Length: 3\n", "Content-Length: 3 \r\n", "Content_Length: 7\r\n", "Content-Length : 7\r\n",
	"Transfer-Encoding: chunked\r\n", "Transfer-Encoding: identity\r\n", "Transfer-Encoding: gzip, chunked\r\n",
	"Transfer-Encoding:\x0bchunked\r\n", "Transfer-Encoding: \r\n", "TE: trailers\r\n", "Trailer: X\r\n",
	"Connection: close\r\n", "Connection: keep-alive\r\n", "Connection: keep-alive, close\r\n", "Connection: X-A\r\n",
	"Connection: upgrade\r\nUpgrade: websocket\r\n", "Connection:\r\n", "Upgrade: h2c\r\n", "Keep-Alive: 5\r\n",
	"Expect: 100-continue\r\n", "Expect:\r\n",
	"X-A: b\r\n", "X-A: b\r\n c\r\n", " X-A: b\r\n", ": b\r\n", "X\r\n", "X-\x00: b\r\n", "X-A: \x7f\r\n", "X-A: \t\xff\r\n",
	"X-A: a\rb\r\n", "X-A: " + strings.Repeat("y", 500) + "\r\n",
	"\r\n", "\n", "\r", "\r\n\n", " ", "\x00", "ab", "abc", "abcde",
	"0\r\n\r\n", "3\r\nabc\r\n0\r\n\r\n", "1;x\r\na\r\n0\r\nX: y\r\n\r\n",
	post("/a/events", "abc"), post("/a/events", ""), post("/unread/events", "xyz"), post("/other", "ab"),
	post("/close/events", "x"), post("/abort/events", "x"), post("/json/events", "abc", "X-A: b"), other,
}

// FuzzWords is FuzzSame with what follows made of words, one for each byte.
func FuzzWords(f *testing.F) {
	for i := range words {
		f.Add([]byte{0, byte(i), 25, 66, 73, 75})
	}
	plain, kept := listen(f), listen(f)
	start(f, plain, false)
	start(f, kept, true)
	f.Fuzz(func(t *testing.T, choice []byte) {
		var then strings.Builder
		for _, b := range choice {
			then.WriteString(words[int(b)%len(words)])
		}
		if then.Len() > 2000 {
			return // as in FuzzSame
		}
		all := first + post(path, "{2}") + then.String()
		want := talk(t, plain.Addr().String(), all)
		got := talk(t, kept.Addr().String(), all)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("answers to %q differ from net/http's (-want +got):\n%s", then.String(), diff)
		}
	})
}
