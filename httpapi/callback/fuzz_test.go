package callback_test

import (
	stdjson "encoding/json"
	"testing"
	"time"

	"hark/authz"
	"hark/httpapi/callback"
)

// In each of these an application answers whatever it likes. What the answer opens, another reader of JSON finds in it,
// and everything else is an error that is never yes.

// fuzzClient returns a client to whom everything is answered with body.
func fuzzClient(t *testing.T, body string) *callback.Client {
	return newClient(t, answering(reply{body: body}), func(c *callback.Config) { c.Gather = time.Nanosecond })
}

// object returns the members of the JSON object that body is, as the standard library reads it.
func object(body string) map[string]stdjson.RawMessage {
	var m map[string]stdjson.RawMessage
	if stdjson.Unmarshal([]byte(body), &m) != nil {
		return nil
	}
	return m
}

func FuzzIdentity(f *testing.F) {
	for _, body := range []string{
		`{"user":{"id":"7","tenant":"acme","info":{"name":"Ada"},"roles":["editor"],"attrs":{"plan":"pro"},"expires_at":4000000000},"expires_at":4e9,"cache":30}`,
		`{"user":null}`, `{}`, `null`, ``, `[`, `{"user":{"id":7}}`, `{"user":{}}`, `{"user":{"id":"7"},"expires_at":1e999}`, "{\"user\":{\"id\":\"\xff\"}}",
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		id, err := fuzzClient(t, body).Authenticator().Authenticate(t.Context(), from())
		if err != nil {
			wantUnavailable(t, err, authz.ErrUnauthenticated)
			if !id.Guest() || id.Tenant != "" {
				t.Errorf("%v with %v", id, err)
			}
			return
		}
		user := object(body)["user"]
		if id.Guest() != (string(user) == "null") {
			t.Errorf("%q is %+v", body, id)
		}
		var want string
		if !id.Guest() && (stdjson.Unmarshal(object(string(user))["id"], &want) != nil || want != id.ID) {
			t.Errorf("%q is %+v", body, id)
		}
		if id.Info != nil && object(string(id.Info)) == nil || id.Expired(time.Now()) {
			t.Errorf("%q is %+v", body, id)
		}
	})
}

func FuzzDecision(f *testing.F) {
	for _, body := range []string{
		`{"allow":true,"info":{"a":1},"ttl":900,"cache":30,"user":{}}`, `{"allow":false}`, `{"allow":null}`, `{}`, `null`, `true`, ``,
		`{"allow":true,"ttl":0}`, `{"allow":true,"ttl":1e-300}`, `{"allow":true,"info":[]}`, `{"allow":true,"allow":false}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		policies := authz.NewRegistry()
		policies.Handle("{x...}", fuzzClient(t, body).Policy())
		g, err := policies.Decide(t.Context(), join("1.1", "7", "private-a"))
		answer := object(body)
		if err != nil {
			wantUnavailable(t, err, authz.ErrDenied)
			return
		}
		if string(answer["allow"]) != "true" || g.Identity.ID != "7" || g.Info != nil && object(string(g.Info)) == nil {
			t.Errorf("%q grants %+v", body, g)
		}
		if ttl, ok := answer["ttl"]; ok && string(ttl) != "null" && g.TTL <= 0 {
			t.Errorf("%q grants for ever", body)
		}
	})
}

func FuzzDecisions(f *testing.F) {
	for _, body := range []string{
		`{"decisions":{"private-a":{"allow":true,"ttl":5},"private-b":{"allow":false}}}`, `{"decisions":{}}`, `{"decisions":null}`, `{}`, `[]`,
		`{"decisions":{"private-a":true}}`, `{"decisions":{"private-a":{"allow":true}},"decisions":{}}`, `{"decisions":{"private-\u0061":{"allow":true}}}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		c := newClient(t, answering(reply{body: body}), func(c *callback.Config) { c.Gather = 100 * time.Microsecond })
		requests := []authz.Request{join("1.1", "7", "private-a"), join("1.1", "7", "private-b")}
		decisions := object(string(object(body)["decisions"]))
		for i, got := range all(t, c, requests...) {
			answer := object(string(decisions[requests[i].Channel]))
			if len(decisions) == 0 {
				answer = object(body) // the two were not asked about together
			}
			if got == "allow" && string(answer["allow"]) != "true" {
				t.Errorf("%q allows %s", body, requests[i].Channel)
			}
		}
	})
}

func FuzzVerdict(f *testing.F) {
	for _, body := range []string{
		`{"verdict":"pass"}`, `{"verdict":"drop"}`, `{"verdict":"replace","event":"client-b","data":{"a":1}}`, `{"verdict":"reject","code":4301,"message":"x"}`,
		`{"verdict":"route","deliveries":[{"channel":"a","event":"a","data":"x","except":{"on":"b"}}]}`, `{}`, `null`, `{"verdict":null}`,
	} {
		f.Add(body)
	}
	actions := map[string]callback.Action{
		"pass": callback.Pass, "drop": callback.Drop, "replace": callback.Replace, "route": callback.Route, "reject": callback.Reject,
	}
	f.Fuzz(func(t *testing.T, body string) {
		v, err := fuzzClient(t, body).ClientEvent(t.Context(), callback.ClientEvent{Event: callback.Event{Name: "client-a"}})
		if err != nil {
			wantUnavailable(t, err)
			if v.Action != callback.Reject {
				t.Errorf("%+v with %v", v, err)
			}
			return
		}
		var said string
		stdjson.Unmarshal(object(body)["verdict"], &said)
		if want, ok := actions[said]; !ok || v.Action != want || v.Action == callback.Replace && v.Event.Name == "" {
			t.Errorf("%q is %+v", body, v)
		}
		for _, d := range v.Deliveries {
			if d.Channel == "" || d.Event.Name == "" || d.Except != nil && object(string(d.Except)) == nil {
				t.Errorf("%q delivers %+v", body, d)
			}
		}
	})
}

func FuzzEvents(f *testing.F) {
	for _, body := range []string{
		`{"events":[{"name":"a","data":"x"},{"name":"b","data":{"n":1}},{"name":"c"}]}`, `{"events":[]}`, `{"events":null}`, `{}`, `[]`, `{"events":[{}]}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		events, err := fuzzClient(t, body).Subscribed(t.Context(), callback.Subscribed{Channel: "private-a"})
		if err != nil {
			wantUnavailable(t, err)
			return
		}
		var want []struct {
			Name string
			Data stdjson.RawMessage
		}
		if err := stdjson.Unmarshal(object(body)["events"], &want); err != nil || len(want) != len(events) {
			t.Fatalf("%q is %q (%v)", body, events, err)
		}
		for i, e := range events {
			if e.Name == "" || e.Name != want[i].Name {
				t.Errorf("%q is %q", body, events)
			}
		}
	})
}

// wantUnavailable checks that an error is authz.ErrUnavailable, or one of the others.
func wantUnavailable(t *testing.T, err error, or ...error) {
	t.Helper()
	for _, other := range append(or, authz.ErrUnavailable) {
		if nameOf(err) == other.Error() {
			return
		}
	}
	t.Errorf("error %v", err)
}
