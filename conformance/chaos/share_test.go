package chaos

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"hark/channels"
)

// A node hears of the places that it holds and of no others: the bytes at its connections say so. What a node receives
// that holds none, for its beats, is no traffic of places.
func TestTrafficFollowsPlaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.lease, w.beat = time.Hour, 20*time.Minute // which it does not last for
	w.timeout = patience
	p := newPlay(t, 1)
	holder, idle, publisher := w.local("holder"), w.local("idle"), w.local("publisher")
	const held, others, each = "news-0", 1000, 4
	c := &client{play: p, name: "c", user: "u", channels: []string{held}, gone: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	c.leave = cancel
	p.add(holder)
	p.clients = append(p.clients, c)
	go c.run(ctx) // ends with the play
	p.settled()
	p.add(idle)
	crowd := &client{play: p, name: "crowd", user: "u", gone: make(chan struct{})}
	for i := range others {
		crowd.channels = append(crowd.channels, fmt.Sprintf("news-%d", i))
	}
	crowd.leave = cancel
	p.add(publisher)
	crowd.want = publisher.title
	p.clients = append(p.clients, crowd)
	go crowd.run(ctx)
	p.settled()
	received := func(n *local) int64 { return n.network.Counts().Replies }
	before, beats, all := received(holder), received(idle), received(publisher)
	data := strings.Repeat("x", 8000)
	for i := range others * each {
		err := publisher.app.Trigger(ctx, channels.Trigger{Name: "x", Data: data, Channels: []string{fmt.Sprintf("news-%d", i%others)}})
		if err != nil {
			t.Fatal(err)
		}
	}
	within(t, "the last of it", patience, func() string {
		if received(publisher) < all+int64(others*each*len(data)) || received(holder) < before+int64(each*len(data)) {
			return "not all has come"
		}
		return ""
	})
	part, none, whole := received(holder)-before, received(idle)-beats, received(publisher)-all
	t.Logf("who holds one of %d places received %d bytes, who holds none %d, who holds all %d", others, part, none, whole)
	if share := float64(part-none) / float64(whole) * others; share < 0.5 || share > 1.5 {
		t.Errorf("who holds one of %d places received %d bytes, who holds none %d, who holds all %d: it has %.2f places' share",
			others, part, none, whole, share)
	}
}
