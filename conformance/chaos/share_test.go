package chaos

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"hark/channels"
)

// A node hears of the places that it holds and of no others: the bytes at its connections say so.
func TestTrafficFollowsPlaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.lease = 7 * time.Second // few beats
	p := newPlay(t, 1)
	holder, publisher := w.local("holder"), w.local("publisher")
	const held, others, each = "news-0", 1000, 2
	c := &client{play: p, name: "c", user: "u", channels: []string{held}, gone: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	c.leave = cancel
	p.add(holder)
	p.clients = append(p.clients, c)
	go c.run(ctx) // ends with the play
	p.settled()
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
	before, all := holder.network.Counts().Replies, publisher.network.Counts().Replies
	data := strings.Repeat("x", 8000) // beside which beats are little
	for i := range others * each {
		err := publisher.app.Trigger(ctx, channels.Trigger{Name: "x", Data: data, Channels: []string{fmt.Sprintf("news-%d", i%others)}})
		if err != nil {
			t.Fatal(err)
		}
	}
	within(t, "the last of it", patience, func() string {
		if publisher.network.Counts().Replies < all+int64(others*each*len(data)) {
			return "not all has come"
		}
		return ""
	})
	part, whole := holder.network.Counts().Replies-before, publisher.network.Counts().Replies-all
	t.Logf("who holds one of %d places received %d bytes, who holds all %d", others, part, whole)
	if part > whole/100 {
		t.Errorf("who holds one of %d places received %d bytes of %d", others, part, whole)
	}
}
