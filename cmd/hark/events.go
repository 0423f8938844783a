package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"hark/cmd/hark/internal/client"
	"hark/protocol"
)

// An eventPrinter prints what a subscription gets: events to out, news of the connection to talk.
type eventPrinter struct {
	flags     *subscribeFlags
	out, talk io.Writer
	connected bool
	printed   int
}

func (p *eventPrinter) note(text string) { fmt.Fprintf(p.talk, "%s %s\n", clock(), printable(text)) }

// handle prints a message of the server if it is one to be printed. It returns errEnough after the last one.
func (p *eventPrinter) handle(e client.Event) error {
	p.news(e)
	name := publicName(e.Name)
	wanted := p.flags.raw || e.Channel != "" && !isAnswer(e.Name)
	if !wanted || !glob(p.flags.event, name) {
		return nil
	}
	if err := p.print(name, e); err != nil {
		return err
	}
	if !p.flags.raw && p.flags.event == anyEvent && strings.HasPrefix(name, "pusher:") {
		return nil // printed, and not what --count waits for
	}
	p.printed++
	if p.printed == p.flags.count {
		return errEnough
	}
	return nil
}

func (p *eventPrinter) print(name string, e client.Event) error {
	switch {
	case p.flags.raw:
		_, err := fmt.Fprintf(p.out, "%s\n", e.Text)
		return err
	case *p.flags.format == formatJSON:
		return printJSON(p.out, struct {
			Time    time.Time `json:"time"`
			Channel string    `json:"channel"`
			Event   string    `json:"event"`
			Data    string    `json:"data"`
			UserID  string    `json:"user_id,omitzero"`
		}{time.Now(), e.Channel, name, e.Data, e.UserID})
	}
	line := fmt.Sprintf("%s %-16s %-24s %s", clock(), printable(e.Channel), printable(name), printable(e.Data))
	if e.UserID != "" {
		line += "  from " + printable(e.UserID)
	}
	_, err := fmt.Fprintln(p.out, line)
	return err
}

// news tells what happens to the connection and the subscriptions.
func (p *eventPrinter) news(e client.Event) {
	switch e.Name {
	case protocol.EventConnectionEstablished:
		p.connected = true
		p.note("connected " + e.Data)
	case protocol.EventSubscriptionSucceeded:
		text := e.Channel + " subscribed"
		if n, ok := members(e.Data); ok {
			text += fmt.Sprintf(" (members: %d)", n)
		}
		p.note(text)
	case protocol.EventError:
		p.note("pusher:error " + e.Data)
	}
}

// members returns how many are on a presence channel, from the data of its subscription_succeeded.
func members(data string) (n int, ok bool) {
	var succeeded struct {
		Presence *struct {
			Count int `json:"count"`
		} `json:"presence"`
	}
	if err := json.Unmarshal([]byte(data), &succeeded); err != nil || succeeded.Presence == nil {
		return 0, false
	}
	return succeeded.Presence.Count, true
}

// isAnswer reports whether an event on a channel only answers a subscribe.
func isAnswer(name string) bool {
	return name == protocol.EventSubscriptionSucceeded || name == protocol.EventSubscriptionError
}

// publicName is what applications call one of the protocol's events: pusher:member_added.
func publicName(name string) string {
	if rest, internal := strings.CutPrefix(name, "pusher_internal:"); internal {
		return "pusher:" + rest
	}
	return name
}

// glob reports whether s is like pattern, in which * is any text.
func glob(pattern, s string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return s == pattern
	}
	s, ok := strings.CutPrefix(s, head)
	if !ok {
		return false
	}
	for i := 0; i <= len(s); i++ {
		if glob(rest, s[i:]) {
			return true
		}
	}
	return false
}

func clock() string { return time.Now().Format("15:04:05.000") }
