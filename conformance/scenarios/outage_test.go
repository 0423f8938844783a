package scenarios

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hark/channels/redisbroker/redistest"
)

// anybody answers authenticate: whoever has a token is the user of that name. At the auth endpoint it takes its time, in which
// all that a page asks there has arrived.
func anybody(_ *world, q question) (int, any) {
	if q.For != "upgrade" {
		<-time.After(250 * time.Millisecond)
	}
	token, ok := strings.CutPrefix(q.header.Get("Authorization"), "Bearer ")
	if !ok {
		token, _, ok = strings.Cut(strings.TrimPrefix(q.Path, "/t/"), "/app/")
	}
	if !ok {
		return http.StatusOK, map[string]any{"user": nil}
	}
	return http.StatusOK, map[string]any{"user": map[string]string{"id": token}}
}

// All clients lose their connections while the application does not answer. Who stays connected notices nothing; when it
// answers again, all are back on all of their channels, at the cost of a few questions each.
func callbackDown(t *testing.T, w *world, n int, outage time.Duration) {
	p := startProxy(t, w.hosts...)
	stays := w.client("stays")
	stays.subscribe("private-stays")
	var rooms []string
	for i := range 10 {
		rooms = append(rooms, fmt.Sprint("private-room", i))
	}
	clients := make([]*client, n)
	began := time.Now()
	for i := range clients {
		clients[i] = w.connectTo(p.address, user(fmt.Sprint("u", i)))
		clients[i].patience = 2 * time.Minute
		clients[i].subscribing(rooms...)
	}
	back := func() time.Duration {
		for _, c := range clients {
			c.connected()
			for _, room := range rooms {
				c.until(room, succeeded+" {}")
			}
		}
		return time.Since(began)
	}
	took := back()
	calls := w.cb.count()
	figure("C.2 %d clients with 10 channels each connected in %v: %s", n, took.Round(time.Millisecond), calls)

	w.cb.setDown(true)
	before := w.cb.total()
	clock, stop := redistest.StartClock(outage)
	defer stop()
	began = time.Now()
	p.cut()
	_, socket := stays.state()
	var refusals []time.Duration
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for i := 0; time.Since(began) < outage; i++ {
		w.trigger("private-stays", "still", i)
		stays.sees("private-stays", fmt.Sprint("still ", i))
		asked := time.Now()
		if got := w.authorize("stays", socket, "private-room0"); got.status == 503 {
			refusals = append(refusals, time.Since(asked))
		}
		<-tick.C
	}
	down := w.cb.total() - before
	w.cb.setDown(false)
	took = back()
	short := outage < 5*time.Second && took-clock.Now() < time.Second // then clients are only kept waiting
	slices.Sort(refusals)
	figure("C.2 the callback was down for %v, in which it was asked %d times; the auth endpoint answered 503 within %v (median of %d)",
		outage, down, refusals[len(refusals)/2].Round(100*time.Microsecond), len(refusals))
	figure("C.2 all %d were back on all channels %v after the cut, %v after the end of the outage; %s since the cut", n,
		took.Round(100*time.Millisecond), (took - outage).Round(100*time.Millisecond), w.cb.count().minus(calls))
	var connected []time.Duration // after the cut
	for _, c := range clients {
		for _, h := range c.all("connection") {
			if at := time.UnixMilli(int64(h.At)); h.Event == "connected" && at.After(began) {
				connected = append(connected, at.Sub(began).Round(100*time.Millisecond))
			}
			if h.Event == "disconnected" || h.Event == "failed" || short && h.Event == "unavailable" {
				t.Errorf("a client ended up %s:\n%s", h.Event, c.journal)
			}
		}
	}
	slices.Sort(connected)
	figure("C.2 they were connected after: the first %v, half %v, 90%% %v, the last %v",
		connected[0], connected[n/2], connected[n*9/10], connected[len(connected)-1])
	if after := w.cb.total() - before - down; after > 4*n {
		t.Errorf("%d clients cost %d callbacks to come back, want a few each and not one a channel", n, after)
	}
	w.nothingMore("private-stays", stays)
}

// One of two nodes dies: who was on it is back on the other, on all channels.
func nodeDies(t *testing.T, w *world, n int) {
	p := startProxy(t, w.hosts...)
	w.rest = w.hosts[0]
	clients := make([]*client, n)
	for i := range clients {
		clients[i] = w.connectTo(p.address, user(fmt.Sprint("u", i)))
		clients[i].subscribing("private-room", "open")
	}
	socketOf := make([]string, n)
	for i, c := range clients {
		c.until("private-room", succeeded+" {}")
		_, socketOf[i] = c.state()
	}
	if err := w.servers[1].Kill(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	moved := 0
	for i, c := range clients {
		if i%2 == 0 { // connections are the servers' in turn
			continue
		}
		moved++
		c.until("connection", "connecting")
		c.until("connection", "connected")
		c.until("private-room", succeeded+" {}")
		if _, socket := c.state(); socket == socketOf[i] {
			t.Errorf("%s has the socket id of a connection that is gone", c.name)
		}
	}
	took := time.Since(began)
	figure("C.2 one of two nodes died: its %d clients were back on their channels after %v", moved, took.Round(10*time.Millisecond))
	if most := max(*soon, 2*time.Second); took > most {
		t.Errorf("that is more than %v", most)
	}
	w.trigger("private-room", "after", 1)
	for _, c := range clients {
		c.until("private-room", "after 1")
		if heard := c.heard("connection"); strings.Contains(heard, "disconnected") || strings.Contains(heard, "failed") {
			t.Errorf("a client ended up so:\n%s", heard)
		}
	}
}

// A page that subscribes to 40 channels costs one question where they are asked about together. A browser asks about six
// at a time.
func pageLoad(t *testing.T, w *world) {
	alice := w.client("7")
	var rooms []string
	for i := range 40 {
		rooms = append(rooms, fmt.Sprint("private-room", i))
	}
	alice.subscribe(rooms...)
	node := w.cb.count()
	if n := node["authorize"] + node["authorize_many"]; n > 2 {
		t.Errorf("40 subscriptions of a client in Node cost %s", node)
	}

	_, socket := w.client("9").state()
	for six := range slices.Chunk(rooms, 6) {
		var asking sync.WaitGroup
		for _, room := range six {
			asking.Go(func() {
				if got := w.authorize("9", socket, room); got.status != 200 {
					t.Errorf("%s was refused: %d", room, got.status)
				}
			})
		}
		asking.Wait()
	}
	browser := w.cb.count().minus(node)
	if n := browser["authorize"] + browser["authorize_many"]; n > 7 {
		t.Errorf("40 subscriptions, six at a time, cost %s", browser)
	}
	figure("C.2 40 subscriptions of one page: from Node %s; six at a time, as browsers do, %s", node, browser)
}

// remembered is signedIn of an application that lets its answer be remembered while a page loads.
func remembered(w *world, q question) (int, any) { return remember(signedIn(w, q)) }

func anybodyRemembered(w *world, q question) (int, any) { return remember(anybody(w, q)) }

// remember lets an answer be remembered for five seconds.
func remember(status int, answer any) (int, any) {
	if fields, ok := answer.(map[string]any); ok {
		fields["cache"] = 5
	}
	return status, answer
}
