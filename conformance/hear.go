package conformance

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"hark/protocol"
)

// String describes what came, for a Failure.
func (r received) String() string {
	switch r.kind {
	case "text":
		return r.text
	case "closed":
		if r.code == 0 {
			return "dropped"
		}
		return fmt.Sprintf("closed %d %q", r.code, r.reason)
	case "broken":
		return "a frame that RFC 6455 does not allow: " + r.text
	}
	return r.kind + " " + r.text
}

// errSilent is that nothing came.
var errSilent = errors.New("nothing")

// next returns what c hears next, or errSilent. What the suite sends to show a
// silence to somebody else is passed over.
func (p *player) next(c *client, within time.Duration) (received, error) {
	if c.gone {
		return received{}, p.wrong(fmt.Errorf("%s is gone", c.name))
	}
	timer := time.NewTimer(within)
	defer timer.Stop()
	for {
		select {
		case got := <-c.conn.received:
			if !p.isOthers(c, got) {
				return got, nil
			}
		case <-timer.C:
			return received{}, errSilent
		case <-p.ctx.Done():
			return received{}, p.ctx.Err()
		}
	}
}

// isOthers reports whether a message is nothing that a transcript tells of: an
// event that shows a silence, or the second half of a refusal.
func (p *player) isOthers(c *client, got received) bool {
	if got.kind != "text" {
		return false
	}
	v, err := parseJSON(got.text)
	m, ok := v.(map[string]any)
	if err != nil || !ok {
		return false
	}
	if m["event"] == protocol.EventSubscriptionCount && !c.app.SubscriptionCount && p.testCase.Config == nil {
		return true // the server has it on; the case does not speak of it
	}
	if m["event"] == nothingMore {
		return c.awaits == "" || m["data"] != c.awaits
	}
	if m["event"] != protocol.EventSubscriptionError {
		return false
	}
	channel, _ := m["channel"].(string)
	want, expected := c.refused[channel]
	if !expected {
		return false
	}
	wanted, err := parseJSON(want)
	if err != nil || match(wanted, v, "") != "" {
		return false
	}
	delete(c.refused, channel)
	return true
}

// message takes the next message of c, which is to be want.
func (p *player) message(c *client, want string) (string, error) {
	got, err := p.next(c, p.target.patience())
	if errors.Is(err, errSilent) {
		return "", p.fail(want, err.Error())
	}
	if err != nil {
		return "", err
	}
	if got.kind != "text" {
		c.gone = got.kind == "closed"
		return "", p.fail(want, got.String())
	}
	return got.text, nil
}

// hear takes the next message, which equals want.
func (p *player) hear(c *client, want string) error {
	want, err := p.expand(want)
	if err != nil {
		return err
	}
	wanted, err := parseJSON(want)
	if err != nil {
		return p.wrong(fmt.Errorf("what is expected is no JSON: %w", err))
	}
	text, err := p.message(c, want)
	if err != nil {
		return err
	}
	got, err := parseJSON(text)
	if err != nil {
		return p.failSince(want, text, err.Error())
	}
	if difference := match(wanted, got, ""); difference != "" {
		return p.failSince(want, text, difference)
	}
	c.learn(got)
	return nil
}

// told takes a pusher:error. Its data is an object, unlike that of all others.
func (p *player) told(c *client, code, text string) error {
	return p.hear(c, fmt.Sprintf(`{"event":"pusher:error","data":{"code":%s,"message":%s}}`, code, encode(text)))
}

// refused takes the answer to a refused subscribe. The official server sends a
// pusher:error only; a subscription_error that says the same may follow.
func (p *player) refused(c *client, channel, kind string, status int, text string) error {
	channel, err := p.expand(channel)
	if err != nil {
		return err
	}
	if err := p.told(c, "null", text); err != nil {
		return err
	}
	if text, err = p.expand(text); err != nil {
		return err
	}
	c.refused[channel] = encode(map[string]any{
		"event": protocol.EventSubscriptionError, "channel": channel,
		dataAsJSON: map[string]any{"type": kind, "error": text, "status": status},
	})
	return nil
}

// control takes a control frame.
func (p *player) control(c *client, kind, text string) error {
	got, err := p.next(c, p.target.patience())
	if err != nil && !errors.Is(err, errSilent) {
		return err
	}
	if err != nil {
		return p.fail(kind+" "+text, err.Error())
	}
	if got.kind != kind || !matchText(text, got.text) {
		return p.fail(kind+" "+text, got.String())
	}
	return nil
}

// closed takes the end of the connection, by the server.
func (p *player) closed(c *client, codes []int, hasReason bool, reason string) error {
	reason, err := p.expand(reason)
	if err != nil {
		return err
	}
	got, err := p.next(c, p.target.patience())
	if err != nil && !errors.Is(err, errSilent) {
		return err
	}
	want := fmt.Sprintf("closed %d", codes)
	if hasReason {
		want += fmt.Sprintf(" %q", reason)
	}
	if err != nil {
		return p.fail(want, err.Error())
	}
	if got.kind != "closed" || !slices.Contains(codes, got.code) || hasReason && !matchText(reason, got.reason) {
		return p.fail(want, got.String())
	}
	if len(got.reason) > protocol.MaxReason {
		return p.fail(fmt.Sprintf("a reason of at most %d bytes", protocol.MaxReason), got.String())
	}
	c.gone = true
	return nil
}

// silence waits, and nothing may come meanwhile.
func (p *player) silence(c *client, d time.Duration) error {
	got, err := p.next(c, d)
	if errors.Is(err, errSilent) {
		return nil
	}
	if err != nil {
		return err
	}
	return p.fail("nothing for "+d.String(), got.String())
}

// nothingMore is the event by which a silence is shown.
const nothingMore = "conformance-nothing-more"

// hearsNothing shows that nothing is on the way to c; see the package comment.
func (p *player) hearsNothing(c *client) error {
	p.settle()
	p.asked++
	want := strconv.Itoa(p.asked)
	c.awaits = want
	defer func() { c.awaits = "" }()
	channels := slices.Sorted(maps.Keys(c.channels))
	channels = slices.DeleteFunc(channels, keepsLast)
	for _, channel := range channels {
		body := encode(map[string]string{"name": nothingMore, "channel": channel, "data": want})
		got, err := p.do(request{method: "POST", path: "/apps/" + c.app.ID + "/events", body: body, signed: true, key: &c.app.Keys[0]}, nil)
		if err != nil {
			return err
		}
		if got.status != 200 {
			return p.fail("200 for an event on "+channel, got.String())
		}
	}
	for range channels {
		text, err := p.message(c, "nothing but "+nothingMore)
		if err != nil {
			return err
		}
		if got, err := parseJSON(text); err != nil || !isNothingMore(got, want) {
			return p.fail("nothing", text)
		}
	}
	p.sayEvent(c, protocol.EventPing, map[string]string{})
	text, err := p.message(c, "pusher:pong, and nothing before it")
	if err != nil {
		return err
	}
	if got, err := parseJSON(text); err != nil || !isPong(got) {
		return p.fail("nothing", text)
	}
	p.settle()
	return p.nothingLeft(c)
}

// nothingLeft says what is here that nobody has taken. A pong that was too much
// looks like the one that was asked for, which then comes after it.
func (p *player) nothingLeft(c *client) error {
	for {
		select {
		case got := <-c.conn.received:
			if !p.isOthers(c, got) {
				return p.fail("nothing", got.String())
			}
		default:
			return nil
		}
	}
}

// keepsLast reports whether a channel keeps its last event: what shows a silence
// there would be heard by whoever comes next.
func keepsLast(channel string) bool {
	for _, prefix := range []string{"cache-", "private-cache-", "private-encrypted-cache-", "presence-cache-"} {
		if strings.HasPrefix(channel, prefix) {
			return true
		}
	}
	return false
}

// isPong reports whether a message is a pong. What its data is, liveness.txt
// looks at.
func isPong(message any) bool {
	m, ok := message.(map[string]any)
	return ok && m["event"] == protocol.EventPong
}

func isNothingMore(message any, data string) bool {
	m, ok := message.(map[string]any)
	return ok && m["event"] == nothingMore && m["data"] == data
}
