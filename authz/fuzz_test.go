package authz_test

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"hark/authz"
	"hark/protocol"
)

// FuzzRESTString reads any query as a server does. Whatever can be read has one string to sign: it does not depend on
// the order of the parameters or the case of their keys, and who signs it is let in, who signs another string is not.
func FuzzRESTString(f *testing.F) {
	for _, v := range readVectors(f) {
		if v.Kind == "rest" {
			f.Add(v.Method, v.Path, v.Text[strings.LastIndexByte(v.Text, '\n')+1:], v.Body)
		}
	}
	for _, q := range []string{
		"", "&", "=", "=v", "[]=a&[]=b", "a[]=2&a[]=1&A[]=3", "k&k=", "a;b=c;d", "a=%zz", "%", "a=%FF&%C3=1", "x=%0A%00",
		common, common + "&auth_signature=x", "AUTH_KEY=new-key", "auth_timestamp=99999999999999999999", "\u212a=1&k=2", "İ=1",
	} {
		f.Add("GET", "/apps/1/channels", q, "")
	}
	f.Fuzz(func(t *testing.T, method, path, query, body string) {
		params, err := authz.ParseQuery(query)
		if err != nil {
			if e, ok := errors.AsType[*protocol.RESTError](err); !ok || e.Status != 401 {
				t.Fatalf("ParseQuery(%q) = %v, want a 401", query, err)
			}
			return
		}
		text := authz.RESTString(method, path, params)
		checkRESTString(t, text, method, path, params)

		other := slices.Clone(params)
		for i := range other {
			other[i].Key = upper(other[i].Key)
		}
		slices.SortStableFunc(other, func(a, b authz.Param) int { return strings.Compare(b.Key, a.Key) })
		if got := authz.RESTString(method, path, other); got != text {
			t.Fatalf("RESTString depends on the order or the case of its parameters: %q and %q", text, got)
		}
		checkRoundTrip(t, params)

		// The parameters that sign are ours; everything else is the fuzzer's.
		rest := url.Values{}
		for _, p := range params {
			rest.Add(p.Key, p.Value)
		}
		signed := authz.SignREST(twoKeys[0], method, path, rest, []byte(body), now)
		r := authz.RESTRequest{Method: method, Path: path, RawQuery: signed.Encode(), Body: []byte(body)}
		if _, err := both.VerifyREST(r, now); err != nil {
			t.Fatalf("VerifyREST of what SignREST signed (%+v): %v", r, err)
		}
		r.Path += "x"
		if _, err := both.VerifyREST(r, now); err == nil {
			t.Fatalf("VerifyREST(%+v) = nil for another path", r)
		}
		r.Path, r.RawQuery = path, query
		if _, err := both.VerifyREST(r, now); err == nil {
			t.Fatalf("VerifyREST(%+v) = nil though nobody signed it", r)
		} else if e, ok := errors.AsType[*protocol.RESTError](err); !ok || e.Status != 401 {
			t.Fatalf("VerifyREST(%+v) = %v, want a 401", r, err)
		} else if utf8.ValidString(path) && utf8.ValidString(method) && !utf8.ValidString(e.Text) {
			t.Fatalf("VerifyREST(%+v): the text is not UTF-8: %q", r, e.Text)
		}
	})
}

// checkRESTString builds the string in the plainest way there is.
func checkRESTString(t *testing.T, text, method, path string, params authz.Params) {
	t.Helper()
	var pairs []string
	for _, p := range params {
		if p.Key != "auth_signature" {
			pairs = append(pairs, p.Key+"="+p.Value)
		}
	}
	if want := strings.ToUpper(method) + "\n" + path + "\n" + strings.Join(pairs, "&"); text != want {
		t.Fatalf("RESTString(%q, %q, %v) = %q, want %q", method, path, params, text, want)
	}
}

// checkRoundTrip encodes the parameters and reads them back.
func checkRoundTrip(t *testing.T, params authz.Params) {
	t.Helper()
	var pairs []string
	for _, p := range params {
		pairs = append(pairs, url.QueryEscape(p.Key)+"="+url.QueryEscape(p.Value))
	}
	again, err := authz.ParseQuery(strings.Join(pairs, "&"))
	if err != nil || !slices.Equal(again, params) {
		t.Fatalf("ParseQuery of %v gives %v, %v", params, again, err)
	}
}

// upper makes ASCII letters upper case; of others not all come back.
func upper(key string) string {
	b := []byte(key)
	for i, c := range b {
		if 'a' <= c && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}

// FuzzVerifyChannel asks with any auth: only the one signature of the one string opens the channel.
func FuzzVerifyChannel(f *testing.F) {
	for _, v := range readVectors(f) {
		if v.Kind == "channel" {
			parts := strings.SplitN(v.Text+"::", ":", 3)
			f.Add(parts[0], parts[1], strings.TrimSuffix(parts[2], "::"), strings.Count(v.Text, ":") > 1, "new-key:"+v.Hex)
		}
	}
	for _, auth := range []string{"", ":", "::", "new-key", "new-key:", "old-key:x", ":x", "new-key:\x00", "\xff:\xff"} {
		f.Add("1.1", "private-x", "", false, auth)
	}
	f.Add("1.1", ":user:{}", "", false, "new-key:x")
	f.Fuzz(func(t *testing.T, id, channel, data string, has bool, auth string) {
		s := protocol.Subscribe{Channel: channel, Auth: auth, ChannelData: data, HasChannelData: has}
		text := authz.ChannelString(protocol.SocketID(id), channel, data, has)
		err := both.VerifyChannel(protocol.SocketID(id), s)
		mine := auth == "old-key:"+hmacHex("old-secret", text) || auth == "new-key:"+hmacHex("new-secret", text)
		if err == nil && !mine {
			t.Fatalf("VerifyChannel(%q, %+v) = nil", id, s)
		}
		if r, ok := errors.AsType[*protocol.Rejection](err); err != nil && (!ok || r.Channel != channel) {
			t.Fatalf("VerifyChannel(%q, %+v) = %v, want a *protocol.Rejection with its channel", id, s, err)
		}

		s.Auth = twoKeys[1].ChannelAuth(protocol.SocketID(id), channel, data, has)
		if s.Auth == "" {
			return // not a socket id, or not a channel's name
		}
		if strings.Contains(id+channel, ":") {
			t.Fatalf("ChannelAuth(%q, %q) signs a colon", id, channel)
		}
		if err := both.VerifyChannel(protocol.SocketID(id), s); err != nil {
			t.Fatalf("VerifyChannel of what ChannelAuth signed (%q, %+v): %v", id, s, err)
		}
	})
}
