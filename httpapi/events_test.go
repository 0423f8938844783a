package httpapi_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"hark/channels"
	"hark/channels/hubtest"
	"hark/httpapi"
)

// A moody broker fails where it is told to, and counts what it is asked.
type moody struct {
	*channels.Memory
	full  string // the channel whose first event is refused
	blind bool   // counts nobody
	asked []string
	taken []string
}

func (m *moody) Publish(ctx context.Context, e channels.Envelope) (channels.Position, error) {
	if e.Place.Channel == m.full {
		m.full = ""
		return channels.Position{}, channels.ErrUnavailable
	}
	m.taken = append(m.taken, e.Place.Channel+" "+e.Data)
	return m.Memory.Publish(ctx, e)
}

func (m *moody) Info(ctx context.Context, p channels.Place) (channels.ChannelInfo, error) {
	m.asked = append(m.asked, p.Channel)
	if m.blind {
		return channels.ChannelInfo{}, errors.New("10.0.0.7 does not answer")
	}
	return m.Memory.Info(ctx, p)
}

func withMoody(t *testing.T, f func(m *moody, h http.Handler)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := &moody{Memory: channels.NewMemory()}
		c := config()
		c.Broker = m
		f(m, httpapi.New(hubtest.Start(t, c), httpapi.Config{}))
	})
}

// An event that was not taken is not overtaken by a later one of its batch: a
// retry of what the answer names keeps the order.
func TestBatchKeepsOrderAfterRefusal(t *testing.T) {
	withMoody(t, func(m *moody, h http.Handler) {
		m.full = "a"
		c := call{path: "/apps/1001/batch_events", status: 503, answer: "Not delivered to a; trigger there again\n",
			body: `{"batch":[{"name":"e","channel":"a","data":"1"},{"name":"e","channel":"b","data":"2"},{"name":"e","channel":"a","data":"3"}]}`}
		c.check(t, h)
		if got := strings.Join(m.taken, ","); got != "b 2" {
			t.Errorf("published %q, want b only", got)
		}
		m.full = "a"
		if _, _, header := c.do(h); header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	})
}

// One question a channel, however many events of a batch ask it, and none for
// those that do not.
func TestBatchCountsOnce(t *testing.T) {
	withMoody(t, func(m *moody, h http.Handler) {
		item := `{"name":"e","channel":"presence-p","data":"1","info":"user_count,subscription_count"}`
		call{path: "/apps/1001/batch_events", status: 200,
			body:   `{"batch":[` + item + `,{"name":"e","channel":"x","data":"1"},` + item + `]}`,
			answer: `{"batch":[{"user_count":0,"subscription_count":0},{},{"user_count":0,"subscription_count":0}]}`}.check(t, h)
		if got := strings.Join(m.asked, ","); got != "presence-p" {
			t.Errorf("counted %q, want presence-p once", got)
		}
	})
}

// When the event is out and only its channels could not be counted, the answer
// must not ask for it again.
func TestDeliveredButNotCounted(t *testing.T) {
	withMoody(t, func(m *moody, h http.Handler) {
		m.blind = true
		want := "Delivered, but the channels could not be counted: ask for them alone, do not trigger again\n"
		for _, c := range []call{
			{body: `{"name":"e","channels":["c"],"data":"1","info":"subscription_count"}`},
			{path: "/apps/1001/batch_events", body: `{"batch":[{"name":"e","channel":"c","data":"1","info":"subscription_count"}]}`},
		} {
			status, answer, header := c.do(h)
			if status != 503 || answer != want || header.Get("Retry-After") != "" {
				t.Errorf("%d %q, Retry-After %q", status, answer, header.Get("Retry-After"))
			}
		}
		call{path: "/apps/1001/channels/c", status: 503, answer: "Not available now, try again\n",
			query: map[string][]string{"info": {"subscription_count"}}}.check(t, h)
	})
}
