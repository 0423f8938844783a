package channels_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hark/channels"
	"hark/channels/hubtest"
	"hark/presence"
	"hark/protocol"
)

// A remote is the in-memory broker as if it were far away: calls take a while,
// fail while it is down, and so go through lanes.
type remote struct {
	memory *channels.Memory
	channels.Questions
	delay time.Duration // before a call takes effect

	mu    sync.Mutex
	reply time.Duration // before the answer to an Enter arrives
	down  bool
	lossy bool // calls take effect, and their answers are lost
	calls int  // under way
	most  int  // calls that were under way at once
}

func newRemote(delay time.Duration) *remote {
	m := channels.NewMemory()
	return &remote{memory: m, Questions: m, delay: delay}
}

func (r *remote) setReply(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reply = d
}

func (r *remote) setLossy(lossy bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lossy = lossy
}

// answer returns err when the answer of a call arrives, or why it does not.
func (r *remote) answer(ctx context.Context, err error) error {
	r.mu.Lock()
	lossy := r.lossy
	r.mu.Unlock()
	if lossy {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	return err
}

func (r *remote) setDown(down bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = down
}

// travel takes the time of a call and reports whether the broker answers.
func (r *remote) travel(ctx context.Context) error {
	r.mu.Lock()
	r.calls++
	r.most = max(r.most, r.calls)
	down := r.down
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		r.calls--
		r.mu.Unlock()
	}()
	if down {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	time.Sleep(r.delay)
	return nil
}

func (r *remote) Run(ctx context.Context, s channels.Sink) error { return r.memory.Run(ctx, s) }

func (r *remote) Publish(ctx context.Context, e channels.Envelope) (channels.Position, error) {
	if err := r.travel(ctx); err != nil {
		return channels.Position{}, err
	}
	at, err := r.memory.Publish(ctx, e)
	return at, r.answer(ctx, err)
}

func (r *remote) Enter(ctx context.Context, p channels.Place, o ...channels.Occupant) (channels.Snapshot, error) {
	if err := r.travel(ctx); err != nil {
		return channels.Snapshot{}, err
	}
	r.mu.Lock()
	reply := r.reply
	r.mu.Unlock()
	defer time.Sleep(reply)
	s, err := r.memory.Enter(ctx, p, o...)
	return s, r.answer(ctx, err)
}

func (r *remote) Leave(ctx context.Context, p channels.Place, o ...channels.Occupant) error {
	if err := r.travel(ctx); err != nil {
		return r.memory.Leave(context.WithoutCancel(ctx), p, o...) // remembered, as the contract has it
	}
	return r.answer(ctx, r.memory.Leave(ctx, p, o...))
}

func startRemote(t *testing.T, delay time.Duration) (*channels.Hub, *remote) {
	r := newRemote(delay)
	config := hubtest.Config()
	config.Broker = r
	return hubtest.Start(t, config), r
}

// An event for many channels takes as long as one for a single channel, and the error
// names those that did not take it, in the order in which they were named.
func TestTriggerAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, broker := startRemote(t, time.Second)
		event := channels.Trigger{Name: "e", Data: "1"}
		for i := range 100 {
			event.Channels = append(event.Channels, fmt.Sprint("c", i))
		}
		began := time.Now()
		trigger(t, h, event)
		if took := time.Since(began); took != time.Second {
			t.Errorf("it took %v", took)
		}
		broker.setDown(true)
		app, _ := h.App(hubtest.AppID)
		err := app.Trigger(t.Context(), event)
		failed, ok := errors.AsType[*channels.UndeliveredError](err)
		if !ok || !errors.Is(err, channels.ErrUnavailable) || !slices.Equal(failed.Channels, event.Channels) {
			t.Errorf("with the broker down: %v", err)
		}
	})
}

// What a client asks for on one channel happens in its order, however long the
// broker takes; other channels do not wait for it.
func TestLaneOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := startRemote(t, 100*time.Millisecond)
		c := hubtest.Connect(t, h)
		c.Subscribe("x")
		c.Unsubscribe("x")
		c.Subscribe("x")
		c.Subscribe("y")
		time.Sleep(110 * time.Millisecond)
		if got := c.Take(); !slices.Contains(got, succeeded("y")) {
			t.Errorf("after one call's time y is not there: %q", got)
		}
		time.Sleep(time.Second)
		c.Take()
		trigger(t, h, channels.Trigger{Name: "e", Data: "1", Channels: []string{"x"}})
		trigger(t, h, channels.Trigger{Name: "e", Data: "1", Channels: []string{"y"}})
		c.Expect(event("e", "x", "1"), event("e", "y", "1"))
	})
}

func TestLaneDuplicateWhileUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := startRemote(t, time.Second)
		c := hubtest.Connect(t, h)
		c.Subscribe("x")
		c.Subscribe("x")
		c.Expect(`{"event":"pusher:error","data":{"code":null,"message":"Existing subscription to channel x"}}`)
		time.Sleep(2 * time.Second)
		c.Expect(succeeded("x"))
	})
}

// A subscribe is never refused because the broker is away: pusher-js would not
// ask again. It is answered late, as long as the client is there.
func TestSubscribeWhileBrokerIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, broker := startRemote(t, time.Millisecond)
		broker.setDown(true)
		stays, goes := hubtest.Connect(t, h), hubtest.Connect(t, h)
		stays.Join("presence-x", "ada")
		goes.Join("presence-x", "bob")
		stays.Say(`{"event":"pusher:ping","data":{}}`)
		stays.Expect(`{"event":"pusher:pong","data":"{}"}`)
		time.Sleep(20 * time.Second)
		goes.Hangup()
		broker.setDown(false)
		time.Sleep(5 * time.Second)
		stays.Expect(`{"event":"pusher_internal:subscription_succeeded","channel":"presence-x",` +
			`"data":"{\"presence\":{\"count\":1,\"ids\":[\"ada\"],\"hash\":{\"ada\":{}}}}"}`)
	})
}

// Triggers are refused within the broker's time, naming the channels; client
// events are answered with an error.
func TestPublishWhileBrokerIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, broker := startRemote(t, time.Millisecond)
		c := hubtest.Connect(t, h)
		c.Subscribe("private-x")
		time.Sleep(time.Second)
		c.Take()
		broker.setDown(true)
		app, _ := h.App(hubtest.AppID)
		start := time.Now()
		err := app.Trigger(t.Context(), channels.Trigger{Name: "e", Channels: []string{"private-x"}})
		if err == nil || !strings.Contains(err.Error(), "private-x") || time.Since(start) > 2*time.Second {
			t.Errorf("Trigger: %v after %v, want an error that names the channel within 2 s", err, time.Since(start))
		}
		c.Say(`{"event":"client-e","channel":"private-x","data":"1"}`)
		time.Sleep(3 * time.Second)
		if got := c.Take(); len(got) != 1 || !strings.Contains(got[0], "was not delivered") {
			t.Errorf("got %q, want one error", got)
		}
	})
}

// A burst of subscribes runs on a bounded number of goroutines; beyond the
// bound the socket is read no further, and everything is answered in the end.
func TestLanesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, broker := startRemote(t, time.Second)
		c := hubtest.Connect(t, h)
		var read atomic.Int64
		go func() {
			for i := range 200 {
				c.Subscribe(fmt.Sprintf("channel-%d", i))
				read.Add(1)
			}
		}()
		synctest.Wait()
		if n := read.Load(); n < 64 || n > 80 {
			t.Errorf("%d subscribes were read at once, want 8 under way and 64 waiting", n)
		}
		time.Sleep(5 * time.Second)
		broker.setDown(true)
		time.Sleep(20 * time.Second)
		broker.setDown(false)
		time.Sleep(60 * time.Second)
		n := 0
		for _, m := range c.Take() {
			if strings.Contains(m, "subscription_succeeded") {
				n++
			}
		}
		if n != 200 || broker.most > 8 {
			t.Errorf("%d of 200 subscribes were answered, at most %d calls at once, want 8", n, broker.most)
		}
	})
}

// What rests between two attempts holds up nobody but its channel: whatever else the
// client asks for is tried, however much rests.
func TestRestingHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := &picky{Memory: channels.NewMemory(), refuse: "down-"}
		config := hubtest.Config()
		config.Broker = struct { // not Local
			channels.Broker
			channels.Questions
		}{broker, broker}
		c := hubtest.Connect(t, hubtest.Start(t, config))
		for i := range 100 {
			c.Subscribe(fmt.Sprintf("down-%d", i))
		}
		time.Sleep(10 * time.Second)
		c.Expect()
		c.Subscribe("up")
		c.Expect(succeeded("up"))
		broker.allow()
		time.Sleep(2 * time.Second)
		if n := len(c.Take()); n != 100 {
			t.Errorf("%d of 100 subscribes were answered once the broker could be asked", n)
		}
	})
}

// A picky broker cannot be asked about channels whose names begin with refuse.
type picky struct {
	*channels.Memory
	mu     sync.Mutex
	refuse string
}

func (p *picky) allow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = "none"
}

func (p *picky) Enter(ctx context.Context, place channels.Place, o ...channels.Occupant) (channels.Snapshot, error) {
	p.mu.Lock()
	refused := strings.HasPrefix(place.Channel, p.refuse)
	p.mu.Unlock()
	if refused {
		return channels.Snapshot{}, channels.ErrUnavailable
	}
	return p.Memory.Enter(ctx, place, o...)
}

// A client that is read no further, because too much of what it has asked for
// waits, is not silent.
func TestHeldIsNotSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, broker := startRemote(t, time.Millisecond)
		broker.setDown(true)
		c := hubtest.Connect(t, h)
		var read atomic.Int64
		go func() {
			for range 100 {
				c.Subscribe("x")
				c.Unsubscribe("x")
				read.Add(1)
			}
			c.Subscribe("x")
		}()
		time.Sleep(200 * time.Second)
		if n := read.Load(); n > 40 {
			t.Errorf("%d pairs were read, want as many as 64 waiting tasks are", n)
		}
		broker.setDown(false)
		time.Sleep(10 * time.Second)
		if code, _ := c.Closed(); code != 0 {
			t.Fatalf("closed with %d", code)
		}
		if got := c.Take(); len(got) == 0 || got[len(got)-1] != succeeded("x") {
			t.Errorf("got %q at last", got)
		}
	})
}

// A client that goes while its subscribe is under way leaves nothing behind.
func TestHangupWhileSubscribing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, broker := startRemote(t, time.Second)
		watcher := hubtest.Connect(t, h)
		watcher.Join("presence-x", "watcher")
		time.Sleep(2 * time.Second)
		watcher.Take()
		for i := range 5 {
			c := hubtest.Connect(t, h)
			c.Join("presence-x", "ada")
			time.Sleep(time.Duration(i) * 300 * time.Millisecond)
			c.Hangup()
		}
		time.Sleep(5 * time.Second)
		members, _ := broker.Members(t.Context(), channels.Place{App: hubtest.AppID, Channel: "presence-x"})
		if len(members) != 1 {
			t.Errorf("left behind: %v", members)
		}
		balance := 0
		for _, m := range watcher.Take() {
			if strings.Contains(m, "member_added") {
				balance++
			} else {
				balance--
			}
			if balance < 0 || balance > 1 {
				t.Errorf("member_added and member_removed do not alternate")
			}
		}
		if balance != 0 {
			t.Errorf("the watcher believes that ada is still there")
		}
	})
}

// An answer of the broker that is overtaken by what happens meanwhile is not
// taken for the state of the place, also when the channel has lost its last
// subscriber in between.
func TestOvertakenSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, broker := startRemote(t, 0)
		elsewhere := func(socket protocol.SocketID, user string) {
			place := channels.Place{App: hubtest.AppID, Channel: "presence-x"}
			o := channels.Occupant{Socket: socket, Member: protocol.Member{UserID: user}}
			if _, err := broker.memory.Enter(t.Context(), place, o); err != nil {
				t.Fatal(err)
			}
		}
		a, b := hubtest.Connect(t, h), hubtest.Connect(t, h)
		elsewhere("9.8", "ada")
		a.Join("presence-x", "ada")
		time.Sleep(time.Millisecond)
		broker.setReply(100 * time.Millisecond)
		b.Join("presence-x", "bob")
		time.Sleep(50 * time.Millisecond)
		elsewhere("9.9", "eve")
		a.Unsubscribe("presence-x")
		time.Sleep(time.Second)
		got := b.Take()
		if len(got) != 1 || !strings.Contains(got[0], `[\"ada\",\"bob\",\"eve\"]`) {
			t.Errorf("bob was told %q, want that eve is there too", got)
		}
	})
}

// A subscribe that took effect, but whose answer was lost, leaves nobody behind
// when the client goes; and counts once when it stays.
func TestLostAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, broker := startRemote(t, time.Millisecond)
		stays, goes := hubtest.Connect(t, h), hubtest.Connect(t, h)
		broker.setLossy(true)
		stays.Join("presence-x", "ada")
		goes.Join("presence-x", "bob")
		time.Sleep(time.Second)
		goes.Hangup()
		time.Sleep(10 * time.Second)
		broker.setLossy(false)
		time.Sleep(10 * time.Second)
		stays.Expect(event("pusher_internal:subscription_succeeded", "presence-x",
			`{"presence":{"count":1,"ids":["ada"],"hash":{"ada":{}}}}`))
		info, _ := broker.Info(t.Context(), channels.Place{App: hubtest.AppID, Channel: "presence-x"})
		if info.Sockets != 1 || info.Users != 1 {
			t.Errorf("%+v, want one socket of one user", info)
		}
	})
}

// Events that are delivered before a channel is open do not make it open behind
// them: whoever entered later would wait for a position that has passed.
func TestOvertakenByEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := &late{Memory: channels.NewMemory(), hold: map[protocol.SocketID]chan struct{}{}}
		config := hubtest.Config()
		config.Broker = broker
		h := hubtest.Start(t, config)
		a, b := hubtest.Connect(t, h), hubtest.Connect(t, h)
		for _, c := range []*hubtest.Client{a, b} {
			broker.hold[c.ID()] = make(chan struct{})
		}
		var asked sync.WaitGroup
		asked.Go(func() { a.Subscribe("news") })
		synctest.Wait()
		trigger(t, h, channels.Trigger{Name: "e", Data: "1", Channels: []string{"news"}})
		asked.Go(func() { b.Subscribe("news") })
		synctest.Wait()
		for _, c := range []*hubtest.Client{a, b} {
			close(broker.hold[c.ID()])
			c.Expect(succeeded("news"))
		}
		asked.Wait()
	})
}

// A late broker holds answers to Enter back, as a scheduler or a network may.
type late struct {
	*channels.Memory
	hold map[protocol.SocketID]chan struct{}
}

func (l *late) Enter(ctx context.Context, p channels.Place, o ...channels.Occupant) (channels.Snapshot, error) {
	s, err := l.Memory.Enter(ctx, p, o...)
	<-l.hold[o[0].Socket]
	return s, err
}

// A Sink is told of a gap: members are corrected and the channel is told. When only the members were lost it is not.
func TestGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := &gappy{Memory: channels.NewMemory()}
		config := hubtest.Config()
		config.Broker = broker
		h := hubtest.Start(t, config)
		c := hubtest.Connect(t, h)
		c.Join("presence-x", "ada")
		c.Take()
		place := channels.Place{App: hubtest.AppID, Channel: "presence-x"}
		broker.sink.Gap(place, channels.Snapshot{
			Position: channels.Position{Epoch: 9, Seq: 5},
			Members:  members("ada", "bob"),
		})
		c.Expect(
			`{"event":"pusher_internal:member_added","channel":"presence-x","data":"{\"user_id\":\"bob\",\"user_info\":{}}"}`,
			`{"event":"hark:gap","channel":"presence-x","data":"{}"}`)
		broker.sink.Gap(place, channels.Snapshot{
			Position: channels.Position{Epoch: 10, Seq: 1},
			Members:  members("ada"),
		})
		c.Expect(`{"event":"pusher_internal:member_removed","channel":"presence-x","data":"{\"user_id\":\"bob\"}"}`)
		broker.sink.Deliver(channels.Envelope{Place: place, Position: channels.Position{Epoch: 10, Seq: 2}, Name: "e", Data: "1"})
		broker.sink.Deliver(channels.Envelope{Place: place, Position: channels.Position{Epoch: 10, Seq: 2}, Name: "again", Data: "1"})
		c.Expect(event("e", "presence-x", "1"))
		broker.sink.Gap(place, channels.Snapshot{Position: channels.Position{Epoch: 11, Seq: 7}, Unsettled: true})
		c.Expect(`{"event":"hark:gap","channel":"presence-x","data":"{}"}`)
		for i, known := range []presence.Diff{presence.AddedDiff(members("ada")[0]), presence.RemovedDiff("bob")} {
			at := channels.Position{Epoch: 11, Seq: uint64(8 + i)}
			broker.sink.Deliver(channels.Envelope{Kind: channels.KindChange, Place: place, Position: at, Diff: known})
		}
		broker.sink.Deliver(channels.Envelope{Place: place, Position: channels.Position{Epoch: 11, Seq: 10}, Name: "e", Data: "2"})
		c.Expect(event("e", "presence-x", "2"))
		broker.sink.Correct(place, channels.Snapshot{Position: channels.Position{Epoch: 11, Seq: 9}, Members: members("cy")}) // older than what came
		broker.sink.Correct(place, channels.Snapshot{Position: channels.Position{Epoch: 11, Seq: 10}, Members: members("ada", "dee")})
		c.Expect(`{"event":"pusher_internal:member_added","channel":"presence-x","data":"{\"user_id\":\"dee\",\"user_info\":{}}"}`)
		if err := h.Ready(); err != nil {
			t.Error(err)
		}
		broker.sink.State(fmt.Errorf("gone"))
		if err := h.Ready(); err == nil || err.Error() != "gone" {
			t.Errorf("Ready: %v, want why the broker is away", err)
		}
	})
}

// A join that the broker has ordered and then lost, with the master of its Redis for
// instance, does not wait for ever for its position: it has its turn when the state is
// known again.
func TestGapAdmits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := &gappy{Memory: channels.NewMemory()}
		config := hubtest.Config()
		config.Broker = broker
		h := hubtest.Start(t, config)
		a, b := hubtest.Connect(t, h), hubtest.Connect(t, h)
		a.Subscribe("news")
		a.Expect(succeeded("news"))
		broker.ahead = 3
		b.Subscribe("news")
		b.Expect()
		place, now := channels.Place{App: hubtest.AppID, Channel: "news"}, broker.last
		broker.sink.Gap(place, channels.Snapshot{Position: now})
		b.Expect() // its position may be on the way
		time.Sleep(2 * time.Second)
		broker.sink.Gap(place, channels.Snapshot{Position: now, Unsettled: true})
		b.Expect()
		broker.sink.Correct(place, channels.Snapshot{Position: now})
		b.Expect(succeeded("news"))
	})
}

// A gappy broker lets a test speak for it. What enters is told a position that is ahead
// of the last one.
type gappy struct {
	*channels.Memory
	ahead uint64
	last  channels.Position // before that
	sink  channels.Sink
}

func (g *gappy) Enter(ctx context.Context, p channels.Place, o ...channels.Occupant) (channels.Snapshot, error) {
	s, err := g.Memory.Enter(ctx, p, o...)
	g.last = s.Position
	s.Position.Seq += g.ahead
	return s, err
}

func (g *gappy) Run(ctx context.Context, s channels.Sink) error {
	g.sink = s
	return g.Memory.Run(ctx, s)
}
