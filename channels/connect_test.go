package channels_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hark/authz"
	"hark/channels"
	"hark/channels/hubtest"
	"hark/protocol"
)

func TestConnect(t *testing.T) {
	tests := []struct {
		name    string
		request channels.ConnectRequest
		code    protocol.CloseCode
		reason  string
	}{
		{"current protocol", channels.ConnectRequest{Key: "app-key", Protocol: "7", HasProtocol: true}, 0, ""},
		{"oldest protocol", channels.ConnectRequest{Key: "app-key", Protocol: "4", HasProtocol: true}, 0, ""},
		{"second key of the app", channels.ConnectRequest{Key: "newer-key", Protocol: "7", HasProtocol: true}, 0, ""},
		{"unknown key", channels.ConnectRequest{Key: "nobody", Protocol: "7", HasProtocol: true}, 4001,
			"App key nobody not in this cluster. Did you forget to specify the cluster?"},
		{"secret for a key", channels.ConnectRequest{Key: "app-secret", Protocol: "7", HasProtocol: true}, 4001, "App key"},
		{"disabled app", channels.ConnectRequest{Key: "off-key", Protocol: "7", HasProtocol: true}, 4003, "disabled"},
		{"too old a protocol", channels.ConnectRequest{Key: "app-key", Protocol: "3", HasProtocol: true}, 4007, "Unsupported"},
		{"no number", channels.ConnectRequest{Key: "app-key", Protocol: "seven", HasProtocol: true}, 4006, "version"},
		{"neither protocol nor version", channels.ConnectRequest{Key: "app-key"}, 4008, "No protocol"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				config := hubtest.Config()
				config.Apps[0].Keys = append(config.Apps[0].Keys, authz.Key{Key: "newer-key", Secret: "s"})
				config.Apps = append(config.Apps, channels.AppConfig{
					ID: "2", Keys: authz.Keys{{Key: "off-key", Secret: "s"}}, Disabled: true,
				})
				c := hubtest.Dial(t, hubtest.Start(t, config), tt.request)
				code, reason := c.Closed()
				if code != tt.code || !strings.Contains(reason, tt.reason) {
					t.Errorf("closed with %d %q, want %d %q", code, reason, tt.code, tt.reason)
				}
				got := strings.Join(c.Take(), "\n")
				want := `{"event":"pusher:connection_established","data":"{\"socket_id\":\"`
				if tt.code != 0 {
					want = `{"event":"pusher:error","data":{"code":4`
				}
				if !strings.HasPrefix(got, want) || strings.Contains(got, "\n") {
					t.Errorf("got %s, want one message beginning with %s", got, want)
				}
				if c.Socket() != nil {
					c.Hangup()
				}
			})
		})
	}
}

// The quota counts live connections: the last one is accepted, the next is
// refused, and one that ends makes room.
func TestConnectionQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := hubtest.Config()
		config.Apps[0].Limits.Connections = 2
		h := hubtest.Start(t, config)
		request := channels.ConnectRequest{Key: hubtest.Key, Protocol: "7", HasProtocol: true}
		first := hubtest.Connect(t, h)
		hubtest.Connect(t, h)
		if code, reason := hubtest.Dial(t, h, request).Closed(); code != 4004 || reason != "Account over quota" {
			t.Errorf("the third was closed with %d %q, want 4004", code, reason)
		}
		first.Hangup()
		synctest.Wait()
		hubtest.Connect(t, h)
	})
}

// What is asked for before Run is answered once it runs.
func TestConnectBeforeRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, err := channels.New(hubtest.Config())
		if err != nil {
			t.Fatal(err)
		}
		if h.Ready() == nil {
			t.Error("ready before Run")
		}
		c := hubtest.Connect(t, h)
		c.Subscribe("orders")
		c.Expect()
		hubtest.Run(t, h)
		time.Sleep(time.Second)
		c.Expect(`{"event":"pusher_internal:subscription_succeeded","channel":"orders","data":"{}"}`)
		if err := h.Ready(); err != nil {
			t.Errorf("Ready: %v", err)
		}
	})
}

func TestSilence(t *testing.T) {
	const activity, pong = 50 * time.Second, 30 * time.Second
	const ping = `{"event":"pusher:ping","data":"{}"}`

	t.Run("a silent client is pinged, then closed", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := hubtest.Connect(t, hubtest.Start(t, hubtest.Config()))
			time.Sleep(activity - time.Second)
			c.Expect()
			time.Sleep(2 * time.Second)
			c.Expect(ping)
			time.Sleep(pong - 3*time.Second)
			if code, _ := c.Closed(); code != 0 {
				t.Fatalf("closed with %d before the pong wait was over", code)
			}
			time.Sleep(3 * time.Second)
			if code, reason := c.Closed(); code != 4201 || reason != "Pong reply not received" {
				t.Errorf("closed with %d %q, want 4201", code, reason)
			}
		})
	})
	for name, answer := range map[string]func(*hubtest.Client){
		"pusher:pong":             func(c *hubtest.Client) { c.Say(`{"event":"pusher:pong","data":{}}`) },
		"a frame of any kind":     func(c *hubtest.Client) { c.Socket().Alive() },
		"even an invalid message": func(c *hubtest.Client) { c.Say(`nonsense`) },
	} {
		t.Run(name+" keeps the connection", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := hubtest.Connect(t, hubtest.Start(t, hubtest.Config()))
				for range 5 {
					time.Sleep(activity + 10*time.Second)
					if got := c.Take(); len(got) != 1 || got[0] != ping {
						t.Fatalf("got %q, want a ping", got)
					}
					answer(c)
					c.Take()
				}
				if code, _ := c.Closed(); code != 0 {
					t.Errorf("closed with %d", code)
				}
			})
		})
	}
	t.Run("being sent to is no sign of life", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := hubtest.Start(t, hubtest.Config())
			c := hubtest.Connect(t, h)
			c.Subscribe("orders")
			app, _ := h.App(hubtest.AppID)
			for range 9 {
				time.Sleep(10 * time.Second)
				if err := app.Trigger(t.Context(), channels.Trigger{Name: "e", Data: "1", Channels: []string{"orders"}}); err != nil {
					t.Fatal(err)
				}
			}
			if code, _ := c.Closed(); code != 4201 {
				t.Errorf("closed with %d after 90 s of silence, want 4201", code)
			}
		})
	})
}

// A hub that ends closes everybody with 4200, idle ones first and spread over
// the drain, refuses newcomers with 4100, and tells the broker who has left.
func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := hubtest.Config()
		config.Drain = 10 * time.Second
		memory := channels.NewMemory()
		config.Broker = memory
		h, err := channels.New(config)
		if err != nil {
			t.Fatal(err)
		}
		stop := runUntil(t, h)
		var clients []*hubtest.Client
		for range 100 {
			c := hubtest.Connect(t, h)
			c.Subscribe("orders")
			clients = append(clients, c)
			time.Sleep(time.Millisecond)
		}
		clients[0].Say(`{"event":"pusher:ping","data":{}}`) // the least idle now
		ended := stop()
		synctest.Wait()
		if err := h.Ready(); err == nil {
			t.Error("ready while draining")
		}
		if code, _ := hubtest.Dial(t, h, channels.ConnectRequest{Key: hubtest.Key, Protocol: "7", HasProtocol: true}).Closed(); code != 4100 {
			t.Errorf("a newcomer was closed with %d, want 4100: 42xx in a handshake makes a hot loop", code)
		}
		time.Sleep(5 * time.Second)
		open := 0
		for _, c := range clients {
			if code, _ := c.Closed(); code == 0 {
				open++
			} else if code != 4200 {
				t.Errorf("closed with %d, want 4200", code)
			}
		}
		if open < 40 || open > 60 {
			t.Errorf("%d of 100 connections are open at half time", open)
		}
		if code, _ := clients[0].Closed(); code != 0 {
			t.Error("the busiest client was closed among the first")
		}
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		if code, _ := clients[0].Closed(); code != 4200 {
			t.Errorf("closed with %d, want 4200", code)
		}
		if all, _ := memory.Occupied(t.Context(), hubtest.AppID, ""); len(all) != 0 {
			t.Errorf("%v are still occupied", all)
		}
		if h.Go(func() {}) {
			t.Error("a goroutine could be started after the hub had ended")
		}
	})
}

// runUntil runs h; the function it returns ends it.
func runUntil(t *testing.T, h *channels.Hub) func() <-chan error {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	synctest.Wait()
	return func() <-chan error {
		cancel()
		return done
	}
}

func TestConfigFaults(t *testing.T) {
	key := authz.Keys{{Key: "k", Secret: "s"}}
	_, err := channels.New(channels.Config{
		ActivityTimeout: time.Millisecond,
		Pacing:          0.5,
		Apps: []channels.AppConfig{
			{ID: "1", Keys: key},
			{ID: "1", Keys: key},
			{ID: "2", Aliases: []string{"1"}, Keys: authz.Keys{{Key: "", Secret: "s"}}},
			{ID: "3"},
			{ID: "4", Keys: authz.Keys{{Key: "a:b", Secret: "s"}}},
		},
	})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"ActivityTimeout", "Pacing", `two apps have the id "1"`, `the key "k" is given twice`, "empty key or secret", `app "3" has no key`, "colon"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\ndoes not say %q", err, want)
		}
	}
}
