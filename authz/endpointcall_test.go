package authz_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"hark/authz"
	"hark/protocol"
)

// What is malformed gets 4xx and what to do about it, and nobody of the application is asked.
func TestMalformedCalls(t *testing.T) {
	t.Parallel()
	c := endpointConfig()
	c.Authenticator = authz.AuthenticatorFunc(func(context.Context, *http.Request) (authz.Identity, error) {
		return authz.Identity{}, errors.New("asked")
	})
	c.Limits.ChannelName = 20
	c.Limits.Channels = 3
	e := newEndpoint(t, c)
	const jsonType = "application/json"
	channel := func(value string) string { return `{"socket_id":"1.2","channel_name":` + value + `}` }
	socket := func(value string) string { return `{"channel_name":"private-x","socket_id":` + value + `}` }
	for _, tt := range []struct {
		contentType, body string
		status            int
		error             string
	}{
		{formType, "", 400, "socket_id is missing"},
		{formType, "socket_id=1.2", 400, "channel_name is missing"},
		{formType, "socket_id=1.2&channel_name=", 400, "channel_name is missing"},
		{formType, "channel_name=private-x", 400, "socket_id is missing"},
		{formType, "socket_id=1.2&channel_name=private-x&channel_name=private-y", 400, "channel_name is there more than once"},
		{formType, "socket_id=1.2&socket_id=1.2&channel_name=private-x", 400, "socket_id is there more than once"},
		{formType, "socket_id=x&channel_name=private-x", 400, "two numbers with a dot"},
		{formType, "socket_id=1.2:x&channel_name=private-x", 400, "two numbers with a dot"},
		{formType, "socket_id=1.2&channel_name=7", 400, "needs no signature"},
		{formType, "socket_id=1.2&channel_name=cache-x", 400, "needs no signature"},
		{formType, "socket_id=1.2&channel_name=%23server-to-user-7", 400, "needs no signature"},
		{formType, "socket_id=1.2&channel_name=private-a:b", 400, "use only letters"},
		{formType, "socket_id=1.2&channel_name=private+x", 400, "use only letters"},
		{formType, "socket_id=1.2&channel_name=%3Cscript%3E", 400, "use only letters"},
		{formType, subscribe("private-" + strings.Repeat("a", 13)), 400, "longer than 20"},
		{formType, "socket_id=1.2&channel_name=private-%zz", 400, "%HH"},
		{formType, "%=1", 400, "%HH"},
		{formType, "socket_id=1.2&channel_name=private-%ff", 400, "UTF-8"},
		{formType, "socket_id=1.2&channel_name[x]=private-x", 400, "channel_name is missing"},
		{formType, "socket_id=1.2&channel_name[0=private-x", 400, "channel_name is missing"},
		{formType, "socket_id=1.2&channel_name=private-x&channel_name[]=private-y", 400, "either"},
		{formType, "socket_id=1.2&channel_name[]=a&channel_name[]=b&channel_name[]=c&channel_name[]=d", 400, "4 channels: ask about 3"},
		{formType, "socket_id=x&channel_name[]=private-x", 400, "two numbers with a dot"},
		{formType, channel(`"private-x"`), 400, "socket_id is missing"},
		{formType, strings.Repeat("a", 64<<10), 400, "socket_id is missing"},
		{formType, strings.Repeat("a", 64<<10+1), 413, "65536 bytes"},
		{jsonType, strings.Repeat("[", 64<<10), 400, "JSON object"},
		{jsonType, strings.Repeat(" ", 1<<20), 413, "65536 bytes"},
		{jsonType, "", 400, "JSON object"},
		{jsonType, "null", 400, "JSON object"},
		{jsonType, "[]", 400, "JSON object"},
		{jsonType, `"private-x"`, 400, "JSON object"},
		{jsonType, channel(`"private-x"`) + "x", 400, "JSON object"},
		{jsonType, `{"socket_id":"1.2","channel_name":"private-x"`, 400, "JSON object"},
		{jsonType, `{"socket_id":"1.2","socket_id":"1.2","channel_name":"private-x"}`, 400, "JSON object"},
		{jsonType, channel("\"private-\xff\""), 400, "JSON object"},
		{jsonType, subscribe("private-x"), 400, "JSON object"},
		{jsonType, `{"socket_id":"1.2"}`, 400, "channel_name is missing"},
		{jsonType, channel(`null`), 400, "channel_name is missing"},
		{jsonType, channel(`""`), 400, "channel_name is missing"},
		{jsonType, channel(`7`), 400, "channel_name must be a string"},
		{jsonType, channel(`true`), 400, "channel_name must be a string"},
		{jsonType, channel(`["private-x"]`), 400, "channel_name must be a string"},
		{jsonType, channel(`{"0":"private-x"}`), 400, "channel_name must be a string"},
		{jsonType, channel(`"private-é"`), 400, "use only letters"},
		{jsonType, channel(`"\u0000"`), 400, "use only letters"},
		{jsonType, socket(`1.2`), 400, "socket_id must be a string"},
		{jsonType, socket(`null`), 400, "socket_id is missing"},
		{jsonType, socket(`"1"`), 400, "two numbers with a dot"},
		{"", subscribe("private-x"), 400, "Content-Type must be"},
		{"text/plain", subscribe("private-x"), 400, "Content-Type must be"},
		{"multipart/form-data; boundary=x", subscribe("private-x"), 400, "Content-Type must be"},
		{"application/json, text/plain", channel(`"private-x"`), 400, "Content-Type must be"},
		{";;", "", 400, "Content-Type must be"},
	} {
		name := fmt.Sprintf("%s %.60q", tt.contentType, tt.body)
		w := send(e.ServeChannels, "", tt.contentType, tt.body)
		checkAnswer(t, name, w, tt.status, "…"+tt.error)
		if !strings.HasPrefix(w.Body.String(), `{"error":"`) {
			t.Errorf("%s: %s", name, w.Body)
		}
	}
}

// A body that does not arrive whole is refused, whatever has come of it.
func TestIncompleteCall(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, endpointConfig())
	r := httptest.NewRequest("POST", "/", io.MultiReader(strings.NewReader(subscribe("private-open")), broken{}))
	r.Header.Set("Content-Type", formType)
	w := httptest.NewRecorder()
	e.ServeChannels(w, r)
	checkAnswer(t, "cut", w, 400, "…could not be read to its end")
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

func TestMethods(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, endpointConfig())
	for _, serve := range []http.HandlerFunc{e.ServeChannels, e.ServeUsers} {
		for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "PATCH", "post"} {
			w := httptest.NewRecorder()
			serve(w, httptest.NewRequest(method, "/?"+subscribe("private-open"), nil))
			checkAnswer(t, method, w, 405, `{"error":"Only POST is answered here"}`)
			if got := w.Header().Get("Allow"); got != "POST, OPTIONS" {
				t.Errorf("%s: Allow %q", method, got)
			}
		}
	}
}

// The plugin pusher-js-auth asks about several channels with one call.
func TestManyChannels(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, endpointConfig())
	auth := func(channel, data string) string { return endpointKey.ChannelAuth("1.2", channel, data, data != "") }
	refused := func(status, answer string) string {
		return `{"status":` + status + `,` + strings.TrimPrefix(answer, "{")
	}
	one := `"private-open":{"status":200,"data":{"auth":"` + auth("private-open", "") + `"}}`
	for _, tt := range []struct{ name, token, body, want string }{
		{"as the plugin sends them", "7",
			"&socket_id=1.2&channel_name[0]=presence-room&channel_name[1]=private-denied&channel_name[2]=private-open&csrf=x",
			`{"presence-room":{"status":200,"data":{"auth":"` + auth("presence-room", `{"user_id":"7","user_info":{"name":"Ada"}}`) +
				`","channel_data":"{\"user_id\":\"7\",\"user_info\":{\"name\":\"Ada\"}}"}},` +
				`"private-denied":` + refused("403", denied) + `,` + one + `}`},
		{"one, as if there were many", "", "socket_id=1.2&channel_name[0]=private-open", "{" + one + "}"},
		{"escaped brackets, no numbers, one twice", "",
			form("socket_id", "1.2", "channel_name[]", "private-open", "channel_name[]", "private-open"), "{" + one + "}"},
		{"each by itself", "", form("socket_id", "1.2", "channel_name[0]", "public", "channel_name[7]", "private-a b",
			"channel_name[]", "private-panic", "channel_name[8]", "private-nosuch", "channel_name[1]", "presence-room",
			"channel_name[3]", "private-login", "channel_name[2]", "private-open"),
			`{"presence-room":` + refused("403", denied) +
				`,"private-a b":` + refused("400", `{"error":"Invalid channel name \"private-a b\": use only letters, digits and the characters _ - = @ , . ;"}`) +
				`,"private-login":` + refused("401", unauthenticated) +
				`,"private-nosuch":` + refused("403", denied) +
				`,` + one +
				`,"private-panic":` + refused("503", unavailable) +
				`,"public":` + refused("400", `{"error":"The channel \"public\" needs no signature: subscribe without asking, or name one that begins with private- or presence-"}`) + `}`},
	} {
		checkAnswer(t, tt.name, send(e.ServeChannels, tt.token, formType, tt.body), 200, tt.want)
	}
	both := "socket_id=1.2&channel_name[0]=private-open&channel_name[1]=private-denied"
	checkAnswer(t, "nobody knows who asks", send(e.ServeChannels, "broken", formType, both), 503, unavailable)
	checkAnswer(t, "wrong credentials", send(e.ServeChannels, "wrong", formType, both), 401, unauthenticated)
}

// A body has room for 100 channels with the longest names, however they are escaped.
func TestHundredChannels(t *testing.T) {
	t.Parallel()
	g := authz.NewRegistry()
	g.Handle("private-{rest...}", allow)
	c := endpointConfig()
	c.Policies = g
	body := "socket_id=4294967295.4294967295"
	for i := range 100 {
		body += fmt.Sprintf("&channel_name%%5B%d%%5D=private-%02d%s", i, i, strings.Repeat("%3B", 154))
	}
	w := send(newEndpoint(t, c).ServeChannels, "", formType, body)
	if got := strings.Count(w.Body.String(), `"status":200`); w.Code != http.StatusOK || got != 0 {
		// A ; is an escape, and these are of nothing: the patterns do not capture them.
		t.Errorf("%d, with %d channels", w.Code, got)
	}
	w = send(newEndpoint(t, c).ServeChannels, "", formType, strings.ReplaceAll(body, "%3B", "%2C"))
	if got := strings.Count(w.Body.String(), `"status":200`); w.Code != http.StatusOK || got != 100 {
		t.Errorf("%d, with %d channels, want 100", w.Code, got)
	}
}

// An Authenticator can read the body although the Endpoint has, and policies see what is in it; however they do that,
// nothing is shared that they could change for each other.
func TestApplicationReadsTheBody(t *testing.T) {
	t.Parallel()
	g := authz.NewRegistry()
	see := authz.PolicyFunc(func(_ context.Context, r authz.Request) (authz.Decision, error) {
		if err := r.HTTP.ParseForm(); err != nil {
			return authz.Deny(err.Error()), nil
		}
		if r.HTTP.FormValue("lang") != "en" || r.HTTP.PostFormValue("lang") != "" || r.HTTP.FormValue("token") != r.HTTP.PostFormValue("token") {
			return authz.Deny("no form"), nil
		}
		if rest, err := io.ReadAll(r.HTTP.Body); len(rest) > 0 || err != nil {
			return authz.Deny("a body"), nil
		}
		return authz.Allow(), nil
	})
	g.Handle("private-{a}", see)
	g.Handle("private-{b}", see)
	c := endpointConfig()
	c.Policies = g
	c.Authenticator = authz.AuthenticatorFunc(func(_ context.Context, r *http.Request) (authz.Identity, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return authz.Identity{}, err
		}
		if !strings.Contains(string(body), "let-me-in") {
			return authz.Identity{}, fmt.Errorf("the body is %q", body)
		}
		if r.Header.Get("Content-Type") == formType && r.PostFormValue("token") != "let-me-in" {
			return authz.Identity{}, fmt.Errorf("the form is %v", r.PostForm)
		}
		r.Form.Set("lang", "fr")
		r.PostForm.Set("lang", "fr")
		r.Header.Del("Content-Type")
		return authz.Identity{ID: "7"}, nil
	})
	e := newEndpoint(t, c)
	for contentType, body := range map[string]string{
		formType:           subscribe("private-x") + "&token=let-me-in",
		"application/json": `{"socket_id":"1.2","channel_name":"private-x","token":"let-me-in"}`,
	} {
		r := httptest.NewRequest("POST", "/pusher/auth?lang=en", strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		e.ServeChannels(w, r)
		checkAnswer(t, contentType, w, 200, `…{"auth":`)
	}
}

// Policies are told what the question is about.
func TestPolicyIsAsked(t *testing.T) {
	t.Parallel()
	var got authz.Request
	c := endpointConfig()
	c.Policies = authz.NewRegistry()
	c.Policies.HandleFunc("private-doc.{name}", func(_ context.Context, r authz.Request) (authz.Decision, error) {
		got = r
		return authz.Allow(), nil
	})
	send(newEndpoint(t, c).ServeChannels, "7", formType, subscribe("private-doc.a;2Fb"))
	if got.App != "1" || got.Channel != "private-doc.a;2Fb" || got.Captures["name"] != "a/b" || got.Identity.ID != "7" ||
		!got.Identity.HasRole("editor") || got.Socket != protocol.SocketID("1.2") || got.Cause != authz.Join ||
		got.HTTP == nil || got.HTTP.Header.Get("Authorization") != "Bearer 7" {
		t.Errorf("asked %+v", got)
	}
}
