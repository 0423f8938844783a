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
)

// An interrupted broker is local, and lets something happen during the next Enter.
type interrupted struct {
	*channels.Memory
	during func()
}

func (b *interrupted) Enter(ctx context.Context, p channels.Place, o ...channels.Occupant) (channels.Snapshot, error) {
	if f := b.during; f != nil {
		b.during = nil
		f()
	}
	return b.Memory.Enter(ctx, p, o...)
}

// A Revoke that overtakes a guest's subscribe on the very goroutine that reads the
// connection takes it back, and the connection goes on.
func TestRevokeDuringSubscribeAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := &interrupted{Memory: channels.NewMemory()}
		config := hubtest.Config()
		config.Broker = broker
		h := hubtest.Start(t, config)
		ada, bob := hubtest.Connect(t, h), hubtest.Connect(t, h)
		bob.Join("presence-x", "9")
		bob.Take()
		broker.during = func() { check(t, mine(h).Revoke(t.Context(), channels.Users("7"), "presence-x", "")) }
		ada.Join("presence-x", "7")
		ada.Expect(takenBack("presence-x", "Not authorized to subscribe to presence-x"))
		trigger(t, h, channels.Trigger{Name: "e", Data: "1", Channels: []string{"presence-x"}})
		ada.Expect()
		bob.Expect(
			event("pusher_internal:member_added", "presence-x", `{"user_id":"7","user_info":{}}`),
			event("pusher_internal:member_removed", "presence-x", `{"user_id":"7"}`),
			event("e", "presence-x", "1"))
		ada.Subscribe("news")
		ada.Expect(event("pusher_internal:subscription_succeeded", "news", "{}"))
	})
}

// A Recheck may ask about a subscription while the question that allowed it is just
// ending. That ends neither the other question nor the process.
func TestQuestionsOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := asked(t, &asker{d: authz.Allow()})
		ada := hubtest.As(t, h, "a")
		ada.Subscribe("private-x")
		ada.Take()
		if !ada.Socket().AskTwice("private-x") {
			t.Error("the end of the first question has ended the second")
		}
	})
}

// Client events that wait for the broker behind others are not published any more once
// their sender has lost its permission.
func TestRevokeOvertakesClientEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := newRemote(100 * time.Millisecond)
		config := hubtest.Config()
		config.Broker = broker
		config.Apps[0].Authenticator = staff
		h := hubtest.Start(t, config)
		ada, bob := hubtest.As(t, h, "7"), hubtest.As(t, h, "9")
		ada.Subscribe("private-x")
		bob.Subscribe("private-x")
		time.Sleep(time.Second)
		ada.Take()
		bob.Take()
		for i := range 4 {
			ada.Say(`{"event":"client-e","channel":"private-x","data":"%d"}`, i)
		}
		time.Sleep(50 * time.Millisecond)
		check(t, mine(h).Revoke(t.Context(), channels.Users("7"), "private-x", "no")) // at 150 ms
		time.Sleep(time.Second)
		bob.Expect(event("client-e", "private-x", "0"), event("client-e", "private-x", "1")) // which the broker had already
		refused := 0
		for _, m := range ada.Take() {
			if strings.Contains(m, "pusher:error") {
				refused++
			}
		}
		if refused != 2 {
			t.Errorf("ada was told of %d refusals, want 2", refused)
		}
	})
}
