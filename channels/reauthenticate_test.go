package channels_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"hark/authz"
	"hark/channels"
	"hark/channels/hubtest"
	"hark/protocol"
)

// connectMany connects clients, the first of which is silent the longest.
func connectMany(t *testing.T, h *channels.Hub, n int) []*hubtest.Client {
	clients := make([]*hubtest.Client, n)
	for i := range clients {
		clients[i] = hubtest.Connect(t, h)
		time.Sleep(time.Millisecond)
	}
	return clients
}

// closed returns how many are closed, all with 4200, and reports an error unless
// those are the first of them.
func closed(t *testing.T, clients []*hubtest.Client) int {
	t.Helper()
	n := 0
	for i, c := range clients {
		switch code, reason := c.Closed(); code {
		case 0:
		case 4200:
			if n++; n != i+1 {
				t.Errorf("client %d was closed before one that is silent for longer", i)
			}
		default:
			t.Errorf("client %d was closed with %d %s", i, code, reason)
		}
	}
	return n
}

func TestReauthenticate(t *testing.T) {
	for _, tt := range []struct {
		name    string
		clients int
		spread  time.Duration
		over    time.Duration // 0: at once
	}{
		{"few, as it fits", 10, 0, 0},
		{"many, as it fits", 12, 0, 30 * time.Second},
		{"many, at once", 40, -1, 0},
		{"over a time", 20, 10 * time.Second, 10 * time.Second},
		{"one, over a time", 1, time.Minute, 0},
		{"many, over a moment", 20, 20 * time.Millisecond, 20 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := hubtest.Start(t, twoApps())
				clients, theirs := connectMany(t, h, tt.clients), dial(t, h, theirKey)
				check(t, mine(h).Reauthenticate(t.Context(), channels.Everyone(), tt.spread))
				if tt.over == 0 {
					if n := closed(t, clients); n != tt.clients {
						t.Errorf("%d of %d were closed at once", n, tt.clients)
					}
				}
				for i := 1; tt.over >= time.Second && i < tt.clients; i++ {
					if n := closed(t, clients); n != i {
						t.Fatalf("%d of %d were closed before the next one's time, want %d", n, tt.clients, i)
					}
					time.Sleep(tt.over / time.Duration(tt.clients))
				}
				time.Sleep(tt.over)
				if n := closed(t, clients); n != tt.clients {
					t.Errorf("%d of %d were closed in the end", n, tt.clients)
				}
				if code, _ := theirs.Closed(); code != 0 {
					t.Errorf("a connection of another app was closed with %d", code)
				}
				if n := h.Closings(); n != 0 {
					t.Errorf("%d are still to be closed", n)
				}
			})
		})
	}
}

// The earlier time counts, and who has gone is forgotten.
func TestReauthenticateTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hubtest.Start(t, hubtest.Config())
		clients := connectMany(t, h, 20)
		again := func(spread time.Duration) {
			t.Helper()
			check(t, mine(h).Reauthenticate(t.Context(), channels.Everyone(), spread))
			synctest.Wait() // the first of them is closed at once
		}
		again(time.Hour)
		again(20 * time.Second)
		again(30 * time.Minute)
		if n := h.Closings(); n != 20-3 {
			t.Errorf("%d are to be closed, want each once", n)
		}
		clients[19].Hangup()
		synctest.Wait()
		if n := h.Closings(); n != 20-4 {
			t.Errorf("%d are to be closed after one hung up", n)
		}
		time.Sleep(20 * time.Second)
		if n := closed(t, clients[:19]); n != 19 {
			t.Errorf("%d of 19 were closed", n)
		}
		if err := mine(h).Reauthenticate(t.Context(), channels.Everyone(), 2*time.Hour); err == nil {
			t.Error("connections may be closed over two hours")
		}
	})
}

// A hub that ends closes whoever is still waiting.
func TestReauthenticateAndEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hubtest.Start(t, hubtest.Config())
		connectMany(t, h, 20)
		check(t, mine(h).Reauthenticate(t.Context(), channels.Everyone(), time.Hour))
	})
}

// A connection that ends while a pass goes over all is not kept until its time.
func TestReauthenticateEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hubtest.Start(t, hubtest.Config())
		ada := hubtest.Connect(t, h)
		ada.Hangup()
		synctest.Wait()
		ada.Socket().CloseWithin(time.Hour)
		if n := h.Closings(); n != 0 {
			t.Errorf("%d connections are still to be closed, want 0", n)
		}
	})
}

// Who a client is was decided before the command, and it connects after it.
func TestCommandWhileConnecting(t *testing.T) {
	for _, tt := range []struct {
		name    string
		command func(*channels.App) error
		code    protocol.CloseCode // 0: the connection stays
	}{
		{"reauthenticate", func(a *channels.App) error { return a.Reauthenticate(context.Background(), channels.Users("7"), 0) }, 4200},
		{"terminate", func(a *channels.App) error { return a.TerminateSelected(context.Background(), channels.Users("7"), "") }, 4009},
		{"somebody else", func(a *channels.App) error { return a.Reauthenticate(context.Background(), channels.Users("9"), 0) }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				decided := make(chan struct{})
				c := hubtest.Config()
				c.Apps[0].Authenticator = authz.AuthenticatorFunc(func(context.Context, *http.Request) (authz.Identity, error) {
					<-decided
					return authz.Identity{ID: "7"}, nil
				})
				h := hubtest.Start(t, c)
				connected := make(chan *hubtest.Client, 1)
				go func() { connected <- hubtest.Dial(t, h, hubtest.Request("")) }()
				synctest.Wait()
				app, _ := h.App(hubtest.AppID)
				check(t, tt.command(app))
				close(decided)
				if code, reason := (<-connected).Closed(); code != tt.code {
					t.Errorf("closed with %d %q, want %d", code, reason, tt.code)
				}
			})
		})
	}
}
