package authz_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hark/authz"
)

// An opinion is what a policy of the property test answers, and for which channels.
type opinion struct {
	pattern string
	answer  string // a key of answers
	ttl     time.Duration
	info    string // "": none
}

var answers = map[string]func(d opinion) (authz.Decision, error){
	"allow":           func(o opinion) (authz.Decision, error) { return o.dress(authz.Allow()), nil },
	"deny":            func(o opinion) (authz.Decision, error) { return o.dress(authz.Deny("no")), nil },
	"pass":            func(o opinion) (authz.Decision, error) { return o.dress(authz.NoOpinion()), nil },
	"down":            func(o opinion) (authz.Decision, error) { return o.dress(authz.Allow()), errDown },
	"panic":           func(o opinion) (authz.Decision, error) { panic("boom") },
	"denied":          func(o opinion) (authz.Decision, error) { return o.dress(authz.Allow()), authz.ErrDenied },
	"unauthenticated": func(o opinion) (authz.Decision, error) { return authz.Decision{}, authz.ErrUnauthenticated },
}

func (o opinion) dress(d authz.Decision) authz.Decision {
	if o.info != "" {
		d = d.WithInfo(map[string]string{"by": o.info})
	}
	return d.For(o.ttl)
}

// model says who may join in the fewest words: what counts is which answers there are.
func model(matching []opinion, guestOnPresence bool) error {
	said := map[string]bool{}
	infos := map[string]bool{}
	for _, o := range matching {
		said[o.answer] = true
		if o.answer == "allow" && o.info != "" {
			infos[o.info] = true
		}
	}
	switch {
	case guestOnPresence, len(matching) == 0:
		return authz.ErrDenied
	case said["down"], said["panic"], len(infos) > 1:
		return authz.ErrUnavailable
	case said["unauthenticated"]:
		return authz.ErrUnauthenticated
	case said["allow"] && !said["deny"] && !said["denied"]:
		return nil
	}
	return authz.ErrDenied
}

// TestRegistryAgainstModel registers any policies in any order: the answer is that of the model, and the same in every
// other order.
func TestRegistryAgainstModel(t *testing.T) {
	t.Parallel()
	matches := map[string][]string{ // which channels
		"private-a":   {"private-a"},
		"presence-a":  {"presence-a"},
		"private-{x}": {"private-a", "private-b"},
		"{x...}":      {"private-a", "private-b", "presence-a", "nosuch"},
	}
	opinions := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) opinion {
		return opinion{
			pattern: rapid.SampledFrom([]string{"private-a", "presence-a", "private-{x}", "{x...}"}).Draw(t, "pattern"),
			// Half of all answers allow, or hardly anybody would get in.
			answer: rapid.SampledFrom([]string{"allow", "allow", "allow", "allow", "allow", "allow", "deny", "pass", "down", "panic", "denied", "unauthenticated"}).Draw(t, "answer"),
			ttl:    rapid.SampledFrom([]time.Duration{0, 0, time.Second, time.Minute}).Draw(t, "ttl"),
			info:   rapid.SampledFrom([]string{"", "", "", "ada", "eve"}).Draw(t, "info"),
		}
	}), 0, 5)
	rapid.Check(t, func(t *rapid.T) {
		registered := opinions.Draw(t, "opinions")
		channel := rapid.SampledFrom([]string{"private-a", "private-b", "presence-a", "nosuch"}).Draw(t, "channel")
		who := rapid.SampledFrom([]authz.Identity{guest, editor7}).Draw(t, "who")
		var matching []opinion
		for _, o := range registered {
			if slices.Contains(matches[o.pattern], channel) {
				matching = append(matching, o)
			}
		}
		want := model(matching, who.Guest() && channel == "presence-a")

		ask := func(order []opinion) (authz.Grant, error) {
			g := authz.NewRegistry()
			for _, o := range order {
				g.HandleFunc(o.pattern, func(context.Context, authz.Request) (authz.Decision, error) { return answers[o.answer](o) })
			}
			return g.Decide(t.Context(), authz.Request{Channel: channel, Identity: who})
		}
		grant, err := ask(registered)
		if is := errorOf(err); is != want {
			t.Fatalf("%v, want %v", err, want)
		}
		if err == nil {
			checkGrant(t, grant, matching)
		} else if diff := cmp.Diff(authz.Grant{}, grant); diff != "" {
			t.Fatalf("a grant beside %v:\n%s", err, diff)
		}
		again, err := ask(rapid.Permutation(registered).Draw(t, "another order"))
		if diff := cmp.Diff(grant, again); diff != "" || errorOf(err) != want {
			t.Fatalf("in another order: %v, want %v\n%s", err, want, diff)
		}
	})
}

// errorOf returns which of the three errors err is, and only that.
func errorOf(err error) error {
	var is []error
	for _, one := range []error{authz.ErrDenied, authz.ErrUnauthenticated, authz.ErrUnavailable} {
		if errors.Is(err, one) {
			is = append(is, one)
		}
	}
	switch {
	case err == nil:
		return nil
	case len(is) == 1:
		return is[0]
	}
	return fmt.Errorf("%w: is %d of the errors", err, len(is))
}

func checkGrant(t *rapid.T, g authz.Grant, matching []opinion) {
	t.Helper()
	var ttls []time.Duration
	info := ""
	for _, o := range matching {
		if o.answer != "allow" {
			continue
		}
		if o.ttl > 0 {
			ttls = append(ttls, o.ttl)
		}
		if o.info != "" {
			info = `{"by":"` + o.info + `"}`
		}
	}
	ttl := time.Duration(0)
	if len(ttls) > 0 {
		ttl = slices.Min(ttls)
	}
	if g.TTL != ttl || string(g.Info) != info {
		t.Fatalf("granted for %v with %s, want %v with %s", g.TTL, g.Info, ttl, info)
	}
}
