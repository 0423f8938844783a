package callback

import (
	"net"
	"net/http"
	"slices"
	"strings"
)

// A forwarded is what an application sees of a client's request.
type forwarded struct {
	header http.Header
	seen   digest // of all of it but the trace: what the application may answer by
	known  bool   // there are credentials among it
}

// forward picks from a client's request what the application may see. Where there is no request, that is nothing.
func (c *Client) forward(r *http.Request) forwarded {
	f := forwarded{header: http.Header{}}
	if r == nil {
		return f
	}
	for _, name := range c.config.Headers {
		if name == "Cookie" && slices.Contains(c.config.Headers, "Authorization") && given(r, "Authorization") {
			continue
		}
		if given(r, name) {
			f.header[name] = slices.Clone(r.Header[name]) // a question may outlive the request
		}
	}
	f.known = f.header["Authorization"] != nil || f.header["Cookie"] != nil
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil && f.header["X-Forwarded-For"] == nil {
		f.header["X-Forwarded-For"] = []string{host}
	}
	f.seen = digestHeader(f.header)
	if trace := r.Header["Traceparent"]; trace != nil {
		f.header["Traceparent"] = slices.Clone(trace)
	}
	return f
}

// given reports whether a request has a header that is not empty.
func given(r *http.Request, name string) bool {
	return slices.ContainsFunc(r.Header[name], func(s string) bool { return strings.TrimSpace(s) != "" })
}
