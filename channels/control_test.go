package channels_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json"

	"hark/authz"
	"hark/channels"
	"hark/channels/hubtest"
	"hark/protocol"
)

// A Control survives being carried as bytes.
func TestControlJSON(t *testing.T) {
	t.Parallel()
	c := channels.Control{
		Version: channels.ControlVersion, ID: 1<<64 - 1, Do: "revoke", To: channels.Users("7").But(channels.On("news")),
		Channels: "private-{x...}", Reason: "because", SpreadMS: -1500,
		Name: "e", Data: `{"x":1}`, Except: []protocol.SocketID{"1.1"}, User: "7",
	}
	text, err := json.Marshal(c)
	check(t, err)
	var back channels.Control
	if check(t, json.Unmarshal(text, &back)); !reflect.DeepEqual(back, c) {
		t.Errorf("%s was read as %+v", text, back)
	}
	text, err = json.Marshal(channels.Control{Version: 1, ID: 2, Do: "invalidate"})
	check(t, err)
	if want := `{"version":1,"id":2,"do":"invalidate"}`; string(text) != want {
		t.Errorf("wrote %s, want %s", text, want)
	}
}

// A cluster is a broker to which a test speaks as another node does.
type cluster struct {
	*channels.Memory
	sink channels.Sink
}

func (c *cluster) Run(ctx context.Context, s channels.Sink) error {
	c.sink = s
	return c.Memory.Run(ctx, s)
}

// ask has another node ask for something.
func (c *cluster) ask(t *testing.T, control channels.Control) {
	t.Helper()
	e := channels.Envelope{Kind: channels.KindControl, Place: controlPlace(hubtest.AppID), Control: &control}
	_, err := c.Publish(t.Context(), e)
	check(t, err)
}

func controlPlace(app string) channels.Place {
	return channels.Place{App: app, Channel: channels.ControlChannel}
}

// drops counts what was dropped, by reason.
type drops struct {
	mu sync.Mutex
	n  map[channels.DropReason]int
}

func (d *drops) Dropped(r channels.DropReason, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.n[r] += n
}

func (d *drops) Closed(protocol.CloseCode) {}
func (d *drops) Listed(int)                {}

func startCluster(t *testing.T) (*channels.Hub, *cluster, *drops) {
	c, d := &cluster{Memory: channels.NewMemory()}, &drops{n: map[channels.DropReason]int{}}
	config := twoApps()
	config.Broker, config.Counters = c, d
	for i := range config.Apps {
		config.Apps[i].Authenticator = staff
	}
	return hubtest.Start(t, config), c, d
}

// What another node asks for is done here.
func TestControlOfAnotherNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, cluster, _ := startCluster(t)
		ada, bob := hubtest.As(t, h, "7"), hubtest.As(t, h, "9")
		for _, c := range []*hubtest.Client{ada, bob} {
			c.Subscribe("private-x")
			c.Take()
		}
		cluster.ask(t, channels.Control{Version: 1, ID: 1, Do: "revoke", To: channels.Users("7"), Channels: "private-x", Reason: "no"})
		cluster.ask(t, channels.Control{Version: 1, ID: 2, Do: "broadcast", To: channels.On("private-x"), Name: "e", Data: "1"})
		ada.Expect(takenBack("private-x", "no"))
		bob.Expect(`{"event":"e","data":"1"}`)
		cluster.ask(t, channels.Control{Version: 1, ID: 3, Do: "terminate", To: channels.Users("9"), Reason: "bye"})
		if code, reason := bob.Closed(); code != 4009 || reason != "bye" {
			t.Errorf("closed with %d %q", code, reason)
		}
	})
}

// Events for some subscribers, of another node; those that are for nobody knows whom
// are for nobody.
func TestEventsForSomeOfAnotherNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, cluster, _ := startCluster(t)
		ada, bob := hubtest.As(t, h, "7"), hubtest.As(t, h, "9")
		for _, c := range []*hubtest.Client{ada, bob} {
			c.Subscribe("news")
			c.Take()
		}
		for _, to := range []channels.Selector{channels.Users("7"), {}, channels.On("{")} {
			e := channels.Envelope{Place: channels.Place{App: hubtest.AppID, Channel: "news"}, Name: "e", Data: "1", To: &to}
			_, err := cluster.Publish(t.Context(), e)
			check(t, err)
		}
		ada.Expect(event("e", "news", "1"))
		bob.Expect()
	})
}

// Where it is not known what was asked for, all of the app connect anew, and no
// grant from before is redeemed.
func TestControlLost(t *testing.T) {
	for name, lose := range map[string]func(*testing.T, *cluster){
		"of a newer node": func(t *testing.T, c *cluster) {
			c.ask(t, channels.Control{Version: channels.ControlVersion + 1, ID: 1, Do: "revoke", To: channels.Users("9"), Channels: "private-x"})
		},
		"that nobody understands": func(t *testing.T, c *cluster) {
			c.ask(t, channels.Control{Version: 1, ID: 1, Do: "dance", To: channels.Everyone()})
		},
		"to nobody": func(t *testing.T, c *cluster) {
			c.ask(t, channels.Control{Version: 1, ID: 1, Do: "revoke", Channels: "private-x"})
		},
		"in a gap": func(t *testing.T, c *cluster) {
			c.sink.Gap(controlPlace(hubtest.AppID), channels.Snapshot{Position: channels.Position{Epoch: 7, Seq: 100}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, cluster, _ := startCluster(t)
				clients, other := connectMany(t, h, 20), theirs(t, h, "7")
				before := mine(h).Moment()
				lose(t, cluster)
				synctest.Wait()
				if after := mine(h).Moment(); after <= before {
					t.Errorf("the moment went from %d to %d", before, after)
				}
				time.Sleep(15 * time.Second)
				if n := closed(t, clients); n < 9 || n > 11 {
					t.Errorf("%d of 20 were closed after half of the time", n)
				}
				time.Sleep(15 * time.Second)
				if n := closed(t, clients); n != 20 {
					t.Errorf("%d of 20 were closed", n)
				}
				if code, _ := other.Closed(); code != 0 {
					t.Errorf("a client of another app was closed with %d", code)
				}
				check(t, mine(h).Broadcast(t.Context(), channels.Everyone(), channels.Event{Name: "e"})) // all goes on
			})
		})
	}
}

// An app for which too much is asked loses no revocation, and costs no other app
// anything.
func TestControlTooMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, cluster, drops := startCluster(t)
		ada, other := hubtest.As(t, h, "7"), theirs(t, h, "7")
		blocked := make(chan struct{})
		r := hubtest.Request("")
		check(t, h.Ask(t.Context(), &r))
		stuck := h.Connect(diarist{&diary{wires: map[*byte]bool{}}, blocked}, r)
		t.Cleanup(stuck.End)
		go mine(h).Broadcast(t.Context(), channels.Sockets(string(stuck.ID())), channels.Event{Name: "all", Data: "1"}) // holds a flusher up
		synctest.Wait()

		// What this node asks for is refused in time.
		big := channels.Event{Name: "big", Data: strings.Repeat("d", 1<<20)}
		refused := 0
		for range 10 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			if err := mine(h).Broadcast(ctx, channels.Users("9"), big); errors.Is(err, channels.ErrBusy) {
				refused++
			} else if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Broadcast: %v", err)
			}
			cancel()
		}
		if refused != 7 {
			t.Errorf("%d of 10 broadcasts of 1 MiB were refused, want all but three: half of 8 MiB is for this node", refused)
		}
		for i := range uint64(10) {
			cluster.ask(t, channels.Control{Version: 1, ID: i + 1, Do: "broadcast", To: channels.Users("9"), Name: "big", Data: big.Data})
		}
		cluster.ask(t, channels.Control{Version: 1, ID: 20, Do: "revoke", To: channels.Users("7"), Channels: "private-x"})
		cluster.ask(t, channels.Control{Version: 1, ID: 21, Do: "broadcast", To: channels.Users("9"), Name: "big", Data: big.Data})
		synctest.Wait()
		if drops.n[channels.DropControl] != 7 {
			t.Errorf("%d commands were dropped, want 7 of 1 MiB beyond the bound", drops.n[channels.DropControl])
		}
		close(blocked)
		if code, _ := ada.Closed(); code != 4200 {
			t.Errorf("ada was closed with %d, want 4200", code)
		}
		if code, _ := other.Closed(); code != 0 {
			t.Errorf("a client of another app was closed with %d", code)
		}
		// All have connected anew, and what is decided from now on counts.
		if now := mine(h).Moment(); now != 1+1+3+10+2 {
			t.Errorf("the moment is %d, want one more for each of 16 commands, lost or not", now)
		}
		again := hubtest.As(t, h, "9")
		check(t, mine(h).Broadcast(t.Context(), channels.Users("9"), channels.Event{Name: "e", Data: "1"}))
		again.Expect(`{"event":"e","data":"1"}`)
	})
}

// Who asks does not wait beyond its context, nor beyond the hub.
func TestControlWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := hubtest.Config()
		hang := make(chan struct{})
		config.Apps[0].Invalidate = func(string) { <-hang }
		h, err := channels.New(config)
		check(t, err)
		if err := mine(h).Revoke(t.Context(), channels.Everyone(), "x", ""); !errors.Is(err, channels.ErrUnavailable) {
			t.Errorf("before Run: %v, want ErrUnavailable", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- h.Run(ctx) }()
		synctest.Wait()

		short, done := context.WithTimeout(t.Context(), time.Second)
		defer done()
		if err := mine(h).Revoke(short, channels.Everyone(), "x", ""); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Revoke: %v, want the end of the context", err)
		}
		// One who forgets too slowly does not keep a permission alive.
		start := time.Now()
		check(t, mine(h).Revoke(t.Context(), channels.Everyone(), "x", ""))
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("Revoke took %v", d)
		}
		waits := make(chan error, 1)
		go func() { waits <- mine(h).Revoke(t.Context(), channels.Everyone(), "x", "") }()
		synctest.Wait()
		cancel()
		if err := <-waits; err != nil && !strings.Contains(err.Error(), "the hub has ended") {
			t.Errorf("a Revoke while the hub ends: %v", err)
		}
		check(t, <-ran)
		if err := mine(h).Revoke(t.Context(), channels.Everyone(), "x", ""); err == nil || !strings.Contains(err.Error(), "the hub has ended") {
			t.Errorf("after Run: %v", err)
		}
		close(hang)
	})
}

// An app whose answers are forgotten too slowly holds up its own commands, and no other's.
func TestControlOfEachAppByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := twoApps()
		hang := make(chan struct{})
		config.Apps[0].Aliases = []string{"app-id"}
		config.Apps[0].Invalidate = func(string) { <-hang }
		h := hubtest.Start(t, config)
		other, _ := h.App("2")
		client := dial(t, h, theirKey)
		began := time.Now()
		mineTook := make(chan time.Duration)
		for range 3 {
			go func() {
				check(t, mine(h).Invalidate(t.Context(), "7"))
				mineTook <- time.Since(began)
			}()
		}
		synctest.Wait()
		for i := range 3 {
			check(t, other.Broadcast(t.Context(), channels.Everyone(), channels.Event{Name: "e", Data: fmt.Sprint(i)}))
			client.Expect(fmt.Sprintf(`{"event":"e","data":"%d"}`, i))
			check(t, other.Revoke(t.Context(), channels.Everyone(), "private-x", ""))
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("another app's commands took %v", took)
		}
		for range 3 {
			if took := <-mineTook; took < authz.HookTimeout || took > 3*authz.HookTimeout {
				t.Errorf("a command of the app took %v, want %v for each of three at most", took, authz.HookTimeout)
			}
		}
		close(hang)
	})
}
