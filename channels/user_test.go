package channels_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hark/channels"
	"hark/channels/hubtest"
	"hark/protocol"
)

func signedIn(userData string) string {
	return string(protocol.SigninSuccess(userData).Frame().JSON())
}

func watchlist(online, offline []string) string {
	return string(protocol.WatchlistEvents(online, offline).Frame().JSON())
}

func usersHub(t *testing.T) *channels.Hub {
	config := hubtest.Config()
	config.Apps[0].Watchlists = true
	return hubtest.Start(t, config)
}

func TestSignin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := usersHub(t)
		ada, bob := hubtest.Connect(t, h), hubtest.Connect(t, h)
		ada.Subscribe("#server-to-user-ada")
		if got := ada.Take(); len(got) != 2 || !strings.Contains(got[1], "sign in as that user first") {
			t.Errorf("a guest on a user's channel: %q", got)
		}
		ada.Signin(`{"id":"ada"}`)
		ada.Expect(signedIn(`{"id":"ada"}`))
		ada.Signin(`{"id":"ada"}`)
		ada.Expect(signedIn(`{"id":"ada"}`))
		ada.Signin(`{"id":"bob"}`)
		ada.Expect(`{"event":"pusher:error","data":{"code":null,"message":"Already signed in as another user, connect anew to sign in as bob"}}`)
		bob.Signin(`{"id":"bob"}`)
		bob.Take()
		ada.Subscribe("#server-to-user-ada")
		ada.Expect(succeeded("#server-to-user-ada"))
		bob.Subscribe("#server-to-user-ada")
		if got := bob.Take(); len(got) != 2 {
			t.Errorf("bob on ada's channel: %q", got)
		}
		trigger(t, h, channels.Trigger{Name: "e", Data: "1", Channels: []string{"#server-to-user-ada"}})
		ada.Expect(event("e", "#server-to-user-ada", "1"))
		bob.Expect()
		app, _ := h.App(hubtest.AppID)
		if all, _ := app.Occupied(t.Context(), ""); len(all) != 0 {
			t.Errorf("channels of the server's own are listed: %v", all)
		}
	})
}

// Presence without channel_data takes the user from the signin.
func TestPresenceOfSignedInUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := usersHub(t)
		c := hubtest.Connect(t, h)
		c.Subscribe("presence-x")
		if got := c.Take(); len(got) != 2 || !strings.Contains(got[0], "must include channel_data") {
			t.Errorf("a guest without channel_data: %q", got)
		}
		c.Signin(`{"id":"ada","user_info":{"name":"Ada"}}`)
		c.Take()
		c.Subscribe("presence-x")
		c.Expect(event("pusher_internal:subscription_succeeded", "presence-x",
			`{"presence":{"count":1,"ids":["ada"],"hash":{"ada":{"name":"Ada"}}}}`))
	})
}

func TestTerminate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := usersHub(t)
		a1, a2, member, watcher := hubtest.Connect(t, h), hubtest.Connect(t, h), hubtest.Connect(t, h), hubtest.Connect(t, h)
		a1.Signin(`{"id":"ada"}`)
		a2.Signin(`{"id":"ada"}`)
		member.Join("presence-x", "ada")
		watcher.Signin(`{"id":"bob","watchlist":["ada"]}`)
		app, _ := h.App(hubtest.AppID)
		for _, user := range []string{"ada", "nobody"} {
			if err := app.Terminate(t.Context(), user); err != nil {
				t.Fatal(err)
			}
		}
		for name, c := range map[string]*hubtest.Client{"first tab": a1, "second tab": a2} {
			if code, reason := c.Closed(); code != 4009 || reason != "You got disconnected by the app." {
				t.Errorf("the %s was closed with %d %q, want 4009", name, code, reason)
			}
		}
		for name, c := range map[string]*hubtest.Client{"member of a channel": member, "watcher": watcher} {
			if code, _ := c.Closed(); code != 0 {
				t.Errorf("the %s was closed with %d: only signing in makes a user's connection", name, code)
			}
		}
	})
}

func TestWatchlist(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := usersHub(t)
		bob := hubtest.Connect(t, h)
		bob.Signin(`{"id":"bob"}`)
		const mine = `{"id":"ada","watchlist":["bob","eve","bob"]}`
		ada := hubtest.Connect(t, h)
		ada.Signin(mine)
		ada.Expect(signedIn(mine), watchlist([]string{"bob"}, []string{"eve"}))

		eve, eve2 := hubtest.Connect(t, h), hubtest.Connect(t, h)
		eve.Signin(`{"id":"eve"}`)
		ada.Expect(watchlist([]string{"eve"}, nil))
		eve2.Signin(`{"id":"eve"}`)
		eve.Hangup()
		time.Sleep(10 * time.Second)
		ada.Expect()

		// A reload is no going offline.
		eve2.Hangup()
		time.Sleep(2 * time.Second)
		eve = hubtest.Connect(t, h)
		eve.Signin(`{"id":"eve"}`)
		time.Sleep(10 * time.Second)
		ada.Expect()

		eve.Hangup()
		time.Sleep(2 * time.Second)
		ada.Expect()
		time.Sleep(3 * time.Second)
		ada.Expect(watchlist(nil, []string{"eve"}))
		ada.Hangup()
		synctest.Wait()
	})
}

// What happens between the look at the watchlist and the joining of a place is
// told all the same.
func TestWatchlistOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := newRemote(100 * time.Millisecond)
		config := hubtest.Config()
		config.Apps[0].Watchlists = true
		config.Broker = broker
		h := hubtest.Start(t, config)
		ada, eve := hubtest.Connect(t, h), hubtest.Connect(t, h)
		ada.Signin(`{"id":"ada","watchlist":["eve","u1","u2","u3","u4"]}`)
		time.Sleep(450 * time.Millisecond)
		eve.Signin(`{"id":"eve"}`)
		time.Sleep(5 * time.Second)
		online := false
		for _, m := range ada.Take()[1:] {
			online = strings.Contains(m, `\"online\",\"user_ids\":[\"eve\"`)
		}
		if !online {
			t.Error("the last that ada heard of eve is not that she is online")
		}
	})
}

// A user who goes while somebody begins to watch has three seconds to come back, too.
func TestWatchlistGoneMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := newRemote(0)
		config := hubtest.Config()
		config.Apps[0].Watchlists = true
		config.Broker = broker
		h := hubtest.Start(t, config)
		broker.setReply(time.Second)
		ada, bob := hubtest.Connect(t, h), hubtest.Connect(t, h)
		bob.Signin(`{"id":"bob"}`)
		time.Sleep(2 * time.Second)
		const mine = `{"id":"ada","watchlist":["bob"]}`
		ada.Signin(mine)
		time.Sleep(1500 * time.Millisecond)
		bob.Hangup() // ada is told a moment later that he was there
		time.Sleep(4400 * time.Millisecond)
		ada.Expect(signedIn(mine), watchlist([]string{"bob"}, nil))
		time.Sleep(200 * time.Millisecond)
		ada.Expect(watchlist(nil, []string{"bob"}))
	})
}

// Whoever begins to watch while a user's absence is not told yet is told of its
// return.
func TestWatchlistDuringAbsence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := usersHub(t)
		carol, bob := hubtest.Connect(t, h), hubtest.Connect(t, h)
		carol.Signin(`{"id":"carol","watchlist":["bob"]}`)
		bob.Signin(`{"id":"bob"}`)
		bob.Hangup()
		time.Sleep(time.Second)
		ada := hubtest.Connect(t, h)
		ada.Signin(`{"id":"ada","watchlist":["bob"]}`)
		time.Sleep(time.Second)
		hubtest.Connect(t, h).Signin(`{"id":"bob"}`)
		time.Sleep(10 * time.Second)
		got := ada.Take()
		if last := got[len(got)-1]; last != watchlist([]string{"bob"}, nil) {
			t.Errorf("the last that ada heard is %s, and bob is online", last)
		}
	})
}

// A watcher that goes while its watchlist is being entered leaves nothing
// behind, also when the broker is slow or away for a while.
func TestWatcherHangsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := newRemote(100 * time.Millisecond)
		config := hubtest.Config()
		config.Apps[0].Watchlists = true
		config.Broker = broker
		h := hubtest.Start(t, config)
		for i := range 8 {
			c := hubtest.Connect(t, h)
			c.Signin(`{"id":"ada","watchlist":["bob","eve"]}`)
			time.Sleep(time.Duration(i) * 60 * time.Millisecond)
			broker.setDown(i%2 == 1)
			time.Sleep(time.Duration(i) * 60 * time.Millisecond)
			c.Hangup()
			broker.setDown(false)
			time.Sleep(20 * time.Second)
			if all, _ := broker.Occupied(t.Context(), hubtest.AppID, ""); len(all) != 0 {
				t.Errorf("round %d left behind %v", i, all)
			}
		}
	})
}

func TestWatchlistLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := usersHub(t)
		for n, want := range map[int]string{100: "", 101: `"code":4302`} {
			ids := make([]string, n)
			for i := range ids {
				ids[i] = fmt.Sprintf(`"u%d"`, i)
			}
			c := hubtest.Connect(t, h)
			c.Signin(`{"id":"ada","watchlist":[` + strings.Join(ids, ",") + `]}`)
			messages := c.Take()
			got, initial := strings.Join(messages, "\n"), messages[len(messages)-1]
			if !strings.Contains(got, "signin_success") || !strings.Contains(got, want) || (want == "") != !strings.Contains(got, "4302") {
				t.Errorf("%d watched users: %s", n, got)
			}
			if strings.Contains(initial, "u100\\") || !strings.Contains(initial, "u99\\") {
				t.Errorf("%d watched users: not the first 100 are told of", n)
			}
			c.Hangup()
			synctest.Wait()
		}
	})
}

// A connection that shows nothing in time is closed, and does not count.
func TestAuthorizeWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := hubtest.Config()
		config.Apps[0].AuthorizeWithin = 30 * time.Second
		config.Apps[0].Limits.Connections = 3
		h := hubtest.Start(t, config)
		var guests, known []*hubtest.Client
		for range 4 {
			c := hubtest.Connect(t, h)
			c.Subscribe("orders")
			guests = append(guests, c)
		}
		for range 3 {
			known = append(known, hubtest.Connect(t, h))
		}
		known[0].Signin(`{"id":"ada"}`)
		known[1].Subscribe("private-x")
		known[2].Join("presence-x", "bob")
		guests[0].Say(`{"event":"pusher:subscribe","data":{"channel":"private-x","auth":"app-key:wrong"}}`)
		guests[1].Subscribe("presence-x") // signed, and refused for its missing channel_data
		guests[3].Signin(`{"id":"eve"}`)
		if code, _ := guests[3].Closed(); code != 4004 {
			t.Errorf("the fourth who is known was closed with %d, want 4004: there may be three", code)
		}
		time.Sleep(29 * time.Second)
		if code, _ := guests[0].Closed(); code != 0 {
			t.Errorf("closed with %d before its time was over", code)
		}
		time.Sleep(2 * time.Second)
		for _, c := range guests[:3] {
			if code, reason := c.Closed(); code != 4009 || reason != "Connection not authorized within timeout" {
				t.Errorf("a stranger was closed with %d %q, want 4009", code, reason)
			}
		}
		for _, c := range known {
			if code, _ := c.Closed(); code != 0 {
				t.Errorf("one who is known was closed with %d", code)
			}
		}
		known[0].Hangup()
		synctest.Wait()
		next := hubtest.Connect(t, h)
		next.Signin(`{"id":"eve"}`)
		next.Expect(signedIn(`{"id":"eve"}`))
	})
}
