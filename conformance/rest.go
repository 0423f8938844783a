package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A request is one of the backend's.
type request struct {
	method string
	path   string // below the app, or from /apps/ on, with a query
	body   string
	signed bool
	// appless leaves a path alone that is not below an app.
	appless bool
	key     *Key // nil: the first of the first app
}

// An httpAnswer is what came back.
type httpAnswer struct {
	status int
	header http.Header
	body   string
}

func (a *httpAnswer) String() string { return fmt.Sprintf("%d %s", a.status, a.body) }

// request sends a request as a transcript has it, and keeps the answer.
func (p *player) request(r request, below []string) error {
	var err error
	if r.path, err = p.expand(r.path); err != nil {
		return err
	}
	if r.body, err = p.expand(r.body); err != nil {
		return err
	}
	if slices.ContainsFunc(below, isTime) {
		// The server is to see it in the second that it was made for.
		if err := p.wait(time.Until(time.Now().Truncate(time.Second).Add(time.Second))); err != nil {
			return err
		}
	}
	p.settle() // what clients did before it has happened
	ask := func() error {
		var err error
		p.answer, err = p.do(r, below)
		return err
	}
	p.again = nil
	if p.target.Lags && r.method == http.MethodGet {
		p.again = ask
	}
	return ask()
}

// isTime reports whether a line below a request is a time by the clock.
func isTime(line string) bool {
	_, value, err := parameter(line)
	return err == nil && strings.HasPrefix(value, "now")
}

// do sends a request. below are lines that change its parameters, or are headers
// of one that is not signed.
func (p *player) do(r request, below []string) (*httpAnswer, error) {
	path, query, _ := strings.Cut(r.path, "?")
	if !r.appless && !strings.HasPrefix(path, "/apps/") {
		path = "/apps/" + p.config.Apps[0].ID + path
	}
	if r.signed {
		signature, body, err := p.signature(r, path, query, below)
		if err != nil {
			return nil, err
		}
		r.body = body
		if query != "" && signature != "" {
			query += "&"
		}
		query += signature
	}
	u := strings.TrimSuffix(p.target.URL, "/") + path
	if query != "" {
		u += "?" + query
	}
	ctx, cancel := context.WithTimeout(p.ctx, p.target.patience())
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, r.method, u, strings.NewReader(r.body))
	if err != nil {
		return nil, p.wrong(err)
	}
	if r.body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if !r.signed {
		if err := p.setHeaders(request, below); err != nil {
			return nil, err
		}
	}
	answer, err := p.http.Do(request)
	if err != nil {
		return nil, p.fail("an answer", err.Error())
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusSwitchingProtocols {
		return &httpAnswer{answer.StatusCode, answer.Header, ""}, nil // what follows is no body
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, p.fail("an answer", err.Error())
	}
	return &httpAnswer{answer.StatusCode, answer.Header, string(body)}, nil
}

// setHeaders sets the headers that stand below a request.
func (p *player) setHeaders(r *http.Request, below []string) error {
	for _, line := range below {
		name, value, err := parameter(line)
		if err != nil {
			return p.wrong(err)
		}
		if value, err = p.expand(value); err != nil {
			return err
		}
		r.Header.Set(name, value)
	}
	return nil
}

// signature returns the part of the query that signs a request, and its body.
func (p *player) signature(r request, path, query string, below []string) (signature, body string, err error) {
	own, err := parseQuery(query)
	if err != nil {
		return "", "", p.wrong(err)
	}
	key := p.config.Apps[0].Keys[0]
	if r.key != nil {
		key = *r.key
	}
	changes, body := map[string]string{}, r.body
	for _, line := range below {
		name, value, err := parameter(line)
		if err != nil {
			return "", "", p.wrong(err)
		}
		if name == "body" {
			body = value
			continue
		}
		if changes[name], err = p.expand(value); err != nil {
			return "", "", err
		}
	}
	auth := []param{
		{"auth_key", key.Key},
		{"auth_timestamp", strconv.FormatInt(time.Now().Unix(), 10)},
		{"auth_version", "1.0"},
	}
	if body != "" {
		auth = append(auth, param{"body_md5", md5Hex(body)})
	}
	if name, changed := changes["auth_key"]; changed {
		key = p.secretOf(name, key)
	}
	auth = change(auth, changes)
	signedPath := path
	if other, changed := changes["signed-path"]; changed {
		signedPath = other
	}
	auth = append(auth, param{"auth_signature", key.signREST(r.method, signedPath, append(own, auth...))})
	return encodeQuery(change(auth, changes)), body, nil
}

// secretOf returns the key of that name with its secret, or with that of other.
func (p *player) secretOf(name string, other Key) Key {
	for _, app := range p.config.Apps {
		for _, k := range app.Keys {
			if k.Key == name {
				return k
			}
		}
	}
	return Key{Key: name, Secret: other.Secret}
}

// change replaces values of auth parameters; "-" removes one, "capitals" spells
// it in capital letters.
func change(params []param, changes map[string]string) []param {
	params = slices.Clone(params)
	for name, value := range changes {
		i := slices.IndexFunc(params, func(p param) bool { return p.name == name })
		switch offset, isTime := strings.CutPrefix(value, "now"); {
		case value == "-":
			if i >= 0 {
				params = slices.Delete(params, i, i+1)
			}
			continue
		case value == "capitals" && i >= 0:
			value = strings.ToUpper(params[i].value)
		case isTime:
			d, err := time.ParseDuration(offset)
			if err == nil {
				value = strconv.FormatInt(time.Now().Add(d).Unix(), 10)
			}
		}
		if i >= 0 {
			params[i].value = value
		} else if name == "body_md5" {
			params = append(params, param{name, value})
		}
	}
	return params
}

// answered compares the answer to the last request, which is sent again where the
// server may be behind.
func (p *player) answered(codes []int, body string, below []string) error {
	body, err := p.expand(body)
	if err != nil {
		return err
	}
	late := time.Now().Add(p.target.patience())
	for {
		err := p.compare(codes, body, below)
		if err == nil || p.again == nil || time.Now().After(late) {
			return err
		}
		if err := errors.Join(p.wait(10*time.Millisecond), p.again()); err != nil {
			return err
		}
	}
}

// compare compares the answer that there is.
func (p *player) compare(codes []int, body string, below []string) error {
	got := p.answer
	want := strings.TrimSpace(fmt.Sprintf("%d %s", codes, body))
	if !slices.Contains(codes, got.status) {
		return p.fail(want, got.String())
	}
	for _, line := range below {
		name, value, err := parameter(line)
		if err != nil {
			return p.wrong(err)
		}
		if text := got.header.Get(name); !matchText(value, text) {
			return p.fail(line, name+": "+text)
		}
	}
	switch {
	case body == "":
		return nil
	case !isJSON(body):
		if !matchText(body, strings.TrimSuffix(got.body, "\n")) {
			return p.fail(want, got.String())
		}
		return nil
	}
	wanted, err := parseJSON(body)
	if err != nil {
		return p.wrong(fmt.Errorf("what is expected is no JSON: %w", err))
	}
	answered, err := parseJSON(got.body)
	if err != nil {
		return p.failSince(want, got.String(), err.Error())
	}
	if difference := match(wanted, answered, ""); difference != "" {
		return p.failSince(want, got.String(), difference)
	}
	return nil
}

// isJSON reports whether an expected body is JSON: an object.
func isJSON(s string) bool {
	return strings.HasPrefix(s, `{"`) || s == "{}" || strings.HasPrefix(s, "[")
}
