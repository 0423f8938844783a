package channels_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hark/authz"
	"hark/channels"
	"hark/channels/hubtest"
	"hark/protocol"
)

// A witness writes down what observers are told.
type witness struct {
	mu   sync.Mutex
	told []string
}

func (w *witness) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = append(w.told, fmt.Sprintf(format, args...))
}

// watch registers the observers of who is authenticated and who is not.
func (w *witness) watch(h *channels.Hub) {
	h.OnAuthenticated(func(_ context.Context, s *channels.Socket, by channels.AuthKind) {
		w.note("%s by %v", s.Identity().ID, by)
	})
	h.OnAuthFailed(func(_ context.Context, a channels.AuthFailure) {
		where := a.Channel
		if a.Socket == "" {
			where = "connection from " + a.Remote
		} else if where == "" {
			where = "signin"
		}
		w.note("failed: %s of %q in app %s", where, a.Identity.ID, a.App)
		if a.Err == nil {
			w.note("without an error")
		}
	})
}

// expect compares what was told since the last call with want.
func (w *witness) expect(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.told, want) {
		t.Errorf("observers were told %q, want %q", w.told, want)
	}
	w.told = nil
}

// startWith starts a hub with hooks.
func startWith(t *testing.T, c channels.Config, register ...func(*channels.Hub)) *channels.Hub {
	t.Helper()
	h, err := channels.New(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range register {
		f(h)
	}
	hubtest.Run(t, h)
	return h
}

// says is an Authenticator that always says the same.
func says(id authz.Identity, err error) authz.Authenticator {
	return authz.AuthenticatorFunc(func(context.Context, *http.Request) (authz.Identity, error) { return id, err })
}

// withAuthenticator is hubtest.Config with an Authenticator.
func withAuthenticator(a authz.Authenticator) channels.Config {
	c := hubtest.Config()
	c.Apps[0].Authenticator = a
	return c
}

func TestAsk(t *testing.T) {
	ada := authz.Identity{ID: "ada", Tenant: "acme", Roles: []string{"editor"}}
	refusedAs := func(user string) []string {
		return []string{fmt.Sprintf("failed: connection from 192.0.2.1:4000 of %q in app 1001", user)}
	}
	gate := func(w channels.Welcome, err error) func(*channels.Hub) {
		return func(h *channels.Hub) {
			h.OnConnecting(func(context.Context, *channels.ConnectRequest) (channels.Welcome, error) { return w, err })
		}
	}
	nothing := func(*channels.Hub) {}
	tests := []struct {
		name string
		auth authz.Authenticator
		gate func(*channels.Hub)
		code protocol.CloseCode // 0: let in
		user string             // who was let in; "": a guest
		told []string
	}{
		{"a user", says(ada, nil), nothing, 0, "ada", []string{"ada by upgrade"}},
		{"a guest", says(authz.Identity{}, nil), nothing, 0, "", nil},
		{"a guest with a tenant has none", says(authz.Identity{Tenant: "acme"}, nil), nothing, 0, "", nil},
		{"wrong credentials", says(authz.Identity{}, authz.ErrUnauthenticated), nothing, 4009, "", refusedAs("")},
		{"a no", says(authz.Identity{}, fmt.Errorf("banned: %w", authz.ErrDenied)), nothing, 4009, "", refusedAs("")},
		{"no guests", authz.RequireUser(says(authz.Identity{}, nil)), nothing, 4009, "", refusedAs("")},
		{"expired", says(authz.Identity{ID: "ada", ExpiresAt: time.Unix(1, 0)}, nil), nothing, 4009, "", refusedAs("")},
		{"a gate that passes", says(ada, nil), gate(channels.Welcome{}, nil), 0, "ada", []string{"ada by upgrade"}},
		{"a gate alone", nil, gate(channels.Welcome{Identity: &ada}, nil), 0, "ada", []string{"ada by upgrade"}},
		{"a gate that knows better", says(ada, nil), gate(channels.Welcome{Identity: &authz.Identity{ID: "eve"}}, nil), 0, "eve", []string{"eve by upgrade"}},
		{"a gate that makes a guest", says(ada, nil), gate(channels.Welcome{Identity: &authz.Identity{}}, nil), 0, "", nil},
		{"a gate that denies", says(ada, nil), gate(channels.Welcome{}, authz.ErrDenied), 4009, "", refusedAs("ada")},
		{"a gate with a code", says(ada, nil), gate(channels.Welcome{}, &channels.CloseError{Code: 4100}), 4100, "", nil},
		{"a gate with a code that makes a hot loop", nil, gate(channels.Welcome{}, &channels.CloseError{Code: 4200}), 4100, "", nil},
		{"a gate with a code that closes nothing", nil, gate(channels.Welcome{}, &channels.CloseError{Code: 4301}), 4009, "", refusedAs("")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var w witness
				h := startWith(t, withAuthenticator(tt.auth), tt.gate, w.watch)
				c := hubtest.Dial(t, h, hubtest.Request(""))
				if err := c.Refused(); err != nil {
					t.Fatalf("told to come back later: %v", err)
				}
				code, _ := c.Closed()
				if code != tt.code {
					t.Errorf("closed with %d, want %d", code, tt.code)
				}
				first := c.Take()[0]
				if want := fmt.Sprintf(`{"event":"pusher:error","data":{"code":%d,`, code); code != 0 && !strings.HasPrefix(first, want) {
					t.Errorf("got %s, want %s", first, want)
				}
				w.expect(t, tt.told...)
				if code == 0 {
					if id := c.Socket().Identity(); id.ID != tt.user || id.ID == "" && id.Tenant != "" {
						t.Errorf("the socket speaks for %+v, want %q", id, tt.user)
					}
					c.Hangup()
				}
			})
		})
	}
}

// A reason that a gate gives is told.
func TestCloseErrorReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := startWith(t, hubtest.Config(), func(h *channels.Hub) {
			h.OnConnecting(func(context.Context, *channels.ConnectRequest) (channels.Welcome, error) {
				return channels.Welcome{}, fmt.Errorf("gate: %w", &channels.CloseError{Code: 4004, Reason: "Too many tabs"})
			})
		})
		if code, reason := hubtest.Dial(t, h, hubtest.Request("")).Closed(); code != 4004 || reason != "Too many tabs" {
			t.Errorf("closed with %d %q", code, reason)
		}
	})
}

// What is no answer holds the connection: within the time it is let in as if
// nothing had been, after it the client is to come back later. It is never taken
// for a guest's.
func TestHold(t *testing.T) {
	faults := map[string]func(context.Context) (authz.Identity, error){
		"unavailable": func(context.Context) (authz.Identity, error) { return authz.Identity{}, authz.ErrUnavailable },
		"unavailable for want of permission": func(context.Context) (authz.Identity, error) {
			return authz.Identity{}, fmt.Errorf("%w: %w", authz.ErrUnavailable, authz.ErrDenied)
		},
		"an error of its own": func(context.Context) (authz.Identity, error) {
			return authz.Identity{}, errors.New("connection refused")
		},
		"a panic": func(context.Context) (authz.Identity, error) { panic("nil map") },
		"no answer": func(ctx context.Context) (authz.Identity, error) {
			<-ctx.Done()
			return authz.Identity{ID: "ada"}, ctx.Err()
		},
		"an id that is none": func(context.Context) (authz.Identity, error) { return authz.Identity{ID: "a da"}, nil },
		"an id that is too long": func(context.Context) (authz.Identity, error) {
			return authz.Identity{ID: strings.Repeat("a", 129)}, nil
		},
		"info that is no object": func(context.Context) (authz.Identity, error) {
			return authz.Identity{ID: "ada", Info: []byte(`"x"`)}, nil
		},
		"info that is too big": func(context.Context) (authz.Identity, error) {
			return authz.Identity{ID: "ada", Info: []byte(`{"x":"` + strings.Repeat("x", 1024) + `"}`)}, nil
		},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				var recovers atomic.Int64
				recovers.Store(int64(time.Hour))
				var w witness
				counters := newCounted()
				config := withAuthenticator(authz.AuthenticatorFunc(func(ctx context.Context, _ *http.Request) (authz.Identity, error) {
					if time.Since(start) >= time.Duration(recovers.Load()) {
						return authz.Identity{ID: "ada"}, nil
					}
					return fault(ctx)
				}))
				config.Counters = counters
				h := startWith(t, config, w.watch)

				c := hubtest.Dial(t, h, hubtest.Request(""))
				if took := time.Since(start); c.Refused() == nil || !errors.Is(c.Refused(), authz.ErrUnavailable) || took != 8*time.Second {
					t.Errorf("after %v: %v, want unavailable after 8 s", took, c.Refused())
				}
				if n := counters.dropped[channels.DropUnasked]; n != 1 {
					t.Errorf("%d were counted, want 1", n)
				}
				w.expect(t)

				recovers.Store(int64(time.Since(start) + 5*time.Second))
				c = hubtest.Dial(t, h, hubtest.Request(""))
				if took := time.Since(start); c.Refused() != nil || c.Socket().Identity().ID != "ada" || took > 8*time.Second+8*time.Second {
					t.Fatalf("after %v: %v, want to be let in as ada", took, c.Refused())
				}
				w.expect(t, "ada by upgrade")
				c.Hangup()
			})
		})
	}
}

// Who has answered is not asked again because another has not.
func TestHoldAsksTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked [3]int
		config := withAuthenticator(authz.AuthenticatorFunc(func(context.Context, *http.Request) (authz.Identity, error) {
			asked[0]++
			return authz.Identity{ID: "ada"}, nil
		}))
		h := startWith(t, config, func(h *channels.Hub) {
			for i := range 2 {
				h.OnConnecting(func(_ context.Context, r *channels.ConnectRequest) (channels.Welcome, error) {
					asked[1+i]++
					if r.Identity().ID != "ada" || r.HTTP == nil {
						t.Errorf("gate %d is asked about %q", i, r.Identity().ID)
					}
					if i == 1 && asked[2] < 4 {
						return channels.Welcome{}, authz.ErrUnavailable
					}
					return channels.Welcome{Events: []channels.Event{{Name: fmt.Sprintf("welcome-%d", i), Data: "1"}}}, nil
				})
			}
		})
		c := hubtest.Dial(t, h, hubtest.Request(""))
		if asked != [3]int{1, 1, 4} {
			t.Errorf("asked %v times, want once, once, and four times", asked)
		}
		got := c.Take()
		if len(got) != 3 || !strings.Contains(got[0], "connection_established") ||
			got[1] != `{"event":"welcome-0","data":"1"}` || got[2] != `{"event":"welcome-1","data":"1"}` {
			t.Errorf("got %q", got)
		}
		c.Hangup()
	})
}

// The welcome leaves in the same write as connection_established.
func TestWelcomeIsOneWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := startWith(t, hubtest.Config(), func(h *channels.Hub) {
			h.OnConnecting(func(context.Context, *channels.ConnectRequest) (channels.Welcome, error) {
				e, err := channels.NewEvent("connection-init", map[string]int{"n": 1})
				return channels.Welcome{Events: []channels.Event{e}}, err
			})
		})
		r := hubtest.Request("")
		if err := h.Ask(t.Context(), &r); err != nil {
			t.Fatal(err)
		}
		c := &gatherConn{t: t}
		s := h.Connect(c, r)
		defer s.End()
		if len(c.writes) != 1 || c.writes[0] != 2 {
			t.Errorf("%v frames were written, want two at once", c.writes)
		}
	})
}

// A welcome that clients could take for the protocol's own is not sent.
func TestWelcomeNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := startWith(t, hubtest.Config(), func(h *channels.Hub) {
			h.OnConnecting(func(context.Context, *channels.ConnectRequest) (channels.Welcome, error) {
				return channels.Welcome{Events: []channels.Event{{Name: "pusher:signin_success"}}}, nil
			})
		})
		if err := hubtest.Dial(t, h, hubtest.Request("")).Refused(); err == nil || !strings.Contains(err.Error(), "pusher:signin_success") {
			t.Errorf("refused with %v, want an error that names the event", err)
		}
	})
}

// More than HeldUpgrades do not wait.
func TestHeldUpgrades(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counters := newCounted()
		config := withAuthenticator(says(authz.Identity{}, authz.ErrUnavailable))
		config.Counters = counters
		config.HeldUpgrades = 2
		h := hubtest.Start(t, config)
		var waiting sync.WaitGroup
		for range 2 {
			waiting.Go(func() { hubtest.Dial(t, h, hubtest.Request("")) })
		}
		synctest.Wait()
		start := time.Now()
		if err := hubtest.Dial(t, h, hubtest.Request("")).Refused(); !errors.Is(err, authz.ErrUnavailable) || time.Since(start) > 0 {
			t.Errorf("the third waited %v: %v", time.Since(start), err)
		}
		waiting.Wait()
		if held, unasked := counters.dropped[channels.DropHeld], counters.dropped[channels.DropUnasked]; held != 1 || unasked != 2 {
			t.Errorf("%d and %d were counted, want 1 held and 2 unasked", held, unasked)
		}
	})
}

// HoldUpgrade bounds the whole, and a negative one does not hold.
func TestHoldUpgrade(t *testing.T) {
	for hold, want := range map[time.Duration]time.Duration{-1: 0, time.Second: time.Second, 0: 8 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			config := withAuthenticator(says(authz.Identity{}, authz.ErrUnavailable))
			config.HoldUpgrade = hold
			h := hubtest.Start(t, config)
			start := time.Now()
			c := hubtest.Dial(t, h, hubtest.Request(""))
			if took := time.Since(start); c.Refused() == nil || took != want {
				t.Errorf("HoldUpgrade %v held for %v, want %v", hold, took, want)
			}
		})
	}
}

// A client that has gone, and a hub that ends, end the waiting at once, also while
// somebody is being asked.
func TestHoldEnds(t *testing.T) {
	block := authz.AuthenticatorFunc(func(ctx context.Context, _ *http.Request) (authz.Identity, error) {
		<-ctx.Done()
		return authz.Identity{}, ctx.Err()
	})
	for name, a := range map[string]authz.Authenticator{
		"between attempts": says(authz.Identity{}, authz.ErrUnavailable), "in a call": block,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := hubtest.Start(t, withAuthenticator(a))
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				start, r := time.Now(), hubtest.Request("")
				if err := h.Ask(ctx, &r); !errors.Is(err, authz.ErrUnavailable) || time.Since(start) != time.Second {
					t.Errorf("after %v: %v, want unavailable when the client has gone", time.Since(start), err)
				}
			})
			synctest.Test(t, func(t *testing.T) {
				h, err := channels.New(withAuthenticator(a))
				if err != nil {
					t.Fatal(err)
				}
				stop := runUntil(t, h)
				start, dialed := time.Now(), make(chan *hubtest.Client)
				go func() { dialed <- hubtest.Dial(t, h, hubtest.Request("")) }()
				time.Sleep(time.Second)
				ended := stop()
				c := <-dialed
				if code, _ := c.Closed(); code != 4100 || time.Since(start) != time.Second {
					t.Errorf("after %v: %d, want 4100 as every newcomer gets from a hub that ends", time.Since(start), code)
				}
				if err := <-ended; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A transport that does not ask lets nobody in.
func TestConnectWithoutAsk(t *testing.T) {
	for name, h := range map[string]func(t *testing.T) *channels.Hub{
		"Authenticator": func(t *testing.T) *channels.Hub {
			return hubtest.Start(t, withAuthenticator(says(authz.Identity{}, nil)))
		},
		"gate": func(t *testing.T) *channels.Hub {
			return startWith(t, hubtest.Config(), func(h *channels.Hub) {
				h.OnConnecting(func(context.Context, *channels.ConnectRequest) (channels.Welcome, error) {
					return channels.Welcome{}, nil
				})
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &gatherConn{t: t}
				if h(t).Connect(c, hubtest.Request("")) != nil {
					t.Error("let in")
				}
			})
		})
	}
}

// An Authenticator is not asked about what is refused anyway, nor where the
// transport has no request.
func TestAskAsksForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		config := withAuthenticator(authz.AuthenticatorFunc(func(context.Context, *http.Request) (authz.Identity, error) {
			asked++
			return authz.Identity{}, nil
		}))
		config.Apps[0].Limits.Connections = 1
		h := hubtest.Start(t, config)
		first := hubtest.Connect(t, h)
		unknown, old, foreign, noRequest := hubtest.Request(""), hubtest.Request(""), hubtest.Request(""), hubtest.Request("")
		unknown.Key = "nobody"
		old.Protocol = "1"
		foreign.HTTP.Header = http.Header{"Origin": {"https://evil.example"}, "Cookie": {"sid=7"}}
		noRequest.HTTP = nil
		for code, r := range map[protocol.CloseCode]channels.ConnectRequest{
			4001: unknown, 4007: old, 4009: foreign, 4004: hubtest.Request(""),
		} {
			if got, _ := hubtest.Dial(t, h, r).Closed(); got != code {
				t.Errorf("closed with %d, want %d", got, code)
			}
		}
		first.Hangup()
		synctest.Wait()
		if got, _ := hubtest.Dial(t, h, noRequest).Closed(); got != 4009 {
			t.Errorf("closed with %d, want 4009", got)
		}
		if asked != 1 {
			t.Errorf("the Authenticator was asked %d times, want once", asked)
		}
	})
}

// An upgrade with an identity counts as known, without a further word.
func TestUpgradeIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := hubtest.Delegated(authz.NewRegistry(), hubtest.Users{"a": {ID: "ada"}})
		config.Apps[0].AuthorizeWithin = 10 * time.Second
		config.Apps[0].Limits.Connections = 1
		h := hubtest.Start(t, config)
		guest, ada := hubtest.Connect(t, h), hubtest.As(t, h, "a")
		if code, _ := hubtest.Dial(t, h, hubtest.Request("a")).Closed(); code != 4004 {
			t.Errorf("a second user was closed with %d, want 4004", code)
		}
		time.Sleep(12 * time.Second)
		if code, _ := guest.Closed(); code != 4009 {
			t.Errorf("the guest was closed with %d, want 4009", code)
		}
		if code, _ := ada.Closed(); code != 0 {
			t.Errorf("ada was closed with %d", code)
		}
		ada.Hangup()
		synctest.Wait()
		hubtest.As(t, h, "a")
	})
}

func TestOrigin(t *testing.T) {
	const host = "hark.example:8443"
	tests := []struct {
		name    string
		auth    bool
		origins []string
		header  http.Header
		ok      bool
	}{
		{"signatures identify clients", false, nil, http.Header{"Origin": {"https://else.example"}, "Cookie": {"a=b"}}, true},
		{"no origin", true, nil, http.Header{"Cookie": {"a=b"}}, true},
		{"no cookie", true, nil, http.Header{"Origin": {"https://else.example"}}, true},
		{"a foreign page with a cookie", true, nil, http.Header{"Origin": {"https://else.example"}, "Cookie": {"a=b"}}, false},
		{"a page without an origin of its own", true, nil, http.Header{"Origin": {"null"}, "Cookie": {"a=b"}}, false},
		{"the same host", true, nil, http.Header{"Origin": {"https://HARK.example:8443"}, "Cookie": {"a=b"}}, true},
		{"another port", true, nil, http.Header{"Origin": {"https://hark.example"}, "Cookie": {"a=b"}}, false},
		{"a host that begins like it", true, nil, http.Header{"Origin": {"https://hark.example:8443.evil.example"}, "Cookie": {"a=b"}}, false},
		{"a program's token", true, nil, http.Header{"Origin": {"https://else.example"}, "Cookie": {"a=b"}, "Authorization": {"Bearer x"}}, true},
		{"a password that the browser knows", true, nil, http.Header{"Origin": {"https://else.example"}, "Authorization": {"Basic eDp5"}}, false},
		{"a ticket that the browser has", true, nil, http.Header{"Origin": {"https://else.example"}, "Authorization": {"Negotiate eDp5"}}, false},
		{"another such ticket", true, nil, http.Header{"Origin": {"https://else.example"}, "Authorization": {"NTLM eDp5"}}, false},
		{"a password that the browser knows, digested", true, nil, http.Header{"Origin": {"https://else.example"}, "Authorization": {"digest a=b"}}, false},
		{"an origin of the list", true, []string{"https://else.example"}, http.Header{"Origin": {"https://else.example"}, "Cookie": {"a=b"}}, true},
		{"another scheme", true, []string{"https://else.example"}, http.Header{"Origin": {"http://else.example"}, "Cookie": {"a=b"}}, false},
		{"the same host with a list", false, []string{"https://else.example"}, http.Header{"Origin": {"https://hark.example:8443"}}, true},
		{"not on the list", false, []string{"https://else.example"}, http.Header{"Origin": {"https://evil.example"}}, false},
		{"a list without an origin", false, []string{"https://else.example"}, http.Header{}, true},
		{"an empty list", false, []string{}, http.Header{"Origin": {"https://evil.example"}}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var w witness
				config := hubtest.Config()
				config.Apps[0].Origins = tt.origins
				if tt.auth {
					config.Apps[0].Authenticator = says(authz.Identity{ID: "ada"}, nil)
				}
				h := startWith(t, config, w.watch)
				r := hubtest.Request("")
				r.HTTP.Host, r.HTTP.Header = host, tt.header
				c := hubtest.Dial(t, h, r)
				code, reason := c.Closed()
				switch {
				case tt.ok && code != 0:
					t.Errorf("closed with %d %s", code, reason)
				case tt.ok:
					c.Hangup()
				case code != 4009 || !strings.Contains(reason, tt.header.Get("Origin")):
					t.Errorf("closed with %d %q, want 4009 that says which origin", code, reason)
				default:
					w.expect(t, `failed: connection from 192.0.2.1:4000 of "" in app 1001`)
				}
			})
		})
	}
}

func TestSameHostOnDefaultPorts(t *testing.T) {
	for _, host := range []string{"hark.example", "hark.example:443"} {
		synctest.Test(t, func(t *testing.T) {
			h := hubtest.Start(t, withAuthenticator(says(authz.Identity{}, nil)))
			r := hubtest.Request("")
			r.HTTP.Host, r.HTTP.Header = host, http.Header{"Origin": {"https://hark.example"}, "Cookie": {"a=b"}}
			c := hubtest.Dial(t, h, r)
			if code, _ := c.Closed(); code != 0 {
				t.Errorf("Host %s: closed with %d", host, code)
			}
			c.Hangup()
		})
	}
}

func TestIdentityConfigFaults(t *testing.T) {
	config := hubtest.Config()
	config.HeldUpgrades = -1
	app := &config.Apps[0]
	app.Origins = []string{"https://app.example/", "app.example", "https://*.example", "https://App.example"}
	app.PublicAllow = []string{"news.{"}
	app.IdentityPattern = "user={user}"
	_, err := channels.New(config)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range append(app.Origins, "PublicAllow", "news.{", "has no {id}", "HeldUpgrades") {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\ndoes not say %q", err, want)
		}
	}
	for pattern, want := range map[string]string{"user={id}": "private-", "private-user={id}": "Policies", "{": "pattern"} {
		config := hubtest.Config()
		config.Apps[0].IdentityPattern = pattern
		config.Apps[0].Policies = authz.NewRegistry()
		if _, err := channels.New(config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("IdentityPattern %q: %v, want an error that says %s", pattern, err, want)
		}
	}
}

// What an Authenticator says of a guest beside that is nobody's: no selector finds
// a guest by a role or a tenant.
func TestGuestHasNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		guest := authz.Identity{Roles: []string{"admin"}, Tenant: "acme", Attrs: map[string]string{"plan": "pro"}}
		h := hubtest.Start(t, withAuthenticator(says(guest, nil)))
		c := hubtest.Connect(t, h)
		if id := c.Socket().Identity(); len(id.Roles) > 0 || id.Tenant != "" || len(id.Attrs) > 0 {
			t.Errorf("the guest is %+v", id)
		}
		for _, to := range []channels.Selector{channels.Roles("admin"), channels.Tenant("acme"), channels.Attr("plan", "pro")} {
			check(t, mustApp(h).Broadcast(t.Context(), to, channels.Event{Name: "e", Data: "1"}))
		}
		c.Expect()
	})
}
